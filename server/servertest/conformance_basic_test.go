package servertest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"authy/server/registry"
	"authy/server/servertest"
)

func TestBasicCertification(t *testing.T)    { t.Parallel(); certify(t, "", basicModules) }
func TestFormPostCertification(t *testing.T) { t.Parallel(); certify(t, "form_post", basicModules) }

// standardClaims are those of each scope (OpenID Connect Core 1.0, section 5.4).
var standardClaims = map[string][]string{
	"profile": strings.Fields("name family_name given_name middle_name nickname preferred_username profile picture " +
		"website gender birthdate zoneinfo locale updated_at"),
	"email":   {"email", "email_verified"},
	"address": {"address"},
	"phone":   {"phone_number", "phone_number_verified"},
}

// scopes requires that userinfo has every claim of the scopes asked, and the ID token none; or the
// ID token, where there is no access token.
func (c *conformance) scopes(names ...string) {
	c.Helper()
	got := c.flow(c.first, "scope", "openid "+strings.Join(names, " "))
	info := got.userinfo
	if info == nil {
		info = got.claims // OpenID Connect Core 1.0, section 5.4
	} else {
		c.only(got.claims)
	}
	for _, scope := range names {
		for _, claim := range standardClaims[scope] {
			if info[claim] == nil || info[claim] == "" {
				c.Errorf("warning: %s is missing: %s", claim, text(info))
			}
		}
	}
}

// twice makes the same request in one browser two times, the second with pairs, and returns both
// and whether the second asked for a password.
func (c *conformance) twice(first, second []string) (one, two grantedTo, again bool) {
	c.Helper()
	one = c.flow(c.first, first...)
	form := c.request(c.first, second...)
	answer, steps := c.authorize(c.first, form)
	return one, c.exchange(c.first, form, answer), askedPassword(steps)
}

func authTime(g grantedTo) float64 { n, _ := g.claims["auth_time"].(float64); return n }

// sameUser requires one user in both, and whether the sign-in is the same.
func (c *conformance) sameUser(one, two grantedTo, sameTime bool) {
	c.Helper()
	if one.claims["sub"] != two.claims["sub"] {
		c.Errorf("sub is %v and then %v", one.claims["sub"], two.claims["sub"])
	}
	if (authTime(one) == authTime(two)) != sameTime || authTime(two) == 0 {
		c.Errorf("auth_time is %v and then %v", authTime(one), authTime(two))
	}
}

// nothingBreaks is a module that only wants the flow to succeed with further parameters.
func nothingBreaks(pairs ...string) func(c *conformance) {
	return func(c *conformance) { c.only(c.flow(c.first, pairs...).claims) }
}

// userinfoBy asks for the claims in another way.
func userinfoBy(method string, body func(token string) string, change func(token string) func(*http.Request)) func(c *conformance) {
	return func(c *conformance) {
		got := c.flow(c.first)
		answer := raw(c.T, method, c.s.URL+userinfoPath, body(got.Access), change(got.Access))
		if answer.status != http.StatusOK || answer.fields["sub"] != got.claims["sub"] {
			c.Errorf("userinfo = %d %s", answer.status, answer.body)
		}
	}
}

func noBody(string) string { return "" }

// supportedOr requires that a parameter works, or is refused as not supported, as the metadata
// says.
func (c *conformance) supportedOr(flag, code string, form url.Values) {
	c.Helper()
	if c.ad[flag] == true {
		page, _ := c.s.Visit(c, c.browser, authorizeURL(c.s, form), bob, bobPass)
		answer := c.answerOf(c.first, page)
		if answer == nil {
			return // shown here: the object cannot be trusted to name the client
		}
		if answer.Get("code") == "" && answer.Get("id_token") == "" && !slices.Contains([]string{"invalid_request_object", "invalid_request_uri", "invalid_request"}, answer.Get("error")) {
			c.Errorf("answer %v", answer)
		}
		return
	}
	c.fails(c.first, form, code)
}

