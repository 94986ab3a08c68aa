package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
)

// names returns the claims of a user in fields that are not of the protocol.
func names(fields map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range fields {
		switch name {
		case "iss", "aud", "exp", "iat", "auth_time", "nonce", "amr", "acr", "azp", "at_hash", "sid":
		default:
			out[name] = value
		}
	}
	return out
}

func TestClaimsArriveWhereTheyWereAskedFor(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		saysEverything(t, s)
		browser, bobID := servertest.Browser(t), userID(t, s, bob)
		a := register(t, s, registry.Registration{
			ClientID: "asks", Secret: "a secret of its own", Name: "Asks", Scopes: []string{"openid", "profile", "email", "offline_access"},
		})
		// Module claims-essential, and what a client is not registered for.
		const claims = `{"userinfo":{"name":{"essential":true},"phone_number":null,"groups":null},` +
			`"id_token":{"email":{"value":"somebody@else.example"},"auth_time":{"essential":true},"address":null}}`
		verifier := oauth2.GenerateVerifier()
		start := authorizeURL(s, a.request(verifier, "scope", "openid offline_access", "claims", claims))
		page, _ := s.Visit(t, browser, start, bob, bobPass)
		got := a.redeem(t, s, page.Location().Query().Get("code"), verifier)
		check := func(got tokens) {
			t.Helper()
			if diff := cmp.Diff(map[string]any{"sub": bobID, "name": "Bob A. Builder"}, userinfo(t, s, got.Access).fields); diff != "" {
				t.Errorf("userinfo (-want +got):\n%s", diff)
			}
			_, payload := claimsOf(t, got.ID)
			if diff := cmp.Diff(map[string]any{"sub": bobID, "email": bob}, names(payload)); diff != "" {
				t.Errorf("ID token (-want +got):\n%s", diff)
			}
		}
		check(got)
		check(a.refresh(t, s, got.Refresh).tokens(t))
		if got.Scope != "openid offline_access" {
			t.Errorf("scope = %q", got.Scope)
		}
	})
}

func TestThePersonIsToldOfClaims(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	a := register(t, s, registry.Registration{ClientID: "asks", Name: "Asks", Scopes: []string{"openid", "profile", "email"}})
	s.SignIn(t, browser, bob, bobPass)
	start := authorizeURL(s, a.request(oauth2.GenerateVerifier(), "scope", "openid", "claims", `{"userinfo":{"email":null}}`))
	page := servertest.Get(t, browser, start)
	page = servertest.Get(t, browser, s.URL+page.Location().RequestURI())
	if !strings.Contains(page.Body, "See your email address") || strings.Contains(page.Body, "See your name and picture") {
		t.Errorf("the consent page does not say that the address is asked for, and nothing else: %s", page.Body)
	}
	s.Visit(t, browser, start, bob, bobPass)
	again := servertest.Get(t, browser, start)
	if again.Location() == nil || !again.Location().Query().Has("code") {
		t.Errorf("asked again for what was agreed to: %v", again.Location())
	}
	more := servertest.Get(t, browser, authorizeURL(s, a.request(oauth2.GenerateVerifier(), "scope", "openid", "claims", `{"id_token":{"name":null}}`)))
	if more.Location() == nil || more.Location().Path != "/consent" {
		t.Errorf("what was not agreed to is not asked for: %v", more.Location())
	}
	silent := servertest.Get(t, browser, authorizeURL(s, a.request(oauth2.GenerateVerifier(), "scope", "openid", "prompt", "none", "claims", `{"id_token":{"name":null}}`)))
	refusedThere(t, s, silent, a, "consent_required")
}

func TestAClaimsParameterThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	for _, bad := range []string{"x", "[]", `{"userinfo":1}`, `{"a":"` + strings.Repeat("a", 8192) + `"}`} {
		page := servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v", "claims", bad)))
		refusedThere(t, s, page, acmePortal, "invalid_request")
	}
	bobID := userID(t, s, bob)
	carolID := userID(t, s, "carol@acme-corp.com")
	sub := func(id string) *servertest.Page {
		form := acmePortal.request(oauth2.GenerateVerifier(), "prompt", "none", "claims", `{"id_token":{"sub":{"value":"`+id+`"}}}`)
		return servertest.Get(t, browser, authorizeURL(s, form))
	}
	acmePortal.tokens(t, s, browser)
	if page := sub(bobID); page.Location() == nil || !page.Location().Query().Has("code") {
		t.Errorf("bob is asked for by name, and led to %v", page.Location())
	}
	refusedThere(t, s, sub(carolID), acmePortal, "login_required")
}

