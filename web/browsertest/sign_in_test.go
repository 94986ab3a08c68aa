package browsertest_test

import (
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"authy/server/audit"
	"authy/server/demo"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/web/browsertest"
)

func TestMain(m *testing.M) {
	servertest.Quiet()
	os.Exit(m.Run())
}

// portal is the demonstration relying party, registered for a free port.
func portal(t *testing.T, s *servertest.Server, change ...func(*registry.Registration)) (home string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	home = "http://" + l.Addr().String()
	in := registry.Registration{
		ClientID: "browser-portal", Secret: "a secret of the portal's", Name: "Browser Portal", RequirePKCE: true,
		RedirectURIs: []string{home + "/auth/callback"}, PostLogoutRedirectURIs: []string{home + "/"},
		GrantTypes: []string{"authorization_code", "refresh_token"}, ApplicationType: "web",
		Scopes:              []string{"openid", "profile", "email", "offline_access"},
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: time.Hour, IDTokenLifetime: time.Hour,
	}
	for _, do := range change {
		do(&in)
	}
	if _, err = s.Clients.Create(t.Context(), audit.Shell(), in); err != nil {
		t.Fatal(err)
	}
	app, err := demo.New(t.Context(), demo.Config{
		Issuer: s.URL, ClientID: "browser-portal", ClientSecret: "a secret of the portal's",
		RedirectURL: home + "/auth/callback",
	})
	if err != nil {
		t.Fatal(err)
	}
	hs := &http.Server{Handler: app.Handler(), ReadHeaderTimeout: time.Minute}
	go hs.Serve(l)                   //nolint:errcheck // ends with the test
	t.Cleanup(func() { hs.Close() }) //nolint:errcheck // it ends either way
	return home
}

func TestBobClicksThroughTheCodeFlow(t *testing.T) {
	t.Parallel()
	b := browsertest.New(t)
	s := servertest.New(t)
	home := portal(t, s)

	b.Do(chromedp.Navigate(home + "/"))
	b.Click("#sign-in", "#email")
	b.Fill("#email", "bob@acme-corp.com")
	b.Fill("#password", "not the password")
	b.Click("#sign-in", "#problem")
	if text := b.Text("#problem"); !strings.Contains(text, "Invalid email or password") {
		t.Errorf("the page says %q of a wrong password", text)
	}
	b.Fill("#password", "UserPass123!")
	b.Click("#sign-in", "#allow")
	if text := b.Text("main"); !strings.Contains(text, "Browser Portal") || !strings.Contains(text, "bob@acme-corp.com") {
		t.Errorf("the consent page says %q", text)
	}
	b.Click("#allow", "form[action='/refresh']")
	if text := b.Text("body"); !strings.Contains(text, "Bob Builder") {
		t.Errorf("back at the portal, it says %q", text)
	}

	// Signed in at the portal and here; the account page ends it.
	b.Do(chromedp.Navigate(s.URL + "/account"))
	if text := b.Text("main"); !strings.Contains(text, "Browser Portal") || !strings.Contains(text, "Bob Builder") {
		t.Errorf("the account page says %q", text)
	}
	b.Click("#sign-out", "a[href='/sign-in']")
	if text := b.Text("h1"); !strings.Contains(text, "signed out") {
		t.Errorf("after signing out the page says %q", text)
	}
	if said := b.Complaints(); len(said) > 0 {
		t.Errorf("the console complains: %q", said)
	}
}