var basicModules = []module{
	{"oidcc-server", func(c *conformance) { c.only(c.flow(c.first).claims) }},
	{"oidcc-response-type-missing", func(c *conformance) {
		c.fails(c.first, c.request(c.first, "response_type", ""), "invalid_request", "unsupported_response_type")
	}},
	{"oidcc-idtoken-signature", func(c *conformance) {
		if got := c.flow(c.first); got.header["alg"] != "RS256" || got.header["kid"] == nil {
			c.Errorf("header %v, want RS256 and a kid", got.header)
		}
	}},
	{"oidcc-idtoken-unsigned", func(c *conformance) {
		if slices.Contains(c.ad.list("id_token_signing_alg_values_supported"), "none") {
			c.Error("none is advertised")
		}
	}},
	{"oidcc-userinfo-get", userinfoBy(http.MethodGet, noBody, bearerOf)},
	{"oidcc-userinfo-post-header", userinfoBy(http.MethodPost, noBody, bearerOf)},
	{"oidcc-userinfo-post-body", userinfoBy(http.MethodPost,
		func(token string) string { return url.Values{"access_token": {token}}.Encode() },
		func(string) func(*http.Request) {
			return func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
		})},
	{"oidcc-ensure-request-without-nonce-succeeds-for-code-flow", nothingBreaks("nonce", "")},
	{"oidcc-scope-profile", func(c *conformance) { c.scopes("profile") }},
	{"oidcc-scope-email", func(c *conformance) { c.scopes("email") }},
	{"oidcc-scope-address", func(c *conformance) { c.scopes("address") }},
	{"oidcc-scope-phone", func(c *conformance) { c.scopes("phone") }},
	{"oidcc-scope-all", func(c *conformance) { c.scopes("profile", "email", "address", "phone") }},
	{"oidcc-alternate-happy-flow", func(c *conformance) { c.scopes("phone", "email") }},
	{"oidcc-display-page", nothingBreaks("display", "page")},
	{"oidcc-display-popup", nothingBreaks("display", "popup")},
	{"oidcc-prompt-login", func(c *conformance) {
		one := c.flow(c.first)
		time.Sleep(time.Until(time.Unix(int64(authTime(one))+1, 0)) + 50*time.Millisecond)
		form := c.request(c.first, "prompt", "login")
		answer, steps := c.authorize(c.first, form)
		if !askedPassword(steps) {
			c.Errorf("steps %v, want a sign-in", steps)
		}
		two := c.exchange(c.first, form, answer)
		c.sameUser(one, two, false)
	}},
	{"oidcc-prompt-none-not-logged-in", func(c *conformance) {
		c.fails(c.first, c.request(c.first, "prompt", "none"), "login_required", "interaction_required")
	}},
	{"oidcc-prompt-none-logged-in", func(c *conformance) {
		one, two, again := c.twice(nil, []string{"prompt", "none"})
		c.sameUser(one, two, true)
		if again {
			c.Error("a password was asked for")
		}
	}},
	{"oidcc-max-age-1", func(c *conformance) {
		one := c.flow(c.first)
		time.Sleep(2100 * time.Millisecond)
		form := c.request(c.first, "max_age", "1")
		answer, steps := c.authorize(c.first, form)
		if !askedPassword(steps) {
			c.Errorf("steps %v, want a sign-in", steps)
		}
		c.sameUser(one, c.exchange(c.first, form, answer), false)
	}},
	{"oidcc-max-age-10000", func(c *conformance) {
		one, two, again := c.twice([]string{"max_age", "15000"}, []string{"max_age", "10000"})
		c.sameUser(one, two, true)
		if again {
			c.Error("a password was asked for")
		}
	}},
	{"oidcc-ensure-request-with-unknown-parameter-succeeds", nothingBreaks("extra", "foobar")},
	{"oidcc-id-token-hint", func(c *conformance) {
		one := c.flow(c.first)
		form := c.request(c.first, "prompt", "none", "id_token_hint", one.ID)
		answer, _ := c.authorize(c.first, form)
		c.sameUser(one, c.exchange(c.first, form, answer), true)
	}},
	{"oidcc-login-hint", nothingBreaks("login_hint", "bob@suite.example")},
	{"oidcc-ui-locales", nothingBreaks("ui_locales", "se")},
	{"oidcc-claims-locales", nothingBreaks("claims_locales", "se", "scope", "openid")},
	{"oidcc-ensure-request-with-acr-values-succeeds", func(c *conformance) {
		values := c.ad.list("acr_values_supported")
		if len(values) == 0 {
			c.Fatal("acr_values_supported is missing")
		}
		got := c.flow(c.first, "acr_values", values[0])
		if got.claims["acr"] != values[0] {
			c.Errorf("warning: acr = %v, want %v", got.claims["acr"], values[0])
		}
		if got := c.flow(c.first, "acr_values", "1 2"); got.claims["acr"] == nil {
			c.Error("warning: no acr where acr_values asked for one that is not known")
		}
	}},
	{"oidcc-codereuse", func(c *conformance) { codeReuse(c, 0) }},
	{"oidcc-codereuse-30seconds", func(c *conformance) { codeReuse(c, 30*time.Second) }},
	{"oidcc-ensure-registered-redirect-uri", func(c *conformance) {
		c.shown(c.request(c.first, "redirect_uri", c.first.redirect+"/"+letters(8)))
	}},
	{"oidcc-ensure-post-request-succeeds", func(c *conformance) {
		form := c.request(c.first)
		page := servertest.Post(c, c.browser, c.s.URL+authorizePath, form)
		if page.Location() == nil {
			c.Fatalf("status %d %s", page.Response.StatusCode, page.Body)
		}
		page, _ = c.s.Visit(c, c.browser, page.Location().String(), bob, bobPass)
		c.exchange(c.first, form, c.answerOf(c.first, page))
	}},
	{"oidcc-server-client-secret-post", func(c *conformance) {
		c.first = register(c.T, c.s, registry.Registration{
			ClientID: "suite-post-" + strings.ToLower(letters(5)), Secret: "another secret of the suite's", Name: "Post", Scopes: []string{"openid"},
			RedirectURIs: []string{c.first.redirect}, AuthMethod: registry.AuthPost,
			Options: registry.Options{Profile: registry.Legacy, LeanIDToken: true},
		})
		c.auth = registry.AuthPost
		c.only(c.flow(c.first).claims)
	}},
	{"oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", func(c *conformance) {
		form := c.request(c.first, "request_uri", "https://suite.example/test/a/request.jwt#"+letters(20))
		c.supportedOr("request_uri_parameter_supported", "request_uri_not_supported", form)
	}},
	{"oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", func(c *conformance) {
		form := c.request(c.first)
		object := unsignedObject(c.T, form)
		form.Set("request", object)
		c.supportedOr("request_parameter_supported", "request_not_supported", form)
	}},
	{"oidcc-claims-essential", func(c *conformance) {
		got := c.flow(c.first, "claims", `{"userinfo":{"name":{"essential":true}}}`)
		if got.userinfo["name"] == nil {
			c.Errorf("warning: userinfo lacks name: %s", text(got.userinfo))
		}
		c.only(got.claims)
	}},
	{"oidcc-ensure-request-object-with-redirect-uri", func(c *conformance) {
		form := c.request(c.first)
		object := unsignedObject(c.T, form)
		form.Set("request", object)
		form.Set("redirect_uri", c.first.redirect+"/"+letters(5))
		page, _ := c.s.Visit(c, c.browser, authorizeURL(c.s, form), bob, bobPass)
		if to := page.Location(); to != nil && !strings.HasPrefix(to.String(), c.first.redirect+"?") &&
			!strings.HasPrefix(to.String(), c.first.redirect+"#") {
			c.Errorf("the browser is sent to %v", to)
		}
	}},
	{"oidcc-refresh-token", refreshTokens},
	{"oidcc-ensure-request-with-valid-pkce-succeeds", func(c *conformance) {
		verifier := oauth2.GenerateVerifier()
		form := c.request(c.first, "code_challenge", oauth2.S256ChallengeFromVerifier(verifier), "code_challenge_method", "S256")
		answer, _ := c.authorize(c.first, form)
		c.post(c.first, c.first.redemption(answer.Get("code"), verifier)).tokens(c.T)
	}},
}

