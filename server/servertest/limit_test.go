package servertest_test

import (
	"net/http"
	"net/url"
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

// AZ-41: authorization requests that lead nowhere are kept, and so limited.
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
	if begun != 1500 {
		t.Errorf("%d sign-ins were begun, want 1500", begun)
	}
}
