package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

// opaque registers a client whose access tokens are random texts.
func opaque(t *testing.T, s *servertest.Server, id string, change ...func(*registry.Registration)) app {
	t.Helper()
	in := registry.Registration{
		ClientID: id, Secret: "a secret of its own", Name: id, Scopes: append(strings.Fields(allScopes), "api"),
		GrantTypes: []string{"authorization_code", "refresh_token", "client_credentials"}, Options: registry.Options{OpaqueTokens: true},
	}
	for _, c := range change {
		c(&in)
	}
	return register(t, s, in)
}

func TestAnOpaqueAccessTokenWorksAsASignedOneDoes(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		browser, bobID := servertest.Browser(t), userID(t, s, bob)
		a := opaque(t, s, "opaque")
		got := a.tokens(t, s, browser)
		if len(got.Access) != 43 || strings.Contains(got.Access, ".") || got.Expires != 3600 {
			t.Errorf("access token %q for %d s", got.Access, got.Expires)
		}
		if r := userinfo(t, s, got.Access); r.fields["sub"] != bobID || r.fields["email"] != bob {
			t.Errorf("userinfo = %s", r.body)
		}
		r := a.introspect(t, s, got.Access)
		for name, want := range map[string]any{
			"active": true, "sub": bobID, "client_id": a.id, "scope": allScopes, "iss": s.URL, "aud": s.URL,
			"token_type": "Bearer", "username": bob, "jti": nil,
		} {
			if diff := cmp.Diff(want, r.fields[name]); diff != "" {
				t.Errorf("introspection: %s (-want +got):\n%s", name, diff)
			}
		}
		if r.fields["exp"].(float64)-r.fields["iat"].(float64) != 3600 || r.fields["auth_time"] == nil {
			t.Errorf("introspection = %s", r.body)
		}
		for name, bad := range lookalikes(got.Access) {
			userinfo(t, s, bad).refused(t, http.StatusUnauthorized, "invalid_token")
			if r := a.introspect(t, s, bad); strings.TrimSpace(r.body) != `{"active":false}` {
				t.Errorf("TK-47 %s: %s", name, r.body)
			}
		}
		if r := acmePortal.introspect(t, s, got.Access); strings.TrimSpace(r.body) != `{"active":false}` {
			t.Errorf("TK-20 %s", r.body)
		}
		everyEnding(t, s, browser, a, got)
	})
}

// lookalikes returns texts that are like a token and are none.
func lookalikes(token string) map[string]string {
	flipped := []byte(token)
	flipped[7] ^= 1
	return map[string]string{
		"a letter changed": string(flipped), "cut short": token[:42], "longer": token + "A", "padding": token + "=",
		"another case": strings.ToUpper(token), "white space": token[:20] + " " + token[21:], "its hash": storage.Hash(token),
	}
}

// everyEnding ends tokens of a client in every way there is.
func everyEnding(t *testing.T, s *servertest.Server, browser *http.Client, a app, got tokens) {
	t.Helper()
	revoke := func(by app, token string) {
		t.Helper()
		if r := by.post(t, s, revokePath, url.Values{"token": {token}, "token_type_hint": {"what"}}); r.status != http.StatusOK {
			t.Errorf("revocation = %d %s", r.status, r.body)
		}
	}
	revoke(acmePortal, got.Access) // TK-23
	alive(t, s, got.Access, true)
	next := a.refresh(t, s, got.Refresh).tokens(t)
	alive(t, s, got.Access, true)
	revoke(a, got.Access)
	revoke(a, got.Access)
	alive(t, s, got.Access, false)
	alive(t, s, next.Access, true)
	revoke(a, next.Refresh) // TK-25
	alive(t, s, next.Access, false)

	code, verifier := a.code(t, s, browser)
	got = a.redeem(t, s, code, verifier)
	alive(t, s, got.Access, true)
	a.post(t, s, tokenPath, a.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
	alive(t, s, got.Access, false) // CO-01

	got = a.tokens(t, s, browser)
	if err := s.Accounts.Suspend(t.Context(), audit.Shell(), userID(t, s, bob)); err != nil {
		t.Fatal(err)
	}
	alive(t, s, got.Access, false)
	if err := s.Accounts.Activate(t.Context(), audit.Shell(), userID(t, s, bob)); err != nil {
		t.Fatal(err)
	}
	alive(t, s, got.Access, false)
}

func TestAClientsOwnOpaqueTokenEndsWithTheClient(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		a := opaque(t, s, "machine")
		form := url.Values{"grant_type": {"client_credentials"}}
		got := a.post(t, s, tokenPath, form).tokens(t)
		userinfo(t, s, got.Access).refused(t, http.StatusForbidden, "insufficient_scope")
		r := a.introspect(t, s, got.Access)
		if len(got.Access) != 43 || r.fields["active"] != true || r.fields["sub"] != a.id || r.fields["scope"] != "api" {
			t.Errorf("introspection = %s", r.body)
		}
		if err := s.Clients.Delete(t.Context(), audit.Shell(), "", a.id); err != nil {
			t.Fatal(err)
		}
		a = opaque(t, s, "machine") // another of the same name
		if r := a.introspect(t, s, got.Access); strings.TrimSpace(r.body) != `{"active":false}` {
			t.Errorf("introspection of a deleted client's token = %s", r.body)
		}
	})
}

func TestAnOpaqueTokenEndsWhenItSaysAndIsKeptNowhere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := opaque(t, s, "brief", func(in *registry.Registration) { in.AccessTokenLifetime = 2 * time.Second })
	got := a.tokens(t, s, servertest.Browser(t))
	alive(t, s, got.Access, true)
	var rows strings.Builder
	for _, table := range storagetest.Dump(t, s.Config.DatabaseURL()) {
		rows.WriteString(strings.Join(table, "\n"))
	}
	if text := rows.String(); !strings.Contains(text, storage.Hash(got.Access)) || strings.Contains(text, got.Access) {
		t.Error("the database has the token in plain, or not its hash")
	}
	time.Sleep(2100 * time.Millisecond)
	alive(t, s, got.Access, false)
	if r := a.introspect(t, s, got.Access); strings.TrimSpace(r.body) != `{"active":false}` {
		t.Errorf("introspection = %s", r.body)
	}
}
