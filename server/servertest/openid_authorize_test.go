package servertest_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"authy/server/registry"
	"authy/server/servertest"
)

// Z-07, Z-09, Z-21: each answer has iss, unknown response modes are refused, and empty scopes are
// left out.
func TestAFaultyAuthorizationRequestGoesBackToItsClient(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	var visits atomic.Int32
	listener := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	t.Cleanup(listener.Close)
	const none = "eyJhbGciOiJub25lIn0.eyJyZWRpcmVjdF91cmkiOiJodHRwczovL2V2aWwuZXhhbXBsZS8ifQ."
	honest, mobile := acmePortal.request("v"), acmeMobile.request("v")
	type row struct {
		name string
		app  app
		form url.Values
		code string
	}
	rows := []row{
		{"AZ-20 jwt", acmePortal, with(honest, "response_mode", "jwt"), "invalid_request"},
		{"AZ-20 web_message", acmePortal, with(honest, "response_mode", "web_message"), "invalid_request"},
		{"AZ-20 query.jwt", acmePortal, with(honest, "response_mode", "query.jwt"), "invalid_request"},
		{"AZ-20 garbage", acmePortal, with(honest, "response_mode", "><script>"), "invalid_request"},
		{"AZ-21 a request object", acmePortal, with(honest, "request", none), "invalid_request_object"},
		{"AZ-21 an empty request object", acmePortal, with(honest, "request", ""), "invalid_request_object"},
		{"AZ-21 request_uri", acmePortal, with(honest, "request_uri", listener.URL+"/r"), "invalid_request_uri"},
		{"AZ-21 registration", acmePortal, with(honest, "registration", "{}"), "registration_not_supported"},
		{"AZ-30 a scope of others alone", acmePortal, with(honest, "scope", "api:write roles"), "invalid_scope"},
		{"AZ-32 no scope", acmePortal, without(honest, "scope"), "invalid_scope"},
		{"AZ-32 an empty scope", acmePortal, with(honest, "scope", ""), "invalid_scope"},
		{"AZ-32 spaces", acmePortal, with(honest, "scope", "   "), "invalid_scope"},
		{"AZ-32 a NUL", acmePortal, with(honest, "scope", "openid\x00email"), "invalid_request"},
		{"AZ-32 other letters", acmePortal, with(honest, "scope", "öpenid ſ"), "invalid_scope"},
		{"AZ-32 10,000 scopes", acmePortal, with(honest, "scope", strings.Repeat("a ", 10_000)), "invalid_request"},
		{"AZ-32 70 scopes", acmePortal, with(honest, "scope", strings.Repeat("a ", 70)+"openid"), "invalid_scope"},
		{"CO-07 no PKCE, public", acmeMobile, without(mobile, "code_challenge", "code_challenge_method"), "invalid_request"},
		{"CO-07 no PKCE, confidential", acmePortal, without(honest, "code_challenge", "code_challenge_method"), "invalid_request"},
		{"CO-07 an empty challenge", acmePortal, with(honest, "code_challenge", ""), "invalid_request"},
		{"CO-08 plain", acmePortal, with(honest, "code_challenge_method", "plain"), "invalid_request"},
		{"CO-08 no method", acmePortal, without(honest, "code_challenge_method"), "invalid_request"},
		{"CO-08 s256 in small letters", acmePortal, with(honest, "code_challenge_method", "s256"), "invalid_request"},
		{"CO-08 plain where PKCE is optional", dataAPI, dataAPI.request("v", "code_challenge_method", "plain"), "invalid_request"},
		{"CO-08 a method and no challenge", dataAPI, without(dataAPI.request("v"), "code_challenge"), "invalid_request"},
		{"CO-08 a challenge of 42", acmePortal, with(honest, "code_challenge", letters(42)), "invalid_request"},
		{"CO-08 a challenge of 44", acmePortal, with(honest, "code_challenge", letters(44)), "invalid_request"},
		{"CO-08 a challenge with padding", acmePortal, with(honest, "code_challenge", letters(42)+"="), "invalid_request"},
		{"an unknown prompt", acmePortal, with(honest, "prompt", "invent"), "invalid_request"},
		{"create with login", acmePortal, with(honest, "prompt", "create login"), "invalid_request"},
		{"create with select_account", acmePortal, with(honest, "prompt", "select_account create"), "invalid_request"},
		{"none with create", acmePortal, with(honest, "prompt", "create none"), "invalid_request"},
		{"an acr of no kind", acmePortal, with(honest, "claims", `{"id_token":{"acr":{"essential":true,"values":"phr"}}}`), "invalid_request"},
		{"a max_age with a sign", acmePortal, with(honest, "max_age", "+1"), "invalid_request"},
		{"none with another prompt", acmePortal, with(honest, "prompt", "none login"), "invalid_request"},
		{"a negative max_age", acmePortal, with(honest, "max_age", "-1"), "invalid_request"},
		{"a max_age of letters", acmePortal, with(honest, "max_age", "1e3"), "invalid_request"},
		{"no response_type", acmePortal, without(honest, "response_type"), "invalid_request"},
		{"AZ-22 prompt none and nobody there", acmePortal, with(honest, "prompt", "none"), "login_required"},
	}
	for _, kind := range []string{"none", "CODE", "code "} {
		rows = append(rows, row{"AZ-19 response_type " + kind, acmePortal, with(honest, "response_type", kind), "unsupported_response_type"})
	}
	for _, name := range []string{
		"response_type", "response_mode", "scope", "nonce", "code_challenge", "code_challenge_method", "prompt",
		"max_age", "login_hint", "id_token_hint", "request", "request_uri", "display", "ui_locales", "acr_values", "claims",
	} {
		rows = append(rows, row{"AZ-17 " + name + " twice", acmePortal, twice(twice(without(honest, name), name, "a"), name, "b"), "invalid_request"})
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			refusedThere(t, s, servertest.Get(t, servertest.Browser(t), authorizeURL(s, r.form)), r.app, r.code)
		})
	}
	for _, kind := range []string{"token", "id_token", "id_token token", "code token", "code id_token", "code id_token token"} {
		t.Run("AZ-19 response_type "+kind, func(t *testing.T) {
			t.Parallel()
			page := servertest.Get(t, servertest.Browser(t), authorizeURL(s, with(honest, "response_type", kind, "nonce", "n")))
			refusedInFragment(t, s, page, acmePortal, "unsupported_response_type")
		})
	}
	t.Run("AZ-17 state twice", func(t *testing.T) {
		t.Parallel()
		page := servertest.Get(t, servertest.Browser(t), authorizeURL(s, twice(honest, "state", "other")))
		q := page.Location().Query()
		if q.Get("error") != "invalid_request" || q.Has("state") || q.Get("iss") != s.URL {
			t.Errorf("answer %v, want invalid_request without a state", q)
		}
	})
	t.Run("the honest form", func(t *testing.T) {
		t.Parallel()
		acmePortal.tokens(t, s, servertest.Browser(t), "response_mode", "query", "unknown_parameter", "x", "scope", " openid  openid email ")
		if visits.Load() != 0 {
			t.Errorf("the listener was visited %d times", visits.Load())
		}
	})
}

