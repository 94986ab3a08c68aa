package browsertest_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/provider"
	"authy/server/servertest"
)

// withProvider starts a server with a provider whose button is on the sign-in page.
func withProvider(t *testing.T, change func(s *servertest.StubOIDC)) *servertest.Server {
	t.Helper()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		c.Registration.Enabled = true
	}})
	stub := servertest.NewStubOIDC(t)
	stub.Set(change)
	_, err := s.Providers.Create(t.Context(), audit.Shell(), provider.Description{
		Slug: "stub", Kind: provider.OIDC, Name: "Stub & Co.", Issuer: stub.Issuer,
		ClientID: stub.ClientID, Secret: stub.Secret, Options: provider.Options{Logout: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	button = "form[action='/external/stub/start'] button"
	link   = "form[action='/account/identities/link'] button"
	unlink = "form[action='/account/identities/unlink'] button"
)

func TestAPersonComesAndGoesByWayOfAProvider(t *testing.T) {
	t.Parallel()
	s := withProvider(t, func(*servertest.StubOIDC) {})
	v := newTour(t, s)
	v.open("/sign-in")
	v.look("sign_in")
	v.Click(button, "#join")
	v.look("arrival_new")
	v.Click("#join", "#apps")
	v.open("/account/security")
	v.says("Linked accounts")
	v.look("account")
	v.Click(unlink, "main h1")
	v.says("Cannot unlink the last authentication method")
	v.look("last")
	v.open("/account")
	v.Click("#sign-out", "#signed-out") // leads to the provider and back
	v.open("/sign-in")
	v.Click(button, "#apps")
	v.says("pat@example.com")
}

func TestAPersonLinksAndUnlinks(t *testing.T) {
	t.Parallel()
	s := withProvider(t, func(s *servertest.StubOIDC) { s.Person["email"], s.Person["email_verified"] = bob, false })
	v := newTour(t, s)
	v.open("/sign-in")
	v.Click(button, "#sign-in-first")
	v.says("There is an account with this address already")
	v.look("arrival_link")
	v.Click("#sign-in-first", "#sign-in")
	v.password(bob, bobPass, "#link")
	v.look("arrival_link_in")
	v.Click("#link", "#notice")
	v.says("Your account at Stub & Co. is linked.")
	v.Click(unlink, "#notice")
	v.says("The account is unlinked.")
	v.Click(link, unlink)
	v.says("Your account at Stub & Co. is linked.")
	v.quiet()
}

func TestAnAppIsReachedByWayOfAProvider(t *testing.T) {
	t.Parallel()
	s := withProvider(t, func(*servertest.StubOIDC) {})
	v, home := newTour(t, s), portal(t, s)
	v.Do(chromedp.Navigate(home + "/"))
	v.Click("#sign-in", button)
	v.Click(button, "#join")
	v.Click("#join", "#allow")
	v.Click("#allow", "form[action='/refresh']")
	if text := v.Text("body"); !strings.Contains(text, "Pat Doe") {
		t.Errorf("back at the portal, it says %q", text)
	}
	v.quiet()
}
