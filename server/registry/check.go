package registry

import (
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/keyring"
)

// GrantTypes are the values of grant_type that this server knows. A client may be
// registered for [Implicit] as well.
var GrantTypes = []string{"authorization_code", "refresh_token", "client_credentials", DeviceCode, TokenExchange}

// The grants with long names, of RFC 8628 and RFC 8693.
const (
	DeviceCode    = "urn:ietf:params:oauth:grant-type:device_code"
	TokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
)

// The most of each that a client has.
const (
	maxURIs     = 64
	maxScopes   = 64
	maxURI      = 2048                      // bytes
	maxLifetime = 10 * 365 * 24 * time.Hour // of any token
)

// normal returns in without what means nothing, and with nothing twice.
func (in Registration) normal() Registration {
	in.Name = strings.TrimSpace(in.Name)
	if in.ApplicationType == "" {
		in.ApplicationType = "web"
	}
	in.Options = normalOptions(in.Options)
	if in.IDTokenAlg == "" {
		in.IDTokenAlg = "RS256" // OpenID Connect Dynamic Client Registration 1.0, section 2
	}
	if in.AuthMethod == AuthNone {
		in.RequirePKCE = true // RFC 9700, section 2.1.1: it has no other proof
	}
	for _, list := range []*[]string{
		&in.RedirectURIs, &in.PostLogoutRedirectURIs, &in.GrantTypes, &in.Scopes, &in.Allowed,
		&in.Options.Exchange, &in.Options.ExchangeFor,
	} {
		*list = unique(*list)
	}
	if in.ResponseTypes == nil {
		in.ResponseTypes = fitting(nil, in.GrantTypes)
	}
	in.ResponseTypes = normalTypes(in.ResponseTypes)
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
func (in Registration) checkNew() error {
	problems := in.problems(in.AuthMethod)
	if hasSecret(in.AuthMethod) != (in.Secret != "") {
		problems["token_endpoint_auth_method"] = append(problems["token_endpoint_auth_method"], map[bool]string{
			true: "Does not fit a client with a secret.", false: "Does not fit a client without a secret.",
		}[in.Secret != ""])
	}
	if !isClientID(in.ClientID) {
		problems["client_id"] = []string{"Use 3 to 128 letters, digits and the signs - . _ ~"}
	}
	if problem := secretProblem(in.Secret); problem != "" {
		problems["client_secret"] = []string{problem}
	}
	return fault.Fields(problems)
}

// problems says what is wrong with that which can be changed, by field, for a
// client that authenticates by method until now.
func (in Registration) problems(method string) map[string][]string {
	problems := map[string][]string{}
	note := func(field, problem string) {
		if problem != "" {
			problems[field] = append(problems[field], problem)
		}
	}
	note("name", nameProblem(in.Name))
	note("application_type", oneOf(in.ApplicationType, "web", "native"))
	for _, problem := range redirectProblems(in.RedirectURIs) {
		note("redirect_uris", problem)
	}
	if has(in.GrantTypes, "authorization_code") && len(in.RedirectURIs) == 0 {
		note("redirect_uris", "The code flow needs one at least.")
	}
	for _, problem := range redirectProblems(in.PostLogoutRedirectURIs) {
		note("post_logout_redirect_uris", problem)
	}
	note("grant_types", grantsProblem(in.GrantTypes, in.AuthMethod == AuthNone))
	in.responseProblems(note)
	note("token_endpoint_auth_method", authProblem(method, in.AuthMethod))
	note("id_token_signed_response_alg", algProblem(in.IDTokenAlg))
	in.optionProblems(note)
	for field, problem := range in.exchangeProblems() {
		note(field, problem)
	}
	note("scopes", scopesProblem(in.Scopes))
	note("allow", AllowedProblem(in.Allowed, in.OrganizationID))
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

// oneOf says that value is not one of those there are, or "".
func oneOf(value string, values ...string) string {
	if has(values, value) {
		return ""
	}
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
	return "Must be one of: " + strings.Join(values, ", ") + "."
}

func algProblem(alg string) string { return oneOf(alg, keyring.Algorithms...) }

func nameProblem(name string) string {
	switch n := utf8.RuneCountInString(name); {
	case n == 0:
		return "Missing data for required field."
	case n > 255:
		return "Longer than maximum length 255."
	case !IsPlain(name):
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
	case slices.ContainsFunc(types, func(t string) bool { return t != Implicit && !has(GrantTypes, t) }):
		return "Must be one of: " + strings.Join(GrantTypes, ", ") + "."
	case public && has(types, "client_credentials"):
		// RFC 6749, section 4.4: confidential clients only.
		return "A public client cannot have client_credentials."
	case public && has(types, TokenExchange):
		return "A public client cannot exchange tokens."
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

// shown is what a message repeats of a URI.
func shown(uri string) string { return audit.Cut(strings.ToValidUTF8(uri, "\uFFFD"), 200) }

func isClientID(id string) bool {
	return len(id) >= 3 && len(id) <= 128 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') &&
			!strings.ContainsRune("-._~", r)
	})
}

// IsPlain says whether s is text without control characters.
func IsPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return isPlain(s)
		}
	}
	return true // as nearly all that is sent
}

func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func has(words []string, word string) bool { return slices.Contains(words, word) }

// Problems says what is wrong with a client by the rules as they are, by field: it may
// have come from another server, or be older than a rule.
func Problems(c *Client) map[string][]string { return Describe(c).problems(c.AuthMethod) }