func TestAQueryThatCannotBeReadIsRefusedHere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	honest := authorizeURL(s, acmePortal.request("v"))
	for _, tail := range []string{"&x=%zz", "&a;b", "&%"} {
		page := servertest.Get(t, servertest.Browser(t), honest+tail)
		if page.Response.StatusCode != http.StatusBadRequest || page.Location() != nil {
			t.Errorf("%q: status %d, to %v, want 400 here", tail, page.Response.StatusCode, page.Location())
		}
	}
}

func TestTheStateComesBackAsItWasSent(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, state := range []string{`"><script>alert(1)</script>`, "a&code=x#y z", "ü+%2B", letters(2000)} {
		form := acmePortal.request("v", "state", state, "prompt", "none")
		page := servertest.Get(t, servertest.Browser(t), authorizeURL(s, form))
		if q := page.Location().Query(); q.Get("state") != state || q.Has("code") || len(q["state"]) != 1 {
			t.Errorf("state %q came back in %v", state, q)
		}
	}
	page := servertest.Get(t, servertest.Browser(t), authorizeURL(s, without(acmePortal.request("v", "prompt", "none"), "state")))
	if page.Location().Query().Has("state") {
		t.Error("a state came back that was not sent")
	}
}

func TestPromptsAreHonoured(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	visit := func(pairs ...string) (*servertest.Page, string) {
		page, steps := s.Visit(t, browser, authorizeURL(s, acmePortal.request("v", pairs...)), bob, bobPass)
		return page, strings.Join(steps, " ")
	}
	s.SignIn(t, browser, bob, bobPass)
	page, _ := visit("prompt", "none")
	refusedThere(t, s, page, acmePortal, "consent_required", "interaction_required")

	for _, c := range []struct{ name, prompt, steps string }{
		{"the first visit", "", "consent"},
		{"the second visit", "", ""},
		{"AZ-22 none, all known", "none", ""},
		{"login", "login", "sign-in"},
		{"select_account", "select_account", "choose"},
		{"select_account login", "select_account login", "choose sign-in"},
		{"select_account consent", "consent select_account", "choose consent"},
		{"create, by who has an account", "create", "sign-up sign-in"},
		{"consent", "consent", "consent"},
		{"login consent", "login consent", "sign-in consent"},
	} {
		page, steps := visit("prompt", c.prompt)
		if steps != c.steps || page.Location() == nil || !page.Location().Query().Has("code") {
			t.Errorf("%s: asked for %q, led to %v, want %q and a code", c.name, steps, page.Location(), c.steps)
		}
	}
	if _, steps := visit("scope", "openid"); steps != "" {
		t.Errorf("fewer scopes asked for %q", steps)
	}
}