// codeReuse redeems a code again after a while; what it gave must then be dead.
func codeReuse(c *conformance, after time.Duration) {
	got := c.flow(c.first)
	ageCode(c.T, c.s, got.rawTokenRequest.Get("code"), after)
	alive(c.T, c.s, got.Access, true)
	c.post(c.first, got.rawTokenRequest).refused(c.T, http.StatusBadRequest, "invalid_grant")
	alive(c.T, c.s, got.Access, false)
}

// refreshTokens checks that a refresh token works, keeps its user, and is bound to its client.
func refreshTokens(c *conformance) {
	got := c.flow(c.first, "scope", "openid offline_access", "prompt", "consent")
	if got.Refresh == "" {
		c.Fatal("no refresh token")
	}
	fresh := c.post(c.first, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}).tokens(c.T)
	_, claims := c.checkIDToken(c.first, fresh.ID, fresh.Access, "")
	for _, name := range []string{"iss", "sub", "auth_time"} {
		if claims[name] != got.claims[name] {
			c.Errorf("%s is %v after the refresh, and was %v", name, claims[name], got.claims[name])
		}
	}
	if fresh.Refresh == "" || fresh.Access == got.Access {
		c.Error("the refresh did not rotate")
	}
	other := c.flow(c.second, "scope", "openid offline_access", "prompt", "consent")
	c.post(c.first, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {other.Refresh}}).refused(c.T, http.StatusBadRequest, "invalid_grant")
}

// unsignedObject makes a request object that nobody signed.
func unsignedObject(t *testing.T, form url.Values) string {
	t.Helper()
	object := map[string]any{}
	for name := range form {
		object[name] = form.Get(name)
	}
	return b64([]byte(`{"alg":"none"}`)) + "." + b64(encode(t, object)) + "."
}
