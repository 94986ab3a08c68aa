package servertest_test

import (
	"net/http"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

// Z-16: rotation, reuse and family, of which the library has nothing.
func TestARefreshTokenThatIsReusedEndsItsFamily(t *testing.T) {
	t.Parallel()
	const grace = 300 * time.Millisecond
	for _, engine := range storagetest.Engines {
		t.Run("TK-04 "+engine, func(t *testing.T) {
			t.Parallel()
			s := servertest.Start(t, servertest.Options{
				DatabaseURL: storagetest.Migrated(t, engine),
				Configure:   func(c *config.Config) { c.OpenID.RefreshGrace.Duration = grace },
			})
			for _, a := range []app{acmePortal, acmeMobile} {
				browser := servertest.Browser(t)
				other := a.tokens(t, s, browser)
				first := a.tokens(t, s, browser)
				second := a.refresh(t, s, first.Refresh).tokens(t)
				third := a.refresh(t, s, second.Refresh).tokens(t)
				if first.Refresh == second.Refresh || second.Refresh == third.Refresh {
					t.Error("the refresh token did not rotate")
				}
				time.Sleep(grace + 50*time.Millisecond)
				a.refresh(t, s, first.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
				a.refresh(t, s, third.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
				for _, token := range []string{first.Access, second.Access, third.Access} {
					alive(t, s, token, false)
				}
				alive(t, s, other.Access, true)
			}
			if !recorded(t, s, "token.refresh_reuse", "") {
				t.Error("the reuse is not in the audit log")
			}
		})
	}
}

func TestTwoHonestTabsRefreshAtOnce(t *testing.T) {
	t.Parallel()
	onNodes(t, func(t *testing.T, s *servertest.Server, next func() *servertest.Server) {
		got := acmePortal.tokens(t, s, servertest.Browser(t))
		for round := range roundsOf(t, 100) {
			token := got.Refresh
			replies := atOnce(2, func() reply { return acmePortal.refresh(t, next(), token) })
			got = replies[0].tokens(t)
			if again := replies[1].tokens(t); again.Refresh != got.Refresh {
				t.Fatalf("TK-05 round %d: two successors of one token", round)
			}
			if round%10 == 0 { // and once more, as if the answer was lost
				if again := acmePortal.refresh(t, next(), token).tokens(t); again.Refresh != got.Refresh {
					t.Fatalf("TK-05 round %d: the repeated answer has another successor", round)
				}
			}
		}
		alive(t, s, got.Access, true)
	})
}

func TestARefreshTokenIsGoodForItsOwnClientAndScope(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	got := acmePortal.tokens(t, s, servertest.Browser(t), "scope", "openid offline_access")
	dashboard.refresh(t, s, got.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
	acmeMobile.refresh(t, s, got.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
	if !recorded(t, s, "token.refreshed", "token_of_another_client") {
		t.Error("TK-07 the attempt is not in the audit log")
	}
	for _, scope := range []string{"openid email profile roles", "email", "openid api:write"} {
		acmePortal.refresh(t, s, got.Refresh, "scope", scope).refused(t, http.StatusBadRequest, "invalid_scope")
	}
	narrow := acmePortal.refresh(t, s, got.Refresh, "scope", "openid").tokens(t)
	if narrow.Scope != "openid" {
		t.Errorf("TK-08 scope = %q, want openid", narrow.Scope)
	}
	// RFC 6749, section 3.1: a parameter without a value is one that was not sent.
	for _, scope := range []string{"", " openid  offline_access "} {
		wide := acmePortal.refresh(t, s, narrow.Refresh, "scope", scope).tokens(t)
		if wide.Scope != "openid offline_access" {
			t.Errorf("scope %q gives %q, want all that was granted", scope, wide.Scope)
		}
		narrow = wide
	}
	// TK-47: nothing but the token is the token.
	for _, bad := range []string{narrow.Refresh + "A", narrow.Refresh[1:], narrow.Access, narrow.ID, letters(43), "x"} {
		acmePortal.refresh(t, s, bad).refused(t, http.StatusBadRequest, "invalid_grant")
	}
	_, before := claimsOf(t, got.ID)
	_, after := claimsOf(t, narrow.ID)
	for _, name := range []string{"sub", "aud", "iss", "auth_time", "sid", "azp"} {
		if a, b := encode(t, before[name]), encode(t, after[name]); string(a) != string(b) {
			t.Errorf("refreshed ID token: %s = %s, want %s", name, b, a)
		}
	}
}

// TK-10: a family ends, however active it is.
func TestRefreshTokensHaveAnEndHoweverBusy(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.OpenID.MaxGrantLifetime.Duration = 2500 * time.Millisecond
	}})
	browser := servertest.Browser(t)
	idle := register(t, s, registry.Registration{
		ClientID: "idle", Secret: "a secret of its own", Name: "Idle", RefreshTokenLifetime: time.Second,
	})
	unused := idle.tokens(t, s, browser)
	got, began := acmePortal.tokens(t, s, browser), time.Now()
	for time.Since(began) < 1500*time.Millisecond {
		got = acmePortal.refresh(t, s, got.Refresh).tokens(t)
		time.Sleep(300 * time.Millisecond)
	}
	idle.refresh(t, s, unused.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
	time.Sleep(time.Until(began.Add(2600 * time.Millisecond)))
	acmePortal.refresh(t, s, got.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
	alive(t, s, got.Access, false)
}

func TestTokensEndWhenTheirUserDoes(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine)})
			id, by := userID(t, s, bob), audit.Shell()
			// Deletion comes last: it cannot be taken back.
			for _, c := range []struct {
				name string
				do   func() error
			}{
				{"TK-11 suspended", func() error { return s.Accounts.Suspend(t.Context(), by, id) }},
				{"TK-11 signed out everywhere", func() error { return s.Accounts.SignOut(t.Context(), by, id) }},
				{"TK-11 password changed", func() error { return s.Accounts.SetPassword(t.Context(), by, id, "another long secret") }},
				{"TK-32 deleted", func() error { return s.Accounts.Delete(t.Context(), by, id) }},
			} {
				t.Run(c.name, func(t *testing.T) {
					browser := servertest.Browser(t)
					code, verifier := acmePortal.code(t, s, browser)
					offline := acmePortal.tokens(t, s, browser)
					online := dashboard.tokens(t, s, browser, "scope", "openid")
					others := othersTokens(t, s)
					alive(t, s, offline.Access, true) // so that it is in every cache
					if err := c.do(); err != nil {
						t.Fatal(err)
					}
					alive(t, s, offline.Access, false)
					alive(t, s, online.Access, false)
					if r := acmePortal.introspect(t, s, offline.Access); r.fields["active"] != false {
						t.Errorf("introspection = %s", r.body)
					}
					acmePortal.refresh(t, s, offline.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
					acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
					if page := servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v"))); gotCode(page) {
						t.Error("the browser still gets a code")
					}
					alive(t, s, others.Access, true)
					if err := s.Accounts.Activate(t.Context(), by, id); err == nil {
						alive(t, s, offline.Access, false) // they do not come back
						_ = s.Accounts.SetPassword(t.Context(), by, id, "UserPass123!x")
					}
				})
				restore(t, s, id)
			}
		})
	}
}

