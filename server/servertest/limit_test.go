package servertest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"authy/server/config"
	"authy/server/servertest"
)

func limited(t *testing.T) *servertest.Server {
	t.Helper()
	return servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.RateLimit.Enabled = true }})
}

// TK-02: whoever guesses a client's secret is stopped, and the real client,
// which is elsewhere, is not.
func TestGuessingAClientsSecretEnds(t *testing.T) {
	t.Parallel()
	s := limited(t)
	browser := servertest.Browser(t)
	ask := func(clientID, secret string) *servertest.Page {
		return servertest.Post(t, browser, s.URL+"/oidc/token", url.Values{
			"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {secret},
		})
	}
	refused := 0
	for range 60 {
		switch got := ask("data-api-001", "a guess").Response; got.StatusCode {
		case http.StatusUnauthorized:
			refused++
		case http.StatusTooManyRequests:
			if got.Header.Get("Retry-After") == "" {
				t.Fatal("429 without Retry-After")
			}
		default:
			t.Fatalf("a guess is answered %d", got.StatusCode)
		}
	}
	if refused < 10 || refused > 40 {
		t.Errorf("%d guesses were looked at, want about 30", refused)
	}
	if got := ask("data-api-001", "data_secret_api_2024"); got.Response.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the right secret from the guesser's address is answered %d", got.Response.StatusCode)
	}
	if got := ask("tech-dashboard-001", "tech_secret_dashboard_2024"); got.Response.StatusCode == http.StatusTooManyRequests {
		t.Error("another client at the same address is stopped, too")
	}
}

// AZ-41, Z-06: authorization requests that lead nowhere are kept, and so limited.
func TestSignInsThatLeadNowhereAreLimited(t *testing.T) {
	t.Parallel()
	s := limited(t)
	start := s.URL + "/oidc/authorize?" + url.Values{
		"client_id": {"acme-portal-001"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}.Encode()
	browser := servertest.Browser(t)
	begun := 0
	for range 1600 {
		page := servertest.Get(t, browser, start)
		if page.Response.StatusCode == http.StatusTooManyRequests {
			if page.Response.Header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			break
		}
		begun++
	}
	// One more comes back every 0.6 seconds.
	if begun < 1500 || begun > 1560 {
		t.Errorf("%d sign-ins were begun, want 1500", begun)
	}
}

// LG-06, LG-07: ten guesses of a password are looked at; the answers say how
// many are left, and when there is one more. An administrator forgives them.
func TestGuessingAPasswordEnds(t *testing.T) {
	t.Parallel()
	s := limited(t)
	c := caller{t: t, s: s}
	makeAdmin(t, s, "admin@acme-corp.com")
	admin := logIn(t, s, "admin@acme-corp.com", "AdminPass123!")
	spellings := []string{bob, "BOB@ACME-CORP.COM", "bob@ACME-corp.com"}
	guess := func(i int) outcome {
		return c.call("POST", "/api/v1/auth/login", object{"email": spellings[i%3], "password": "a guess"})
	}
	lookedAt := func() (n int) {
		for i := range 40 {
			o := guess(i)
			if o.Header.Get("RateLimit-Policy") != `"sign-in-account";q=10;w=900` || o.Header.Get("RateLimit") == "" {
				t.Fatalf("guess %d: RateLimit-Policy %q, RateLimit %q", i, o.Header.Get("RateLimit-Policy"), o.Header.Get("RateLimit"))
			}
			if o.Code == http.StatusTooManyRequests {
				wait := o.Header.Get("Retry-After")
				if seconds, err := strconv.Atoi(wait); err != nil || seconds < 1 || seconds > 90 {
					t.Errorf("Retry-After %q", wait)
				}
				return n
			}
			o.failed(401, "AUTHENTICATION_ERROR", "Invalid email or password")
			// On a slow machine seconds go by between the guesses.
			if left, want := o.Header.Get("RateLimit"), fmt.Sprintf(`"sign-in-account";r=%d;t=`, 9-i); !strings.HasPrefix(left, want) ||
				!slices.Contains([]string{"90", "89", "88", "87", "86", "85"}, strings.TrimPrefix(left, want)) {
				t.Errorf("guess %d: RateLimit %s, want %s90", i, left, want)
			}
			n++
		}
		return n
	}
	if n := lookedAt(); n != 10 {
		t.Errorf("%d guesses were looked at, want 10", n)
	}
	c.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).failed(429, "RATE_LIMIT_EXCEEDED", "")
	user, err := s.Accounts.Find(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	unlock := "/api/v1/admin/users/" + user.ID + "/unlock"
	c.call("POST", unlock, nil).failed(401, "AUTH_REQUIRED", "")
	admin.call("POST", unlock, nil).succeeded(200, "User unlocked successfully")
	if n := lookedAt(); n != 10 {
		t.Errorf("%d guesses were looked at once bob was unlocked, want 10", n)
	}
	admin.call("POST", unlock, nil).succeeded(200, "User unlocked successfully")
	bob := logIn(t, s, bob, bobPass)
	bob.call("POST", unlock, nil).failed(403, "AUTHORIZATION_ERROR", "")
}