func TestAnIDTokenTellsWhenItsUserProvedWhoTheyAre(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	authTime := func(pairs ...string) (float64, bool) {
		verifier := oauth2.GenerateVerifier()
		page, steps := s.Visit(t, browser, authorizeURL(s, acmePortal.request(verifier, pairs...)), bob, bobPass)
		got := acmePortal.redeem(t, s, page.Location().Query().Get("code"), verifier)
		_, claims := claimsOf(t, got.ID)
		at, _ := claims["auth_time"].(float64)
		return at, len(steps) > 0
	}
	first, _ := authTime()
	time.Sleep(2100 * time.Millisecond)
	if at, asked := authTime("max_age", "10000"); asked || at != first {
		t.Errorf("AZ-24 max_age=10000: asked %v, auth_time %v, want none and %v", asked, at, first)
	}
	if at, asked := authTime("max_age", "1"); !asked || at < first+2 {
		t.Errorf("AZ-24 max_age=1: asked %v, auth_time %v, want the password again and a time after %v", asked, at, first)
	}
	if _, asked := authTime("max_age", "0"); !asked {
		t.Error("AZ-24 max_age=0: nobody was asked")
	}
	page := servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v", "max_age", "0", "prompt", "none")))
	refusedThere(t, s, page, acmePortal, "login_required")
}

// Z-17: whose hint it is, and of which type, is looked at.
func TestAnIDTokenHintIsAHintAndNoProof(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	bobs := servertest.Browser(t)
	hint := acmePortal.tokens(t, s, bobs).ID
	carol := "carol@acme-corp.com"
	carols := servertest.Browser(t)
	verifier := oauth2.GenerateVerifier()
	page, _ := s.Visit(t, carols, authorizeURL(s, acmePortal.request(verifier)), carol, bobPass)
	carolsHint := acmePortal.redeem(t, s, page.Location().Query().Get("code"), verifier).ID
	try := func(browser *http.Client, hint string, pairs ...string) *servertest.Page {
		return servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v", append(pairs, "id_token_hint", hint)...)))
	}

	t.Run("AZ-28 nobody there, prompt none", func(t *testing.T) {
		refusedThere(t, s, try(servertest.Browser(t), hint, "prompt", "none"), acmePortal, "login_required")
	})
	t.Run("AZ-28 nobody there", func(t *testing.T) {
		if page := try(servertest.Browser(t), hint); page.Location() == nil || page.Location().Path != "/sign-in" {
			t.Errorf("led to %v, want the sign-in page", page.Location())
		}
	})
	t.Run("AZ-29 somebody else, prompt none", func(t *testing.T) {
		refusedThere(t, s, try(bobs, carolsHint, "prompt", "none"), acmePortal, "login_required")
	})
	t.Run("AZ-29 somebody else", func(t *testing.T) {
		if page := try(bobs, carolsHint); page.Location() == nil || page.Location().Path != "/sign-in" {
			t.Errorf("led to %v, want the sign-in page", page.Location())
		}
		page, steps := s.Visit(t, servertest.Browser(t),
			authorizeURL(s, acmePortal.request("v", "id_token_hint", carolsHint)), bob, bobPass)
		if len(steps) == 0 {
			t.Error("nobody was asked")
		}
		refusedThere(t, s, page, acmePortal, "login_required")
	})
	t.Run("AZ-29 another client's", func(t *testing.T) {
		foreign := dashboard.tokens(t, s, bobs).ID
		refusedThere(t, s, try(bobs, foreign, "prompt", "none"), acmePortal, "invalid_request", "login_required")
	})
	for name, bad := range forgeries(t, s, hint) {
		t.Run("AZ-29 "+name, func(t *testing.T) {
			refusedThere(t, s, try(bobs, bad, "prompt", "none"), acmePortal, "invalid_request")
		})
	}
	t.Run("the honest hint", func(t *testing.T) {
		if page := try(bobs, hint, "prompt", "none"); page.Location() == nil || !page.Location().Query().Has("code") {
			t.Errorf("led to %v, want a code", page.Location())
		}
	})
}

// Z-11: the standard scopes are looked at as any other.
func TestAClientGetsNoScopeThatItIsNotRegisteredFor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	got := acmePortal.tokens(t, s, browser, "scope", "openid api:write roles address")
	if got.Scope != "openid" || got.Refresh != "" {
		t.Errorf("AZ-30 scope = %q, refresh token %q, want openid alone", got.Scope, got.Refresh)
	}
	got = dataAPI.tokens(t, s, browser, "scope", "openid offline_access")
	if got.Scope != "openid" || got.Refresh != "" {
		t.Errorf("AZ-30 scope = %q, refresh token %q, want openid alone", got.Scope, got.Refresh)
	}
	online := register(t, s, registry.Registration{
		ClientID: "online", Secret: "a secret of its own", Name: "Online", GrantTypes: []string{"authorization_code"},
	})
	if got := online.tokens(t, s, browser); got.Refresh != "" {
		t.Error("AZ-30 a refresh token for a client without that grant")
	}
	machine := register(t, s, registry.Registration{
		ClientID: "machine", Secret: "a secret of its own", Name: "Machine", GrantTypes: []string{"client_credentials"},
	})
	refusedThere(t, s, servertest.Get(t, browser, authorizeURL(s, machine.request("v"))), machine, "unauthorized_client")
}
