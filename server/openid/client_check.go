package openid

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"authy/server/audit"
	"authy/server/fault"
)

// The most of each that a client has.
const (
	maxURIs     = 64
	maxURI      = 2048                      // bytes
	maxLifetime = 10 * 365 * 24 * time.Hour // of any token
)

// normal returns in without what means nothing, and with nothing twice.
func (in NewClient) normal() NewClient {
	in.Name = strings.TrimSpace(in.Name)
	if in.ApplicationType == "" {
		in.ApplicationType = "web"
	}
	for _, list := range []*[]string{
		&in.RedirectURIs, &in.PostLogoutRedirectURIs, &in.GrantTypes, &in.Scopes, &in.Allowed,
	} {
		*list = unique(*list)
	}
	return in
}

// unique returns words in their order, without those that came before.
func unique(words []string) []string {
	var out []string
	for _, word := range words {
		if !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}

// checkNew says what is wrong with a registration.
func (in NewClient) checkNew() error {
	problems := in.problems(in.Secret == "")
	if !isClientID(in.ClientID) {
		problems["client_id"] = []string{"Use 3 to 128 letters, digits and the signs - . _ ~"}
	}
	if problem := secretProblem(in.Secret); problem != "" {
		problems["client_secret"] = []string{problem}
	}
	return fault.Fields(problems)
}

// problems says what is wrong with that which can be changed, by field.
func (in NewClient) problems(public bool) map[string][]string {
	problems := map[string][]string{}
	note := func(field, problem string) {
		if problem != "" {
			problems[field] = append(problems[field], problem)
		}
	}
	note("name", nameProblem(in.Name))
	if in.ApplicationType != "web" && in.ApplicationType != "native" {
		note("application_type", "Must be one of: web, native.")
	}
	for _, problem := range redirectProblems(in.RedirectURIs) {
		note("redirect_uris", problem)
	}
	if has(in.GrantTypes, "authorization_code") && len(in.RedirectURIs) == 0 {
		note("redirect_uris", "The code flow needs one at least.")
	}
	for _, problem := range redirectProblems(in.PostLogoutRedirectURIs) {
		note("post_logout_redirect_uris", problem)
	}
	note("grant_types", grantsProblem(in.GrantTypes, public))
	note("scopes", scopesProblem(in.Scopes))
	note("allow", allowedProblem(in.Allowed, in.OrganizationID))
	for field, lifetime := range map[string]time.Duration{
		"access_token_lifetime": in.AccessTokenLifetime, "id_token_lifetime": in.IDTokenLifetime,
		"refresh_token_lifetime": in.RefreshTokenLifetime,
	} {
		note(field, lifetimeProblem(lifetime))
	}
	for field, uri := range map[string]string{
		"logo_uri": in.LogoURI, "client_uri": in.ClientURI, "policy_uri": in.PolicyURI, "tos_uri": in.TOSURI,
	} {
		note(field, pageProblem(uri))
	}
	return problems
}

func nameProblem(name string) string {
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return "Missing data for required field."
	case n > 255:
		return "Longer than maximum length 255."
	case !isPlain(name):
		return "Not plain text."
	}
	return ""
}

func lifetimeProblem(lifetime time.Duration) string {
	switch {
	case lifetime < time.Second:
		return "Must be at least one second."
	case lifetime > maxLifetime:
		return "Must be ten years at most."
	case lifetime%time.Second != 0:
		return "Must be whole seconds."
	}
	return ""
}

func grantsProblem(types []string, public bool) string {
	switch {
	case slices.ContainsFunc(types, func(t string) bool { return !has(grants, t) }):
		return "Must be one of: " + strings.Join(grants, ", ") + "."
	case public && has(types, "client_credentials"):
		// RFC 6749, section 4.4: confidential clients only.
		return "A public client cannot have client_credentials."
	}
	return ""
}

// scopesProblem checks the form of RFC 6749, section 3.3.
func scopesProblem(scopes []string) string {
	if len(scopes) > maxScopes {
		return "Too many scopes."
	}
	for _, scope := range scopes {
		bad := strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
		if scope == "" || len(scope) > 128 || bad {
			return "A scope has 1 to 128 printable ASCII characters without spaces, quotes and backslashes."
		}
	}
	return ""
}

// pageProblem says why uri may not be linked to or shown on a page, or "".
func pageProblem(uri string) string {
	if uri == "" {
		return ""
	}
	if problem := redirectProblem(uri); problem != "" {
		return "Not a valid URL: " + problem + "."
	}
	if u, err := url.Parse(uri); err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "Not a valid URL: use https."
	}
	return ""
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

// shown is what a message repeats of a URI.
func shown(uri string) string { return audit.Cut(strings.ToValidUTF8(uri, "\uFFFD"), 200) }

func isClientID(id string) bool {
	return len(id) >= 3 && len(id) <= 128 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') &&
			!strings.ContainsRune("-._~", r)
	})
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
