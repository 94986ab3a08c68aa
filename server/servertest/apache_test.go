package servertest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/logout"
	"authy/server/registry"
	"authy/server/servertest"
)

// apacheModules is where Debian keeps the modules of its apache2.
const apacheModules = "/usr/lib/apache2/modules/"

// apache starts Apache with mod_auth_openidc in front of a page, as its manual says to, and returns
// its address. Without both the test is skipped, unless AUTHY_TEST_REQUIRE names apache.
func apache(t *testing.T, settings func(address string) []string) string {
	t.Helper()
	return apacheWith(t, apacheModule{"apache", "auth_openidc", "openid-connect"}, settings)
}

// apacheModule is a module that signs people in, its word for AUTHY_TEST_REQUIRE, and its AuthType.
type apacheModule struct{ word, name, auth string }

// apacheWith is [apache] with a module.
func apacheWith(t *testing.T, m apacheModule, settings func(address string) []string) string {
	t.Helper()
	if _, err := os.Stat(apacheModules + "mod_" + m.name + ".so"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), m.word) {
			t.Fatalf("apache2 with mod_%s is required by AUTHY_TEST_REQUIRE: %v", m.name, err)
		}
		t.Skipf("apache2 with mod_%s is not installed: %v", m.name, err)
	}
	listen := freePort(t)
	address := "http://" + listen
	dir, err := os.MkdirTemp("", "authy-apache") // t.TempDir is closed to www-data
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // a directory of the test's
	lines := []string{"ServerName localhost", "Listen " + listen, "PidFile " + dir + "/pid", "ErrorLog " + dir + "/errors", "DocumentRoot " + dir}
	for _, module := range []string{"mpm_event", "authn_core", "authz_core", "authz_user", "alias", m.name} {
		lines = append(lines, "LoadModule "+module+"_module "+apacheModules+"mod_"+module+".so")
	}
	if os.Geteuid() == 0 {
		lines = append(lines, "User www-data", "Group www-data")
	}
	lines = append(lines, settings(address)...)
	lines = append(lines, "<Location /secure>", "AuthType "+m.auth, "Require valid-user", "</Location>")
	file := filepath.Join(dir, "httpd.conf")
	for name, content := range map[string]string{file: strings.Join(lines, "\n") + "\n", dir + "/secure": "the page\n"} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "apache2", "-X", "-f", file)
	var told bytes.Buffer
	cmd.Stderr = &told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
		if errors, _ := os.ReadFile(dir + "/errors"); t.Failed() {
			t.Logf("apache: %s%s", told.String(), errors)
		}
	})
	awaitPort(t, listen)
	return address
}

