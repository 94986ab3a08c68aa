package servertest_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"authy/server/registry"
	"authy/server/servertest"
)

const (
	mailAPI = "https://mail.example.com/api"
	fileAPI = "https://files.example.com"
)

// targets registers a client that may have tokens for two APIs.
func targets(t *testing.T, s *servertest.Server, opaque bool) app {
	t.Helper()
	return register(t, s, registry.Registration{
		ClientID: "targets", Secret: "a secret of its own", Name: "Targets", Scopes: append(strings.Fields(allScopes), "api"),
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"},
		Options:    registry.Options{OpaqueTokens: opaque, Resources: []string{mailAPI, fileAPI}},
	})
}

// audienceOf returns the audience of an access token.
func audienceOf(t *testing.T, s *servertest.Server, a app, token string) any {
	t.Helper()
	return a.introspect(t, s, token).fields["aud"]
}

// withResources returns form with resources.
func withResources(form url.Values, resources ...string) url.Values {
	out := maps.Clone(form)
	out["resource"] = resources
	return out
}

func TestTokensAreForTheResourcesAskedFor(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		a, browser := targets(t, s, false), servertest.Browser(t)
		code := func(resources ...string) (string, string) {
			verifier := oauth2.GenerateVerifier()
			page, _ := s.Visit(t, browser, authorizeURL(s, withResources(a.request(verifier), resources...)), bob, bobPass)
			return page.Location().Query().Get("code"), verifier
		}
		is := func(token string, want any) {
			t.Helper()
			if diff := cmp.Diff(want, audienceOf(t, s, a, token)); diff != "" {
				t.Errorf("aud (-want +got):\n%s", diff)
			}
		}
		c, v := code(mailAPI, fileAPI, mailAPI)
		got := a.redeem(t, s, c, v)
		is(got.Access, []any{mailAPI, fileAPI})
		_, payload := claimsOf(t, got.Access)
		if diff := cmp.Diff([]any{mailAPI, fileAPI}, payload["aud"]); diff != "" {
			t.Errorf("aud of the token (-want +got):\n%s", diff)
		}
		userinfo(t, s, got.Access).refused(t, http.StatusUnauthorized, "invalid_token")

		refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}
		a.post(t, s, tokenPath, withResources(refresh, s.URL)).refused(t, http.StatusBadRequest, "invalid_target")
		next := a.post(t, s, tokenPath, withResources(refresh, fileAPI)).tokens(t)
		is(next.Access, fileAPI)
		refresh.Set("refresh_token", next.Refresh)
		is(a.post(t, s, tokenPath, refresh).tokens(t).Access, []any{mailAPI, fileAPI})

		c, v = code(mailAPI)
		is(a.post(t, s, tokenPath, withResources(a.redemption(c, v), mailAPI)).tokens(t).Access, mailAPI)
		c, v = code(mailAPI)
		a.post(t, s, tokenPath, withResources(a.redemption(c, v), fileAPI)).refused(t, http.StatusBadRequest, "invalid_target")
		c, v = code()
		is(a.post(t, s, tokenPath, withResources(a.redemption(c, v), fileAPI)).tokens(t).Access, fileAPI)
		c, v = code(s.URL, mailAPI)
		alive(t, s, a.redeem(t, s, c, v).Access, true)
	})
}

func TestResourcesThatAreNoneAreRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a, browser := targets(t, s, true), servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	own := url.Values{"grant_type": {"client_credentials"}}
	for _, bad := range []string{"https://evil.example.com", mailAPI + "/", mailAPI + "#x", "files", "", "https://u@files.example.com"} {
		page := servertest.Get(t, browser, authorizeURL(s, withResources(a.request("v"), fileAPI, bad)))
		if bad != "" {
			refusedThere(t, s, page, a, "invalid_target")
			a.post(t, s, tokenPath, withResources(own, bad)).refused(t, http.StatusBadRequest, "invalid_target")
		}
	}
	got := a.post(t, s, tokenPath, withResources(own, mailAPI, fileAPI)).tokens(t)
	if diff := cmp.Diff(any([]any{mailAPI, fileAPI}), audienceOf(t, s, a, got.Access)); diff != "" {
		t.Errorf("aud of a client's own token (-want +got):\n%s", diff)
	}
	a.post(t, s, tokenPath, twice(with(own, "scope", "api"), "scope", "x")).refused(t, http.StatusBadRequest, "invalid_request")
}

func TestAResourceServerAsksAboutTokensThatAreForIt(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		a, browser := targets(t, s, true), servertest.Browser(t)
		server := func(id, secret string, resources ...string) app {
			return register(t, s, registry.Registration{
				ClientID: id, Secret: secret, Name: id, Options: registry.Options{Resources: resources},
			})
		}
		mail, files := server("mail-server", "a secret of its own", mailAPI), server("file-server", "a secret of its own", fileAPI)
		this := server("poses-as-authy", "a secret of its own", s.URL)
		verifier := oauth2.GenerateVerifier()
		page, _ := s.Visit(t, browser, authorizeURL(s, withResources(a.request(verifier), mailAPI)), bob, bobPass)
		got := a.redeem(t, s, page.Location().Query().Get("code"), verifier)
		r := mail.introspect(t, s, got.Access)
		if r.fields["active"] != true || r.fields["client_id"] != a.id || r.fields["sub"] != userID(t, s, bob) || r.fields["aud"] != mailAPI {
			t.Errorf("introspection by its server = %s", r.body)
		}
		for name, r := range map[string]reply{
			"TK-20 another server": files.introspect(t, s, got.Access),
			"a refresh token":      mail.introspect(t, s, got.Refresh),
			"no audience":          this.introspect(t, s, acmePortal.tokens(t, s, browser).Access),
		} {
			if strings.TrimSpace(r.body) != `{"active":false}` {
				t.Errorf("%s: %s", name, r.body)
			}
		}
		// It can ask, and end nothing.
		mail.post(t, s, revokePath, url.Values{"token": {got.Access}})
		if r := a.introspect(t, s, got.Access); r.fields["active"] != true {
			t.Errorf("a resource server ended a token: %s", r.body)
		}
	})
}
