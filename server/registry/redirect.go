package registry

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Matches says whether a redirect URI is one of c's. It compares letter by
// letter. The one exception is the port of a native application's loopback
// address, which it learns from the system when it starts (RFC 8252, section 7.3).
func Matches(c *Client, sent string) bool {
	if slices.Contains(c.RedirectURIs, sent) {
		return true
	}
	if c.ApplicationType != "native" {
		return false
	}
	for _, prefix := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, ok := cutPort(sent, prefix)
		if !ok {
			continue
		}
		for _, registered := range c.RedirectURIs {
			if known, ok := cutPort(registered, prefix); ok && known == rest {
				return true
			}
		}
	}
	return false
}

// cutPort returns what follows prefix and a port in uri.
func cutPort(uri, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(uri, prefix)
	if !ok || rest == "" {
		return "", ok
	}
	if rest[0] == ':' {
		port := strings.TrimLeft(rest[1:], "0123456789")
		if digits := len(rest) - 1 - len(port); digits < 1 || digits > 5 {
			return "", false
		}
		rest = port
	}
	return rest, rest == "" || rest[0] == '/'
}

// redirectProblems says what is wrong with URIs to be registered.
func redirectProblems(uris []string) (problems []string) {
	if len(uris) > maxURIs {
		return []string{"Too many."}
	}
	for _, uri := range uris {
		if problem := redirectProblem(uri); problem != "" {
			problems = append(problems, shown(uri)+": "+problem)
		}
	}
	return problems
}

// redirectProblem says why a redirect URI may not be registered, or "".
func redirectProblem(uri string) string {
	if len(uri) > maxURI {
		return "longer than 2048 bytes"
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil || u.Scheme == "" || !isPort(u.Port()) || strings.ContainsFunc(uri, outsideURI):
		return "not an absolute URI"
	case slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about"}, strings.ToLower(u.Scheme)):
		return "this scheme is dangerous"
	case strings.Contains(uri, "#"):
		return "a redirect URI has no fragment (RFC 6749, section 3.1.2)"
	case u.User != nil:
		return "a redirect URI names no user"
	case strings.ContainsAny(strings.Replace(uri, u.Host, "", 1), "*[]{}") || strings.ContainsAny(u.Host, "*{}"):
		return "patterns are not supported; register each URI"
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() == "":
		return "the host is missing"
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "plain http is for localhost only"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "the query cannot be read"
	}
	for name := range query {
		if slices.Contains([]string{"code", "state", "iss", "error"}, name) {
			return "the query holds " + name + ", which belongs to the answer"
		}
	}
	return ""
}

// isPort says whether s is a port, or none.
func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil
}

// outsideURI says whether a URI cannot hold r (RFC 3986, section 2). Any kind
// of white space would also split one stored URI into two.
func outsideURI(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }

func isLoopback(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "127.0.0.1" || host == "::1"
}