// awaitPort returns when a program has begun to listen on an address.
func awaitPort(t *testing.T, listen string) {
	t.Helper()
	for range 200 {
		if conn, err := net.DialTimeout("tcp", listen, time.Second); err == nil {
			conn.Close() //nolint:errcheck // only a look
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("nothing listens on %s", listen)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it is free again
	return l.Addr().String()
}

// ride follows a browser through the client and authy, which it signs in to as bob, to a page that
// leads nowhere else.
func ride(t *testing.T, s *servertest.Server, browser *http.Client, address string) *servertest.Page {
	t.Helper()
	for range 10 {
		page, _ := s.Visit(t, browser, address, bob, bobPass)
		to := page.Location()
		if to == nil {
			return page
		}
		address = to.String()
	}
	t.Fatal("the browser is sent round in circles")
	return nil
}

// wantsPages asks as a browser does; Apache answers programs with 401.
type wantsPages struct{}

// RoundTrip implements [http.RoundTripper].
func (wantsPages) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
	return http.DefaultTransport.RoundTrip(r)
}

func TestModAuthOpenIDCSignsInAndOut(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const id, secret = "apache", "a secret of Apache's own"
	home := apache(t, func(address string) []string {
		register(t, s, registry.Registration{
			ClientID: id, Secret: secret, Name: "Apache", Scopes: []string{"openid", "profile", "email"},
			RedirectURIs: []string{address + "/secure/redirect_uri"}, PostLogoutRedirectURIs: []string{address + "/bye"},
		})
		return []string{
			"OIDCProviderMetadataURL " + s.URL + "/.well-known/openid-configuration", "OIDCClientID " + id,
			fmt.Sprintf("OIDCClientSecret %q", secret), "OIDCRedirectURI " + address + "/secure/redirect_uri",
			"OIDCCryptoPassphrase " + letters(32), `OIDCScope "openid profile email"`, "OIDCPKCEMethod S256",
			`OIDCInfoHook userinfo id_token access_token`,
		}
	})
	browser := servertest.Browser(t)
	browser.Transport = wantsPages{}
	if page := ride(t, s, browser, home+"/secure"); page.Body != "the page\n" {
		t.Fatalf("the page is %d %q", page.Response.StatusCode, page.Body)
	}
	var info struct {
		Userinfo map[string]any `json:"userinfo"`
		IDToken  map[string]any `json:"id_token"`
	}
	text := servertest.Get(t, browser, home+"/secure/redirect_uri?info=json").Body
	if err := json.Unmarshal([]byte(text), &info); err != nil {
		t.Fatalf("info %q: %v", text, err)
	}
	if info.Userinfo["email"] != bob || info.IDToken["iss"] != s.URL || fmt.Sprint(info.IDToken["aud"]) != "["+id+"]" {
		t.Errorf("Apache knows %s", text)
	}
	page := ride(t, s, browser, home+"/secure/redirect_uri?logout="+url.QueryEscape(home+"/bye"))
	if got := page.Response.Request.URL.String(); !strings.HasPrefix(got, home+"/bye") {
		t.Errorf("after the logout the browser is at %s: %d %s", got, page.Response.StatusCode, page.Body)
	}
	if page := servertest.Get(t, browser, home+"/secure"); page.Location() == nil || !strings.HasPrefix(page.Location().String(), s.URL) {
		t.Errorf("after the logout the page is %d %q", page.Response.StatusCode, page.Body)
	}
}

// A session that is ended at authy is ended at Apache by its back channel (its manual: the
// logout URI is the redirect URI with logout=backchannel).
func TestModAuthOpenIDCIsToldOfALogout(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: loopback})
	const id, secret = "apache", "a secret of Apache's own"
	home := apache(t, func(address string) []string {
		redirect := address + "/secure/redirect_uri"
		register(t, s, registry.Registration{
			ClientID: id, Secret: secret, Name: "Apache", Scopes: []string{"openid", "email"}, RedirectURIs: []string{redirect},
			Options: registry.Options{BackChannelURI: redirect + "?logout=backchannel", BackChannelSession: true},
		})
		return []string{
			"OIDCProviderMetadataURL " + s.URL + "/.well-known/openid-configuration", "OIDCClientID " + id,
			fmt.Sprintf("OIDCClientSecret %q", secret), "OIDCRedirectURI " + redirect, "OIDCCryptoPassphrase " + letters(32),
			`OIDCScope "openid email"`, "OIDCPKCEMethod S256", "OIDCProviderBackChannelLogoutSupported On",
			"OIDCSessionType server-cache",
		}
	})
	signedIn := func(browser *http.Client) bool {
		page := servertest.Get(t, browser, home+"/secure")
		return page.Location() == nil && page.Body == "the page\n"
	}
	here, elsewhere := servertest.Browser(t), servertest.Browser(t)
	for _, browser := range []*http.Client{here, elsewhere} {
		browser.Transport = wantsPages{}
		if page := ride(t, s, browser, home+"/secure"); page.Body != "the page\n" || !signedIn(browser) {
			t.Fatalf("the page is %d %q", page.Response.StatusCode, page.Body)
		}
	}
	servertest.Post(t, here, s.URL+"/sign-out", nil)
	receipts, _, err := s.Logouts.List(t.Context(), audit.Shell(), logout.Filter{ClientID: id}, "", 10)
	if err != nil || len(receipts) != 1 || receipts[0].State != logout.Delivered {
		t.Fatalf("receipts %v, %v, want one that is delivered", receipts, err)
	}
	if signedIn(here) {
		t.Error("the session goes on at Apache")
	}
	if !signedIn(elsewhere) {
		t.Error("a session of another browser has ended, too")
	}
}
