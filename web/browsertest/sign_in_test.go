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
func portal(t *testing.T, s *servertest.Server) (home string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	home = "http://" + l.Addr().String()
	_, err = s.Clients.Create(t.Context(), audit.Shell(), registry.Registration{
		ClientID: "browser-portal", Secret: "a secret of the portal's", Name: "Browser Portal", RequirePKCE: true,
		RedirectURIs: []string{home + "/auth/callback"}, PostLogoutRedirectURIs: []string{home + "/"},
		GrantTypes: []string{"authorization_code", "refresh_token"}, ApplicationType: "web",
		Scopes:              []string{"openid", "profile", "email", "offline_access"},
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: time.Hour, IDTokenLifetime: time.Hour,
	})
	if err != nil {
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

func TestTheSetupLinkMakesTheFirstAdministrator(t *testing.T) {
	t.Parallel()
	b := browsertest.New(t)
	s := servertest.Start(t, servertest.Options{Empty: true})
	token, err := s.Accounts.NewSetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b.Do(chromedp.Navigate(s.URL + "/setup?token=" + token))
	tour{Browser: b, t: t, s: s}.look("setup")
	b.Fill("#email", "alice@example.com")
	b.Fill("#full_name", "Alice")
	b.Fill("#password", "password1")
	b.Fill("#password_confirm", "password1")
	b.Click("#create", "[aria-invalid=true]")
	b.Fill("#password", "four quiet words here")
	b.Fill("#password_confirm", "four quiet words here")
	b.Click("#create", "#setup-next")
	tour{Browser: b, t: t, s: s}.look("setup steps")
	b.Click("#step-totp", "#totp-secret, #prove")
	b.Click("#to-setup", "#setup-progress")
	b.Click("#finish", "main:not(.medium)")
	b.Do(chromedp.Navigate(s.URL + "/account"))
	if b.Has("#to-setup") {
		t.Error("the steps go on after their end")
	}
	admin, err := s.Accounts.Find(t.Context(), "alice@example.com")
	if err != nil || !admin.IsAdmin {
		t.Errorf("after the setup page: %+v, %v", admin, err)
	}
	b.Do(chromedp.Navigate(s.URL + "/setup?token=" + token))
	if text := b.Text("main"); !strings.Contains(text, "has been used") {
		t.Errorf("the second time the link says %q", text)
	}
	if said := b.Complaints(); len(said) > 0 {
		t.Errorf("the console complains: %q", said)
	}
}
