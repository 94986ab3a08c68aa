package browsertest_test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/provider"
	"authy/server/registry"
	"authy/server/servertest"
)

// newUser makes an account, which has a password.
func newUser(t *testing.T, s *servertest.Server, email string) {
	t.Helper()
	_, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: email, FullName: "Ada", Password: newWords})
	if err != nil {
		t.Fatal(err)
	}
}

// Somebody looks after their account from the first sign-in to its end.
func TestSomebodyLooksAfterTheirAccount(t *testing.T) {
	t.Parallel()
	v := newTour(t, withProvider(t, func(*servertest.StubOIDC) {}))
	v.looksAfterAccount()
}

func TestSomebodyLooksAfterTheirAccountWithoutScript(t *testing.T) {
	t.Parallel()
	v := newTour(t, withProvider(t, func(*servertest.StubOIDC) {}))
	v.WithoutScript()
	v.looksAfterAccount()
}

func (v tour) looksAfterAccount() {
	v.t.Helper()
	const email = "ada@example.com"
	newUser(v.t, v.s, email)
	v.Do(chromedp.Navigate(portal(v.t, v.s) + "/"))
	v.Click("#sign-in", "#email")
	v.password(email, newWords, "#allow")
	v.Click("#allow", "form[action='/refresh']")
	v.apps()
	v.sessions(email)
	v.links()
	v.speaks()
	if kept := v.export(); !strings.Contains(kept, email) {
		v.t.Errorf("the copy of the data says %s", kept)
	}
	v.leaves(email)
	v.quiet()
}

// apps takes an app's permission back.
func (v tour) apps() {
	v.t.Helper()
	v.open("/account/apps")
	v.says("Browser Portal")
	v.look("apps")
	v.Click("a[href^='/account/apps/remove']", "#remove-app")
	v.look("remove an app")
	v.Click("#remove-app", "#notice")
	v.says("You have not let any app use your account.")
}

// sessions ends one session elsewhere, and then all others.
func (v tour) sessions(email string) {
	v.t.Helper()
	others := []*http.Client{servertest.Browser(v.t), servertest.Browser(v.t), servertest.Browser(v.t)}
	for _, other := range others {
		v.s.SignIn(v.t, other, email, newWords)
	}
	left := func() (n int) {
		for _, other := range others {
			if servertest.Get(v.t, other, v.s.URL+"/account").Response.StatusCode == http.StatusOK {
				n++
			}
		}
		return n
	}
	v.open("/account/sessions")
	v.look("sessions")
	v.Click("form[action='/account/sessions/end'] button", "#notice")
	if n := left(); n != 2 {
		v.t.Errorf("after one session was ended %d of the others are left", n)
	}
	v.Click("#end-others", "main:not(:has(#end-others))")
	if n := left(); n != 0 {
		v.t.Errorf("after all were ended %d of the others are left", n)
	}
	v.says("This device")
}

// links links an account of a provider, and unlinks it.
func (v tour) links() {
	v.t.Helper()
	v.open("/account/security")
	v.Click(link, unlink)
	v.says("Your account at Stub & Co. is linked.")
	v.Click(unlink, "main:not(:has("+unlink+")) #notice")
	v.says("The account is unlinked.")
}

// speaks has the account be spoken to in German, and then in English.
func (v tour) speaks() {
	v.t.Helper()
	for _, one := range []struct{ tag, says string }{{"de", "Ihr Profil ist gespeichert."}, {"en", "Your profile is saved."}} {
		v.open("/account/profile")
		v.Do(chromedp.SetValue(chromedp.CSS("#field-locale"), one.tag))
		v.Click("#save-profile", "html[lang="+one.tag+"] #notice")
		v.says(one.says)
	}
}

func (v tour) export() string {
	v.t.Helper()
	v.open("/account/data")
	return string(v.Download("#export"))
}

// leaves deletes the account, after a mistake and a proof.
func (v tour) leaves(email string) {
	v.t.Helper()
	v.open("/account/data")
	v.Click("#delete-account", "#delete")
	v.Fill("#email", "somebody@example.com")
	v.Click("#delete", "#problem")
	v.look("delete refused")
	v.Fill("#email", email)
	v.Click("#delete", "#prove")
	v.Fill("#password", newWords)
	v.Click("#prove", ".seal")
	v.says("Your account is deleted")
	v.open("/sign-in")
	v.password(email, newWords, "#problem")
}

// The language that is chosen before signing in: at once, or by its button without
// script.
func TestALanguageIsChosenBeforeSigningIn(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newTour(t, s)
	v.open("/sign-in")
	v.Do(chromedp.WaitVisible(chromedp.CSS("#language")), chromedp.SetValue(chromedp.CSS("#language"), "de"))
	v.Do(chromedp.WaitVisible(chromedp.CSS("html[lang=de] #sign-in")))
	v.says("Anmelden")
	v.look("sign-in in German")
	v.WithoutScript()
	v.Do(chromedp.Reload(), chromedp.SetValue(chromedp.CSS("#language"), "es"))
	v.Click("form.language button", "html[lang=es] #sign-in")
	v.look("sign-in in Spanish")
	v.open("/forgot-password")
	v.says("¿")
}

// What stands around a sign-in by way of others: where a work address signs in, and
// pages that say there is nothing.
func TestTheRestOfTheWayInKeepsNobodyOut(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}})
	stub := servertest.NewStubOIDC(t)
	_, err := s.Providers.Create(t.Context(), audit.Shell(), provider.Description{
		Slug: "acme-login", Kind: provider.OIDC, Name: "Acme", Issuer: stub.Issuer, OrganizationID: orgID(t, s, "acme-corp"),
		ClientID: stub.ClientID, Secret: stub.Secret,
	})
	if err != nil {
		t.Fatal(err)
	}
	v, home := newTour(t, s), portal(t, s, func(in *registry.Registration) {
		in.Options.BackChannelURI = "https://127.0.0.1:1/logout"
	})
	v.visit("/sign-in/organization", "an organization's sign-in")
	v.Fill("#email", "nobody@nowhere.example")
	v.Click("#find", "#problem")
	v.look("an organization's sign-in refused")
	v.visit("/forgot-password", "forgot without mail")
	newUser(t, s, "ada@example.com")
	v.open("/sign-in")
	v.password("ada@example.com", newWords, "#apps")
	for _, path := range []string{"", "/apps", "/tokens", "/organizations", "/activity", "/activity?show=apps", "/email", "/sessions"} {
		v.visit("/account"+path, "a new account"+path)
	}
	v.Do(chromedp.Navigate(home + "/"))
	v.Click("#sign-in", "#allow")
	v.Click("#allow", "form[action='/refresh']")
	v.visit("/account", "account with an app")
	v.Click("#sign-out", "#signed-out")
	v.says("Signed out of")
	v.look("signed out of an app")
	v.quiet()
}
