package servertest_test

import (
	"net/http"
	"testing"

	"authy/server/config"
	"authy/server/servertest"
)

const webApp = "https://app.example.com"

// HT-16, Z-27: pages of configured origins use the API, others do not, and no page
// ever comes with cookies.
func TestOnlyConfiguredOriginsUseTheAPI(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.CORS.Origins = []string{webApp} }})
	for _, c := range []struct {
		name, method, path, origin string
		preflight, allowed, shared bool
	}{
		{"the app asks", "GET", "/api/v1/auth/me", webApp, false, true, true},
		{"the app asks first", "OPTIONS", "/api/v1/auth/login", webApp, true, true, true},
		{"the app redeems a code", "POST", "/oidc/token", webApp, false, true, true},
		{"the app asks who someone is", "GET", "/oidc/userinfo", webApp, false, true, true},
		{"another site", "GET", "/api/v1/auth/me", "https://evil.example", false, false, true},
		{"another site asks first", "OPTIONS", "/api/v1/auth/login", "https://evil.example", true, false, true},
		{"a name that begins like the app's", "GET", "/api/v1/auth/me", webApp + ".evil.example", false, false, true},
		{"the app over http", "GET", "/api/v1/auth/me", "http://app.example.com", false, false, true},
		{"no origin to speak of", "GET", "/api/v1/auth/me", "null", false, false, true},
		{"a program", "GET", "/api/v1/auth/me", "", false, false, true},
		{"the app visits a page", "GET", "/sign-in", webApp, false, false, false},
		{"the app authorizes", "GET", "/oidc/authorize", webApp, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), c.method, s.URL+c.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.origin != "" {
				req.Header.Set("Origin", c.origin)
			}
			if c.preflight {
				req.Header.Set("Access-Control-Request-Method", "POST")
			}
			h := servertest.Do(t, servertest.Browser(t), req).Response.Header
			want := ""
			if c.allowed {
				want = c.origin
			}
			if got := h.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("allows %q, want %q", got, want)
			}
			if got := h.Get("Access-Control-Allow-Credentials"); got != "" {
				t.Errorf("allows credentials: %q", got)
			}
			if got := h.Get("Vary") == "Origin"; got != c.shared {
				t.Errorf("Vary is %q", h.Get("Vary"))
			}
			if got := h.Get("Access-Control-Allow-Methods") != ""; got != (c.preflight && c.allowed) {
				t.Errorf("methods are %q", h.Get("Access-Control-Allow-Methods"))
			}
		})
	}
}
