package servertest_test

import (
	"context"
	"database/sql"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"authy/server/config"
	"authy/server/servertest"
	"authy/storage"
)

// secure says that browsers come by https, through a proxy.
func secure(c *config.Config) { c.PublicURL = "https://id.example.com" }

func TestACodeThatIsReplayedEndsWhatItGave(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, a := range []app{acmePortal, acmeMobile} {
		code, verifier := a.code(t, s, servertest.Browser(t))
		got := a.redeem(t, s, code, verifier)
		alive(t, s, got.Access, true)
		a.post(t, s, tokenPath, a.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
		alive(t, s, got.Access, false)
		a.refresh(t, s, got.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
	}
	if !recorded(t, s, "code.replayed", "") {
		t.Error("CO-01 the replay is not in the audit log")
	}
}

// ageCode makes a code, with the grant that it is for, as much older as if a while had passed, and
// deletes what had expired then.
func ageCode(t *testing.T, s *servertest.Server, code string, by time.Duration) {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(s.Config.DatabaseURL(), "sqlite://"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // nothing is written later
	hash, ms := storage.Hash(code), by.Milliseconds()
	for _, statement := range []string{
		`UPDATE codes SET created_at = created_at - ?, expires_at = expires_at - ?, used_at = used_at - ? WHERE hash = ?`,
		`UPDATE grants SET created_at = created_at - ?, authenticated_at = authenticated_at - ?, expires_at = expires_at - ?
			WHERE id IN (SELECT grant_id FROM codes WHERE hash = ?)`,
	} {
		if res, err := db.ExecContext(t.Context(), statement, ms, ms, ms, hash); err != nil {
			t.Fatal(err)
		} else if n, err := res.RowsAffected(); n != 1 || err != nil {
			t.Fatalf("%s: %d rows, %v, want one", statement, n, err)
		}
	}
	change(t, s, func(ctx context.Context, tx *storage.Tx) error {
		_, err := tx.DeleteExpired(ctx, time.Now(), 100)
		return err
	})
}

// The module oidcc-codereuse-30seconds, and for as long as there is anything to end: a code, which
// lasts a minute, is kept for that when it was used.
func TestACodeThatIsReplayedLaterEndsWhatItGave(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, later := range []time.Duration{31 * time.Second, 2 * time.Minute, 20 * time.Hour} {
		code, verifier := acmePortal.code(t, s, servertest.Browser(t))
		got := acmePortal.redeem(t, s, code, verifier)
		ageCode(t, s, code, later)
		alive(t, s, got.Access, true)
		acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
		alive(t, s, got.Access, false)
		acmePortal.refresh(t, s, got.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
	}
}

func TestAStrangersReplayEndsNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	code, verifier := acmePortal.code(t, s, servertest.Browser(t))
	got := acmePortal.redeem(t, s, code, verifier)
	honest := acmePortal.redemption(code, verifier)
	wrong := app{acmePortal.id, "wrong", callback}
	wrong.post(t, s, tokenPath, honest).refused(t, http.StatusUnauthorized, "invalid_client")
	app{id: acmePortal.id}.post(t, s, tokenPath, honest).refused(t, http.StatusUnauthorized, "invalid_client")
	dashboard.post(t, s, tokenPath, honest).refused(t, http.StatusBadRequest, "invalid_grant")
	acmeMobile.post(t, s, tokenPath, honest).refused(t, http.StatusBadRequest, "invalid_grant")
	alive(t, s, got.Access, true)
	got = acmePortal.refresh(t, s, got.Refresh).tokens(t)
	for action, reason := range map[string]string{"client.auth_failed": "wrong_secret", "code.exchanged": "code_of_another_client"} {
		if !recorded(t, s, action, reason) {
			t.Errorf("CO-24 %s, %s is not in the audit log", action, reason)
		}
	}
	// The client itself proved who it is: the policy is to end the grant.
	acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, oauth2.GenerateVerifier())).refused(t, http.StatusBadRequest, "invalid_grant")
	alive(t, s, got.Access, false)

	// A public client has no proof but the verifier.
	code, verifier = acmeMobile.code(t, s, servertest.Browser(t))
	got = acmeMobile.redeem(t, s, code, verifier)
	for _, guess := range []string{oauth2.GenerateVerifier(), ""} {
		acmeMobile.post(t, s, tokenPath, acmeMobile.redemption(code, guess)).refused(t, http.StatusBadRequest, "invalid_grant")
	}
	alive(t, s, got.Access, true)
}

func TestACodeFitsOneClientOneURIAndOneVerifier(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	const other = "https://portal.acme-corp.com/auth/callback"
	optional := []string{"code_challenge", "code_challenge_method"}
	for _, c := range []struct {
		name   string
		app    app
		change func(form url.Values) url.Values
		code   string
	}{
		{"CO-04 the other registered URI", acmePortal, func(f url.Values) url.Values { return with(f, "redirect_uri", other) }, "invalid_grant"},
		{"CO-04 no URI", acmePortal, func(f url.Values) url.Values { return without(f, "redirect_uri") }, "invalid_request"},
		{"CO-04 an encoded twin", acmePortal, func(f url.Values) url.Values { return with(f, "redirect_uri", url.QueryEscape(callback)) }, "invalid_grant"},
		{"CO-05 no verifier, confidential", acmePortal, func(f url.Values) url.Values { return without(f, "code_verifier") }, "invalid_grant"},
		{"CO-05 no verifier, public", acmeMobile, func(f url.Values) url.Values { return without(f, "code_verifier") }, "invalid_grant"},
		{"CO-05 no verifier where PKCE is optional", dataAPI, func(f url.Values) url.Values { return without(f, "code_verifier") }, "invalid_grant"},
		{"CO-05 an empty verifier", acmePortal, func(f url.Values) url.Values { return with(f, "code_verifier", "") }, "invalid_grant"},
		{"CO-05 another verifier", acmePortal, func(f url.Values) url.Values { return with(f, "code_verifier", letters(43)) }, "invalid_grant"},
		{"CO-08 the challenge as verifier", acmePortal, func(f url.Values) url.Values {
			return with(f, "code_verifier", oauth2.S256ChallengeFromVerifier(f.Get("code_verifier")))
		}, "invalid_grant"},
		{"CO-11 42 letters", acmePortal, func(f url.Values) url.Values { return with(f, "code_verifier", letters(42)) }, "invalid_grant"},
		{"CO-11 129 letters", acmePortal, func(f url.Values) url.Values { return with(f, "code_verifier", letters(129)) }, "invalid_grant"},
		{"CO-11 padding", acmePortal, func(f url.Values) url.Values { return with(f, "code_verifier", letters(43)+"=") }, "invalid_grant"},
		{"CO-11 a NUL", acmePortal, func(f url.Values) url.Values { return with(f, "code_verifier", letters(43)+"\x00") }, "invalid_request"},
		{"CO-11 an emoji", acmePortal, func(f url.Values) url.Values { return with(f, "code_verifier", letters(43)+"🔑") }, "invalid_grant"},
		{"no code", acmePortal, func(f url.Values) url.Values { return without(f, "code") }, "invalid_request"},
		{"another code", acmePortal, func(f url.Values) url.Values { return with(f, "code", letters(26)) }, "invalid_grant"},
		{"a code with a NUL", acmePortal, func(f url.Values) url.Values { return with(f, "code", "\x00") }, "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, verifier := c.app.code(t, s, browser, "scope", "openid")
			c.app.post(t, s, tokenPath, c.change(c.app.redemption(code, verifier))).refused(t, http.StatusBadRequest, c.code)
		})
	}
	t.Run("CO-03 another client", func(t *testing.T) {
		code, verifier := acmePortal.code(t, s, browser)
		dashboard.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
		acmeMobile.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
		acmePortal.redeem(t, s, code, verifier) // theirs did not burn it
	})
	t.Run("CO-06 a verifier without a challenge", func(t *testing.T) {
		for _, verifier := range []string{oauth2.GenerateVerifier(), "x"} {
			code := plainCode(t, s, browser, dataAPI, optional)
			dataAPI.post(t, s, tokenPath, dataAPI.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
		}
		code := plainCode(t, s, browser, dataAPI, optional)
		dataAPI.post(t, s, tokenPath, without(dataAPI.redemption(code, ""), "code_verifier")).tokens(t)
	})
	t.Run("CO-11 a verifier of 1 MB", func(t *testing.T) {
		code, verifier := acmePortal.code(t, s, browser)
		r := acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, letters(1<<20)))
		r.refused(t, http.StatusRequestEntityTooLarge, "invalid_request")
		acmePortal.redeem(t, s, code, verifier)
	})
}

