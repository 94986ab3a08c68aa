package forward

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Place is an address that somebody asks for, and how.
type Place struct {
	Scheme, Host string // as browsers write them
	Method       string
	URI          string // path and query, as they were sent

	path, folded string
	plain        bool // the path can be read in one way only
}

// URL is the whole address.
func (p *Place) URL() string { return p.Scheme + "://" + p.Host + p.URI }

// Origin is the address of the host.
func (p *Place) Origin() string { return p.Scheme + "://" + p.Host }

const (
	// maxURI is the longest path and query that is looked at, in bytes.
	maxURI = 8 << 10
	// maxReturn is the longest address that a browser comes back to after signing in: proxies
	// take no header that is much longer than twice that.
	maxReturn = 1500
)

// back is where a browser goes after signing in: to the place, or to the first page if its
// address is too long.
func (p *Place) back() string {
	if address := p.URL(); len(address) <= maxReturn {
		return address
	}
	return p.Origin() + "/"
}

// placeOf reads an address. It reports false for one that no browser sends.
func placeOf(scheme, host, uri, method string) (*Place, bool) {
	host, ok := normalHost(scheme, host)
	printable := !strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r == 0x7f || r == utf8.RuneError })
	if !ok || !strings.HasPrefix(uri, "/") || len(uri) > maxURI || !printable || method == "" {
		return nil, false
	}
	p := &Place{Scheme: scheme, Host: host, Method: method, URI: uri}
	raw, _, _ := strings.Cut(uri, "?")
	p.path, p.plain = plainly(raw)
	p.folded = fold(p.path)
	return p, true
}

// ParsePlace reads the whole address of a page.
func ParsePlace(address, method string) (*Place, bool) {
	scheme, rest, found := strings.Cut(address, "://")
	end := strings.IndexAny(rest, "/?#")
	if !found || end < 0 {
		end, rest = len(rest), rest+"/"
	}
	return placeOf(strings.ToLower(scheme), rest[:end], rest[end:], method)
}

// normalHost returns a host as browsers write it: in lower case, without a dot at its end, and
// without the port that its scheme has anyhow.
func normalHost(scheme, text string) (string, bool) {
	if scheme != "https" && scheme != "http" || text == "" || len(text) > 260 {
		return "", false
	}
	name, port := text, ""
	if at := strings.LastIndexByte(text, ':'); at > strings.LastIndexByte(text, ']') {
		name, port = text[:at], text[at+1:]
		if port == "" || strings.Trim(port, "0123456789") != "" || port[0] == '0' {
			return "", false
		}
	}
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if name == "" || strings.ContainsFunc(name, oddInHost) {
		return "", false
	}
	if port == "" || scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		return name, true
	}
	return name + ":" + port, true
}

func oddInHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(".-_:[]", r)
}

// plainly decodes a path once, and says whether every program reads the same in it. Not plain is
// what some resolve, merge, cut off or decode again: parts that are dots or empty, or end in a
// dot or a space; backslashes, semicolons, and what was encoded so that it would not be seen.
func plainly(raw string) (path string, plain bool) {
	path, err := url.PathUnescape(raw)
	if err != nil {
		return raw, false
	}
	decoded := strings.Count(path, "/") != strings.Count(raw, "/") || // %2f
		strings.ContainsAny(path, `\;?#`) || encodesAgain(path) ||
		strings.ContainsFunc(path, unicode.IsControl) || !utf8.ValidString(path)
	if decoded {
		return path, false
	}
	parts := strings.Split(path[1:], "/")
	for i, part := range parts {
		last := i == len(parts)-1
		if part == "" && !last || strings.HasSuffix(part, ".") || strings.HasSuffix(part, " ") {
			return path, false
		}
	}
	return path, true
}

// encoded is something that a program decodes, which may leave what is none as it is.
var encoded = regexp.MustCompile(`%(?:[0-9A-Fa-f]{2}|[uU])`)

// encodesAgain says whether a path that was decoded can be decoded once more, were it in part.
func encodesAgain(path string) bool { return encoded.MatchString(path) }

// fold returns a path as programs see it that do not know upper case from lower.
func fold(path string) string { return strings.ToLower(strings.ToUpper(path)) }