func TestGroupsAreOrganizationsAndRoles(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		a := register(t, s, registry.Registration{
			ClientID: "groups", Secret: "a secret of its own", Name: "Groups", Scopes: []string{"openid", "groups", "roles"},
		})
		browser := servertest.Browser(t)
		want := []any{"acme-corp", "acme-corp:member"}
		got := a.tokens(t, s, browser, "scope", "openid groups")
		_, id := claimsOf(t, got.ID)
		_, access := claimsOf(t, got.Access)
		for source, fields := range map[string]map[string]any{
			"userinfo": userinfo(t, s, got.Access).fields, "the ID token": id, "the access token": access,
		} {
			if diff := cmp.Diff(want, fields["groups"]); diff != "" || fields["roles"] != nil {
				t.Errorf("%s, roles %v, groups (-want +got):\n%s", source, fields["roles"], diff)
			}
		}
		// RFC 9068, section 2.2.
		if access["aud"] != s.URL || access["auth_time"] == nil || access["client_id"] != a.id || access["email"] != nil {
			t.Errorf("the access token says %v", access)
		}
		if diff := cmp.Diff([]any{"pwd"}, access["amr"]); diff != "" {
			t.Errorf("amr of the access token (-want +got):\n%s", diff)
		}
		_, access = claimsOf(t, a.tokens(t, s, browser, "scope", "openid roles").Access)
		if roles, _ := access["roles"].([]any); len(roles) != 1 || access["groups"] != nil {
			t.Errorf("the access token says %v", access)
		}
	})
}

func TestAPairwiseSubjectIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		browser := servertest.Browser(t)
		pair := func(id, callback string) app {
			return register(t, s, registry.Registration{
				ClientID: id, Secret: "a secret of its own", Name: id, RedirectURIs: []string{callback},
				Options: registry.Options{SubjectType: "pairwise"},
			})
		}
		a, b := pair("pair-a", "https://a.example.com/cb"), pair("pair-b", "https://b.example.com/cb")
		got := a.tokens(t, s, browser)
		_, id := claimsOf(t, got.ID)
		_, access := claimsOf(t, got.Access)
		sub, _ := id["sub"].(string)
		if sub == "" || sub == userID(t, s, bob) {
			t.Fatalf("sub = %q", sub)
		}
		for source, fields := range map[string]map[string]any{
			"access token": access, "userinfo": userinfo(t, s, got.Access).fields,
			"introspection": a.introspect(t, s, got.Access).fields, "introspection of the refresh token": a.introspect(t, s, got.Refresh).fields,
		} {
			if fields["sub"] != sub {
				t.Errorf("sub of %s = %v, want %s", source, fields["sub"], sub)
			}
		}
		if _, other := claimsOf(t, b.tokens(t, s, browser).ID); other["sub"] == sub {
			t.Error("two sectors see one subject")
		}
		silent := func(pairs ...string) *servertest.Page {
			return servertest.Get(t, browser, authorizeURL(s, a.request(oauth2.GenerateVerifier(), append(pairs, "prompt", "none")...)))
		}
		for name, page := range map[string]*servertest.Page{
			"id_token_hint": silent("id_token_hint", got.ID), "claims": silent("claims", `{"id_token":{"sub":{"value":"`+sub+`"}}}`),
		} {
			if page.Location() == nil || !page.Location().Query().Has("code") {
				t.Errorf("%s: led to %v, want a code", name, page.Location())
			}
		}
		refusedThere(t, s, silent("claims", `{"id_token":{"sub":{"value":"`+userID(t, s, bob)+`"}}}`), a, "login_required")
		// The hint of this very session ends it without a question.
		page := servertest.Get(t, browser, s.URL+logoutPath+"?id_token_hint="+got.ID)
		if strings.Contains(page.Body, "<form") || page.Response.StatusCode >= http.StatusBadRequest {
			t.Errorf("logout asks: %d %s", page.Response.StatusCode, page.Body)
		}
		refusedThere(t, s, silent(), a, "login_required")
	})
}

func TestTheMetadataIsTheSameForOAuth(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	want := raw(t, http.MethodGet, s.URL+"/.well-known/openid-configuration", "", nil)
	got := raw(t, http.MethodGet, s.URL+"/.well-known/oauth-authorization-server", "", nil)
	if got.status != http.StatusOK || got.body != want.body || got.fields["issuer"] != s.URL {
		t.Errorf("RFC 8414 metadata: %d %s", got.status, got.body)
	}
}

func TestAnAdministratorSetsAProfile(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		admin := rooted(t, s)
		path := "/api/v1/admin/users/" + userID(t, s, bob)
		admin.call("PATCH", path, object{"locality": "Zürich", "middle_name": "A.", "full_name": "Bob B."}).succeeded(200, "User updated successfully")
		user, err := s.Accounts.Show(t.Context(), audit.Shell(), bob)
		if err != nil || user.Locality != "Zürich" || user.MiddleName != "A." || user.FullName != "Bob B." {
			t.Errorf("user %+v, %v", user, err)
		}
		o := admin.call("PATCH", path, object{"website": "javascript:alert(1)", "locality": "Bern"}).failed(400, "VALIDATION_ERROR", "")
		if diff := cmp.Diff(map[string][]string{"website": {"Not a valid URL."}}, o.Problem.Details); diff != "" {
			t.Errorf("details (-want +got):\n%s", diff)
		}
		admin.call("PATCH", path, object{"locality": nil}).succeeded(200, "User updated successfully")
		if user, err = s.Accounts.Show(t.Context(), audit.Shell(), bob); err != nil || user.Locality != "" || user.MiddleName != "A." {
			t.Errorf("user %+v, %v", user, err)
		}
		logIn(t, s, bob, bobPass).call("PATCH", path, object{"locality": "x"}).failed(403, "AUTHORIZATION_ERROR", "You may not do this.")
	})
}