// plainCode returns a code of a request from which parameters are left out.
func plainCode(t *testing.T, s *servertest.Server, browser *http.Client, a app, missing []string) string {
	t.Helper()
	page, _ := s.Visit(t, browser, authorizeURL(s, without(a.request("v"), missing...)), bob, bobPass)
	if !gotCode(page) {
		t.Fatalf("led to %v", page.Location())
	}
	return page.Location().Query().Get("code")
}

func TestACodeEndsSoon(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.OpenID.CodeLifetime.Duration = 700 * time.Millisecond
	}})
	browser := servertest.Browser(t)
	acmePortal.tokens(t, s, browser)
	code, verifier := acmePortal.code(t, s, browser)
	time.Sleep(750 * time.Millisecond)
	acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
	if limit := config.Defaults().OpenID.CodeLifetime.Duration; limit > time.Minute {
		t.Errorf("CO-12 codes live for %v by default, want a minute at most", limit)
	}
}

// Z-05: the library uses codes up in several steps.
func TestACodeCannotBeSpentTwiceAtOnce(t *testing.T) {
	t.Parallel()
	onNodes(t, func(t *testing.T, s *servertest.Server, next func() *servertest.Server) {
		browser := servertest.Browser(t)
		for round := range roundsOf(t, 5) {
			code, verifier := acmePortal.code(t, s, browser)
			form := acmePortal.redemption(code, verifier)
			var good []reply
			for _, r := range atOnce(crowd(round), func() reply { return acmePortal.post(t, next(), tokenPath, form) }) {
				if r.status == http.StatusOK {
					good = append(good, r)
					continue
				}
				r.refused(t, http.StatusBadRequest, "invalid_grant")
			}
			if len(good) > 1 {
				t.Fatalf("CO-13 %d of %d redemptions succeeded", len(good), crowd(round))
			}
			for _, r := range good { // the replays have ended it, perhaps on the other node
				got := r.tokens(t)
				acmePortal.refresh(t, s, got.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
				if !soon(func() bool { return userinfo(t, s, got.Access).status == http.StatusUnauthorized }, true) {
					t.Error("CO-13 the access token lives on")
				}
			}
		}
	})
}

// atOnce does something n times at the same time.
func atOnce[T any](n int, do func() T) []T {
	out := make([]T, n)
	var start, done sync.WaitGroup
	start.Add(1)
	for i := range out {
		done.Go(func() {
			start.Wait()
			out[i] = do()
		})
	}
	start.Done()
	done.Wait()
	return out
}

func TestCodesCannotBeGuessedOrRead(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	seen := map[string]bool{}
	for range 200 {
		code, _ := acmePortal.code(t, s, browser)
		if seen[code] || len(code) < 26 || strings.Contains(code, ".") {
			t.Fatalf("CO-15 code %q is repeated, short or readable", code)
		}
		seen[code] = true
		if _, err := s.DB.Code(t.Context(), code); err == nil {
			t.Fatal("CO-15 codes are kept as they are")
		}
	}
}
