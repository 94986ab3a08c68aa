package browsertest_test

import (
	"net/netip"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage"
)

// A second authy becomes a provider of the first by its pages, and somebody signs in by it.
func TestAnAdministratorAddsAProviderAndSignsInByIt(t *testing.T) {
	t.Parallel()
	open := func(c *config.Config) { c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
	// Cookies know no ports: the two have names of their own.
	there := servertest.Start(t, servertest.Options{Configure: open})
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		open(c)
		named(c)
		c.Registration.Enabled = true
	}})
	v := newTour(t, s)
	const root = "superadmin@acme-corp.com"
	administers(t, s, root)
	v.open("/sign-in")
	v.password(root, "SuperAdmin123!", "#sign-out")
	v.visit("/admin/providers", "providers_none")
	v.Click("#add-provider", "a[href$='kind=oidc']")
	v.look("provider_kinds")
	v.Click("a[href$='kind=oidc']", "#field-issuer")
	v.look("provider_new")
	back := v.Text(".copy-value")
	secret := registerAt(t, there, back)
	v.Fill("#field-name", "The other authy")
	v.Fill("#field-issuer", there.URL)
	v.Fill("#field-client_id", "authy-here")
	v.Fill("#field-client_secret", secret)
	v.Click("#add", "#notice")
	v.says("The other authy is added.")
	v.look("provider")
	v.Click("#test", "#found")
	v.says("Its endpoints can be asked.")
	v.look("provider_tested")
	v.Click("#edit", "#save")
	v.look("provider_edit")
	v.Do(chromedp.SendKeys(chromedp.CSS("#field-domains"), "acme-corp.com"))
	v.Click("#save", "#notice")
	v.Click("#remove", "form #remove")
	v.look("provider_remove")

	guest := newTour(t, s)
	guest.open("/sign-in")
	guest.Click("form[action='/external/oidc/start'] button", "#sign-in") // over there
	guest.password(bob, bobPass, "#allow")
	guest.Click("#allow", "#link, #join, main h1")
	guest.quiet()
	guest.open("/account")
	guest.says(bob)
	v.visit("/admin/providers", "providers")
	v.says("The other authy")
	v.quiet()
}

// registerAt makes a server known at another as a client that people come back to at an
// address, and returns its secret.
func registerAt(t *testing.T, there *servertest.Server, back string) string {
	t.Helper()
	in := registry.Defaults()
	in.ClientID, in.Name, in.Secret = "authy-here", "Authy here", "a secret of the two of them"
	in.RedirectURIs = []string{back}
	if _, err := there.Clients.Create(t.Context(), audit.Shell(), in); err != nil {
		t.Fatal(err)
	}
	return in.Secret
}

// administers lets a user administer a server.
func administers(t *testing.T, s *servertest.Server, email string) {
	t.Helper()
	err := s.DB.Update(t.Context(), func(tx *storage.Tx) error {
		u, err := tx.UserByEmail(t.Context(), email)
		if err != nil {
			return err
		}
		u.IsAdmin = true
		return tx.SaveUser(t.Context(), u)
	})
	if err != nil {
		t.Fatal(err)
	}
}