// restore gives bob his password back, if he still exists.
func restore(t *testing.T, s *servertest.Server, id string) {
	t.Helper()
	if _, err := s.Accounts.Find(t.Context(), id); err == nil {
		if err := s.Accounts.SetPassword(t.Context(), audit.Shell(), id, bobPass); err != nil {
			t.Fatal(err)
		}
	}
}

// othersTokens lets carol sign in to the portal.
func othersTokens(t *testing.T, s *servertest.Server) tokens {
	t.Helper()
	verifier := letters(43)
	page, _ := s.Visit(t, servertest.Browser(t), authorizeURL(s, acmePortal.request(verifier)), "carol@acme-corp.com", bobPass)
	return acmePortal.redeem(t, s, page.Location().Query().Get("code"), verifier)
}

func TestTheEndOfASessionEndsWhatWasNotToOutliveIt(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	online := acmePortal.tokens(t, s, browser, "scope", "openid")
	offline := dashboard.tokens(t, s, browser)
	code, verifier := acmePortal.code(t, s, browser, "scope", "openid")
	alive(t, s, online.Access, true)

	servertest.Post(t, browser, s.URL+"/sign-out", nil)
	alive(t, s, online.Access, false)
	acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
	// Offline access is what survives it (OpenID Connect Back-Channel Logout 1.0, section 2.7).
	dashboard.refresh(t, s, offline.Refresh).tokens(t)
}
