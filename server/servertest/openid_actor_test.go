package servertest_test

import (
	"net/http"
	"net/url"
	"testing"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
)

// delegate registers a client whose tokens are of a kind, and that may act for the users of
// acmePortal.
func delegate(t *testing.T, s *servertest.Server, id string, opaque bool) app {
	t.Helper()
	return register(t, s, registry.Registration{
		ClientID: id, Secret: "a secret of its own", Name: "Delegate", Scopes: []string{"openid", "email", "offline_access", "api:read"},
		GrantTypes: []string{exchangeGrant, "client_credentials", "authorization_code", "refresh_token"},
		Options: registry.Options{
			Exchange: []string{registry.Delegation, registry.Impersonation}, ExchangeFor: []string{acmePortal.id}, OpaqueTokens: opaque,
		},
	})
}

// act exchanges a token in the name of an actor.
func (a app) act(t *testing.T, s *servertest.Server, subject, actor string) reply {
	t.Helper()
	return a.exchange(t, s, subject, "actor_token", actor, "actor_token_type", accessTokenType)
}

func TestADelegatedTokenEndsWithItsActor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	shell, ctx := audit.Shell(), t.Context()
	for kind, opaque := range map[string]bool{"JWT": false, "opaque": true} {
		a := delegate(t, s, "delegate-"+kind, opaque)
		for name, end := range map[string]func(got tokens, userID string){
			"the actor token is revoked": func(got tokens, _ string) { a.post(t, s, revokePath, url.Values{"token": {got.Access}}) },
			"its grant is revoked":       func(got tokens, _ string) { a.post(t, s, revokePath, url.Values{"token": {got.Refresh}}) },
			"the actor is suspended": func(_ tokens, userID string) {
				if err := s.Accounts.Suspend(ctx, shell, userID); err != nil {
					t.Fatal(err)
				}
			},
		} {
			clerk, err := s.Accounts.Create(ctx, shell, account.NewUser{
				Email: letters(10) + "@example.com", Password: passphrase, EmailVerified: true,
			})
			if err != nil {
				t.Fatal(err)
			}
			at := newAttempt()
			page, _ := s.Visit(t, servertest.Browser(t), authorizeURL(s, a.request(at.verifier, "scope", "openid email offline_access")), clerk.Email, passphrase)
			actor := a.redeem(t, s, page.Location().Query().Get("code"), at.verifier)
			subject := acmePortal.tokens(t, s, servertest.Browser(t))
			got := a.act(t, s, subject.Access, actor.Access).tokens(t)
			later := a.exchange(t, s, got.Access).tokens(t)
			alive(t, s, later.Access, true)
			end(actor, clerk.ID)
			for _, token := range []string{got.Access, later.Access} {
				if r := userinfo(t, s, token); r.status != http.StatusUnauthorized {
					t.Errorf("%s: after %s userinfo is %d, want 401", kind, name, r.status)
				}
			}
			alive(t, s, subject.Access, true)
			a.act(t, s, subject.Access, actor.Access).refused(t, http.StatusBadRequest, "invalid_request")
		}
		own := func() string {
			return a.post(t, s, tokenPath, url.Values{"grant_type": {"client_credentials"}}).tokens(t).Access
		}
		subject, mine := acmePortal.tokens(t, s, servertest.Browser(t)).Access, own()
		got := a.act(t, s, subject, mine).tokens(t).Access
		kept := a.act(t, s, subject, own()).tokens(t).Access
		a.post(t, s, revokePath, url.Values{"token": {mine}})
		alive(t, s, got, false)
		alive(t, s, kept, true)
	}
}

func TestAnExchangedTokenEndsWithTheOpaqueTokenItWasExchangedFor(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := delegate(t, s, "delegate", true)
	subject := a.tokens(t, s, servertest.Browser(t), "scope", "openid email")
	got := a.exchange(t, s, subject.Access).tokens(t).Access
	alive(t, s, got, true)
	a.post(t, s, revokePath, url.Values{"token": {subject.Access}})
	alive(t, s, got, false)
}

// What a token is made of is looked at each time it is used: there is an end to that.
func TestActorsThatWereExchangedCountAmongTheExchanges(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := delegate(t, s, "delegate", false)
	subject := acmePortal.tokens(t, s, servertest.Browser(t)).Access
	token := a.exchange(t, s, subject).tokens(t).Access // made of 1
	for range 2 {
		token = a.act(t, s, token, token).tokens(t).Access // 3 and 7
	}
	a.act(t, s, token, token).refused(t, http.StatusBadRequest, "invalid_request") // would be 15
	last := a.act(t, s, subject, token).tokens(t).Access                           // 8
	alive(t, s, last, true)
	a.exchange(t, s, last).refused(t, http.StatusBadRequest, "invalid_request")
	a.act(t, s, subject, last).refused(t, http.StatusBadRequest, "invalid_request")
}
