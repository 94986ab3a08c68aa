package upstream

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"authy/server/account"
	"authy/server/keyset"
	"authy/server/provider"
	"authy/storage"
)

const (
	maxName   = 200 // characters
	maxURL    = 512 // bytes
	maxValue  = 256 // bytes, of a group, a method or a session id
	maxGroups = 2000
)

// statement makes a statement of claims, which strangers have written: what is too
// long or of another type is not there.
func statement(p *storage.Provider, t *idToken) (*provider.Statement, error) {
	s := &provider.Statement{
		Issuer: t.issuer, Subject: t.subject, Name: nameOf(t.claims), Picture: picture(text(t.claims, "picture")),
		Locale: value(text(t.claims, "locale")), Methods: values(t.claims["amr"]), Context: value(text(t.claims, "acr")),
		SessionID: value(text(t.claims, "sid")), Hint: t.text,
	}
	s.Email = address(text(t.claims, "email"))
	s.EmailVerified = s.Email != "" && isTrue(t.claims["email_verified"])
	s.AuthenticatedAt, _ = t.claims.Time("auth_time") // zero if it is no time
	if p.Options.Groups != "" {
		s.Groups = values(find(t.claims, p.Options.Groups))
	}
	return s, bounded(s)
}

// bounded refuses a statement of more groups than are looked at: a role would be lost
// otherwise.
func bounded(s *provider.Statement) error {
	if len(s.Groups) > maxGroups {
		return tooManyGroups(fmt.Errorf("%d groups", len(s.Groups)))
	}
	return nil
}

func tooManyGroups(err error) error {
	return &provider.Refusal{
		Kind: provider.Misconfigured, Reason: "too_many_groups", Err: err,
		Text: "You are in too many groups there. Whoever runs this server can limit which of them are sent.",
	}
}

// text returns a claim that is a text, "" for any other.
func text(claims keyset.Claims, name string) string {
	found, err := claims.Text(name)
	if err != nil {
		return ""
	}
	return found
}

// isTrue reads a claim that is a boolean. Some providers write it as a text.
func isTrue(raw json.RawMessage) bool { return string(raw) == "true" || string(raw) == `"true"` }

// nameOf returns what somebody is called.
func nameOf(claims keyset.Claims) string {
	if name := line(text(claims, "name")); name != "" {
		return name
	}
	return line(text(claims, "given_name") + " " + text(claims, "family_name"))
}

// line returns a text for people, on one line and not too long.
func line(text string) string {
	clean := []rune(strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unprintable(r) {
			return ' '
		}
		return r
	}, text)), " "))
	return strings.TrimSpace(string(clean[:min(len(clean), maxName)]))
}

// value returns a text for programs as it is, or "": one with something cut off
// would be another.
func value(text string) string {
	if len(text) > maxValue || strings.ContainsFunc(text, unprintable) {
		return ""
	}
	return text
}

// values returns the texts of a claim that is a text or a list, without those that
// are not as [value] wants them.
func values(raw json.RawMessage) []string {
	var one string
	if json.Unmarshal(raw, &one) == nil {
		if one = value(one); one == "" {
			return nil
		}
		return []string{one}
	}
	var many []any
	if json.Unmarshal(raw, &many) != nil {
		return nil
	}
	var out []string
	for _, item := range many {
		if one, is := item.(string); is && value(one) != "" {
			out = append(out, one)
		}
	}
	return out
}

// address returns a mail address in its one form, "" for anything else. What is
// in it is never mended: it could become somebody else's.
func address(text string) string {
	email, err := account.ParseEmail(text)
	if err != nil {
		return ""
	}
	return email
}

// picture returns the URL of a picture, "" for what is none.
func picture(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(text) > maxURL {
		return ""
	}
	return text
}

// find returns the claim of a name, or the one within others that the name leads
// to, such as "realm_access.roles"; nil if there is none.
func find(claims keyset.Claims, name string) json.RawMessage {
	if found, has := claims[name]; has {
		return found
	}
	first, rest, nested := strings.Cut(name, ".")
	if !nested {
		return nil
	}
	inner, err := object(claims[first])
	if err != nil {
		return nil
	}
	return find(inner, rest)
}
