package account

import (
	"net/mail"
	"strings"
	"unicode"

	"authy/server/fault"
)

// maxEmail is the longest address that mail can be sent to, in bytes
// (RFC 5321, section 4.5.3.1.3).
const maxEmail = 254

// ParseEmail returns the one form under which an address is known: lower case,
// without white space around it. Two spellings that a reader could not tell
// apart are either the same address or refused.
func ParseEmail(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", fault.Field("email", "Missing data for required field.")
	}
	// The small letter of some that are not ASCII is ASCII: the sign for kelvin would be k.
	email := strings.ToLower(text)
	if !isASCII(text) || !isEmail(email) {
		return "", fault.Field("email", "Not a valid email address.")
	}
	return email, nil
}

// isEmail accepts the addresses people have: printable ASCII in the local
// part, and a host name of letters, digits and hyphens with at least one dot
// (or localhost). Quoted local parts, comments, address literals and letters
// that look like others are refused.
func isEmail(email string) bool {
	if len(email) > maxEmail || strings.ContainsFunc(email, func(r rune) bool {
		return r > unicode.MaxASCII || r <= ' ' || r == 0x7f
	}) {
		return false
	}
	parsed, err := mail.ParseAddress(email)
	if err != nil || parsed.Address != email || strings.ContainsAny(email, `"()<>,;:\[]`) {
		return false
	}
	local, host, _ := strings.Cut(email, "@")
	return len(local) <= 64 && isHost(host)
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

func isHost(host string) bool {
	if host == "localhost" {
		return true
	}
	labels := strings.Split(host, ".")
	if len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		// A name in Punycode shows as letters that this server would refuse.
		if strings.HasPrefix(label, "xn--") {
			return false
		}
		if strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
		}) {
			return false
		}
	}
	return true
}
