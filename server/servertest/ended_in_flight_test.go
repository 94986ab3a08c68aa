package servertest_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/servertest"
	"authy/server/session"
	"authy/server/token"
	"authy/storage"
)

// Who was let in when the request came, and has been signed out or lowered since, changes
// nothing any more.
func TestARequestInFlightEndsWithItsSession(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		shell := audit.Shell()
		enter := func(p caller) (context.Context, audit.Actor) {
			t.Helper()
			ctx := storage.Watch(t.Context())
			identify := s.Tokens.Authenticate
			if !token.Is(p.token) {
				identify = func(ctx context.Context, text string) (*session.Identity, error) {
					return s.Sessions.Authenticate(ctx, session.API, text)
				}
			}
			id, err := identify(ctx, p.token)
			if err != nil {
				t.Fatal(err)
			}
			return ctx, id.Actor(audit.Actor{Kind: audit.Anonymous})
		}
		p := logIn(t, s, bob, bobPass)
		byToken, _ := p.makeToken(tokensPath, token.OrganizationsWrite)
		inSession, bySession := enter(p)
		inToken, _ := enter(byToken)
		if err := s.Accounts.SignOut(t.Context(), shell, bySession.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.DB.Update(inSession, func(*storage.Tx) error { return nil }); !errors.Is(err, session.ErrInvalid) {
			t.Errorf("a change by a session that has ended: %v", err)
		}
		if err := s.DB.Update(inToken, func(*storage.Tx) error { return nil }); !errors.Is(err, token.ErrInvalid) {
			t.Errorf("a change by a token that has ended: %v", err)
		}
		_, _, err := s.Tokens.Make(t.Context(), bySession, token.Owner{UserID: bySession.ID}, token.NewToken{
			Name: "late", Scopes: []string{token.ProfileRead}, Days: 1,
		})
		if !errors.Is(err, session.ErrInvalid) {
			t.Errorf("a token by a session that has ended: %v", err)
		}

		inRoot, byRoot := enter(rooted(t, s))
		makeAdmin(t, s, bob)
		no := false
		if _, err := s.Accounts.Correct(t.Context(), shell, byRoot.ID, account.Correction{Admin: &no}); err != nil {
			t.Fatal(err)
		}
		_, err = s.Accounts.Create(inRoot, byRoot, account.NewUser{Email: "late@example.com", Password: "words of their own", Admin: true})
		if !errors.Is(err, session.ErrLowered) && !errors.Is(err, account.ErrForbidden) {
			t.Errorf("an administrator by who is none any more: %v", err)
		}
	})
}

// Sign-ins for applications and tokens that meet the end of all that is somebody's do not
// outlive it.
func TestNothingIsHandedOutBesideTheEndOfEverything(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		bobID := userID(t, s, bob)
		for range roundsOf(t, 4) {
			browser, p := servertest.Browser(t), logIn(t, s, bob, bobPass)
			acmePortal.code(t, s, browser) // he has agreed now
			ctx, stop := context.WithCancel(t.Context())
			var mu sync.Mutex
			codes, minted := map[string]string{}, []string{}
			var running sync.WaitGroup
			for range 3 {
				running.Go(func() {
					for ctx.Err() == nil {
						verifier := oauth2.GenerateVerifier()
						to := servertest.Get(t, browser, authorizeURL(s, acmePortal.request(verifier))).Location()
						mu.Lock()
						if to != nil && to.Query().Get("code") != "" {
							codes[to.Query().Get("code")] = verifier
						}
						mu.Unlock()
					}
				})
				running.Go(func() {
					for ctx.Err() == nil {
						o := p.call("POST", tokensPath, object{"name": "late", "scopes": []string{token.ProfileRead}})
						mu.Lock()
						if o.Code == http.StatusCreated {
							minted = append(minted, o.text("token"))
						}
						mu.Unlock()
					}
				})
			}
			time.Sleep(50 * time.Millisecond)
			if err := s.Accounts.SignOut(t.Context(), audit.Shell(), bobID); err != nil {
				t.Error(err)
			}
			time.Sleep(20 * time.Millisecond)
			stop()
			running.Wait()
			if len(codes)+len(minted) == 0 {
				t.Error("nothing was handed out before")
			}
			for _, text := range minted {
				caller{t: t, s: s, token: text}.dead()
			}
			for code, verifier := range codes {
				acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
			}
		}
	})
}
