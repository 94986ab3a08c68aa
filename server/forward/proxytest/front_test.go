package proxytest_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"authy/server/config"
	"authy/server/servertest"
	"authy/storage"
)

// front is the document about proxies in front of authy alone.
const front = "../../../docs/reverse-proxy.md"

// Each proxy of the document passes on what authy needs, and nothing that a visitor pretends.
func TestAProxyInFrontAsInTheDocument(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(t *testing.T, listen, authy string){
		"nginx": func(t *testing.T, listen, authy string) {
			cert, key := certificate(t, t.TempDir())
			runsNginx(t, listen, replaced(t, snippetOf(t, front, "nginx", "nginx"), "127.0.0.1:5000", authy,
				"listen 443 ssl", "listen "+listen+" ssl", "/etc/ssl/example.com.pem", cert, "/etc/ssl/example.com.key", key))
		},
		"Caddy": func(t *testing.T, listen, authy string) {
			runsCaddy(t, listen, replaced(t, snippetOf(t, front, "Caddy", "caddyfile"), "127.0.0.1:5000", authy))
		},
		"Apache": func(t *testing.T, listen, authy string) {
			site := tlsLine.ReplaceAllString(snippetOf(t, front, "Apache", "apache"), "")
			runsApache(t, listen, replaced(t, site, "127.0.0.1:5000", authy, "<VirtualHost *:443>", "<VirtualHost "+listen+">"))
		},
		"HAProxy": func(t *testing.T, listen, authy string) {
			runsHAProxy(t, listen, replaced(t, snippetOf(t, front, "HAProxy", "haproxy"), "127.0.0.1:5000", authy))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen := freePort(t)
			s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
				c.PublicURL, c.TrustedProxies = home, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
			}})
			run(t, listen, s.Config.Listen)
			passesOn(t, s, browserBy(t, viaTLS(listen)), name != "Apache")
		})
	}
}

// passesOn signs somebody in through a proxy, who says that they come from elsewhere.
func passesOn(t *testing.T, s *servertest.Server, browser *http.Client, byTLS bool) {
	t.Helper()
	at := home
	if !byTLS {
		at = strings.Replace(home, "https", "http", 1)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/api/v1/auth/login",
		strings.NewReader(`{"email": "`+bob+`", "password": "`+bobPass+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Forwarded-For", "203.0.113.9")
	req.Header.Set("X-Forwarded-Proto", "http")
	req.Header.Set("X-Real-Ip", "203.0.113.9")
	if page := servertest.Do(t, browser, req); page.Response.StatusCode != http.StatusOK {
		t.Fatalf("a sign-in: %d %s", page.Response.StatusCode, page.Body)
	}
	var sessions []storage.Session
	if sessions, _, err = s.Sessions.List(t.Context(), userID(t, s, bob), "", 1); err != nil || len(sessions) != 1 {
		t.Fatalf("%d sessions, %v", len(sessions), err)
	}
	if got := sessions[0].IPAddress; got != "127.0.0.1" {
		t.Errorf("the sign-in is noted as from %s, want 127.0.0.1", got)
	}
	page := servertest.Get(t, browser, at+"/.well-known/openid-configuration")
	if !strings.Contains(page.Body, `"issuer":"`+home+`"`) {
		t.Errorf("discovery: %d %s", page.Response.StatusCode, page.Body)
	}
	page = servertest.Get(t, browser, at+"/account%2Fsecurity") // which some proxies answer themselves
	if to := page.Location(); to == nil || to.Path != "/sign-in" {
		t.Errorf("an encoded slash: %d to %v", page.Response.StatusCode, to)
	}
	if page := servertest.Get(t, browser, at+"/sign-in"); page.Response.StatusCode != http.StatusOK ||
		page.Response.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("the page to sign in: %d %v", page.Response.StatusCode, page.Response.Header)
	}
}
