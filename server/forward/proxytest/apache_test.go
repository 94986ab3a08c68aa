package proxytest_test

import (
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/logout"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

// modules is where Debian keeps those of its apache2.
const modules = "/usr/lib/apache2/modules/"

// tlsLine are the lines of the snippet that are about certificates: here it is plain http, which
// leaves all else as it is.
var tlsLine = regexp.MustCompile(`(?m)^ *SSL.*\n`)

func TestApacheAsInTheDocument(t *testing.T) {
	t.Parallel()
	s, listen := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} // for the logout
	}}), freePort(t)
	app := "http://" + listen
	const secret = "a secret of Apache's own"
	_, err := s.Clients.Create(t.Context(), audit.Shell(), registry.Registration{
		ClientID: "apache", Secret: secret, Name: "Behind Apache", RequirePKCE: true, ApplicationType: "web",
		Scopes:              strings.Fields("openid profile email groups"),
		RedirectURIs:        []string{app + "/forward-auth/finish"},
		GrantTypes:          []string{"authorization_code", "refresh_token"},
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: time.Hour, IDTokenLifetime: time.Hour,
		Options: storage.ClientOptions{BackChannelURI: app + "/forward-auth/finish?logout=backchannel"},
	})
	if err != nil {
		t.Fatal(err)
	}
	site := replaced(t, tlsLine.ReplaceAllString(snippet(t, "Apache", "apache"), ""), "<VirtualHost *:443>", "<VirtualHost "+listen+">",
		"https://id.example.com", s.URL, "https://app.example.com", app, "127.0.0.1:8080", application(t),
		"the secret that authy client create has printed", secret)
	runsApache(t, listen, site, "authz_user", "auth_openidc")
	browser := browserBy(t, pages{})
	if page := fetch(t, browser, "GET", app+"/page"); told(page) != nil {
		t.Errorf("a stranger gets in: %s", page.Body)
	}
	if got := enters(t, s, browser, app+"/page?a=1", bob); got["URI"] != "/page?a=1" {
		t.Fatalf("the application gets %v", got)
	}
	page := fetch(t, browser, "GET", app+"/page", "Connection", "Remote-User, Remote-Email, Remote-Name, Remote-Groups")
	got := told(page)
	if got["Remote-User"] != bob || got["Remote-Email"] != bob || got["Remote-Name"] != "Bob Builder" ||
		!strings.HasPrefix(got["Remote-Groups"], "acme-corp") || evil.MatchString(page.Body) {
		t.Errorf("the application is told %s", page.Body)
	}
	if got := enters(t, s, browserBy(t, pages{}), app+"/page", "frank@tech-startup.com"); got != nil {
		t.Errorf("who is not of the organization gets in: %v", got)
	}
	// Apache knows until the next sign-in what it was told at the last one, and when the session ends.
	id := userID(t, s, bob)
	acme, err := s.Orgs.Find(t.Context(), "acme-corp")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Orgs.Remove(t.Context(), audit.Shell(), acme.ID, id); err != nil {
		t.Fatal(err)
	}
	if page := fetch(t, browser, "GET", app+"/page"); told(page)["Remote-Groups"] != got["Remote-Groups"] {
		t.Errorf("the document is wrong about who was taken out: %d %s", page.Response.StatusCode, page.Body)
	}
	if _, err := s.Sessions.RevokeAll(t.Context(), audit.Shell(), id); err != nil {
		t.Fatal(err)
	}
	var receipts []logout.Receipt
	for range 100 {
		receipts, err = s.Logouts.Recent(t.Context(), id, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(receipts) > 0 && receipts[0].State != logout.Sent {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if len(receipts) != 1 || receipts[0].State != logout.Delivered {
		t.Errorf("the logout is %+v", receipts)
	}
	if page := fetch(t, browser, "GET", app+"/page"); told(page) != nil {
		t.Errorf("after the end of the session: %d %s", page.Response.StatusCode, page.Body)
	}
}

// pages asks as a browser does.
type pages struct{}

// RoundTrip implements [http.RoundTripper].
func (pages) RoundTrip(r *http.Request) (*http.Response, error) {
	return through{http.DefaultTransport.(*http.Transport)}.RoundTrip(r)
}

// runsApache starts an Apache with a site, in plain http, and the modules that it needs beside
// those of every proxy.
func runsApache(t *testing.T, listen, site string, modulesToo ...string) {
	t.Helper()
	program := needs(t, "apache2", "apache")
	dir, err := os.MkdirTemp("", "authy-apache") // t.TempDir is closed to www-data
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) }) //nolint:errcheck // a directory of the test's
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	lines := []string{"ServerName localhost", "Listen " + listen, "PidFile " + dir + "/pid", "ErrorLog /dev/stderr", "DocumentRoot " + dir}
	for _, name := range append([]string{"mpm_event", "authn_core", "authz_core", "headers", "proxy", "proxy_http"}, modulesToo...) {
		lines = append(lines, "LoadModule "+name+"_module "+modules+"mod_"+name+".so")
	}
	if os.Geteuid() == 0 {
		lines = append(lines, "User www-data", "Group www-data")
	}
	file := filepath.Join(dir, "httpd.conf")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"+site), 0o644); err != nil {
		t.Fatal(err)
	}
	starts(t, listen, program, "-X", "-f", file)
}
