package browsertest_test

import (
	"encoding/base32"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/org"
	"authy/server/servertest"
	"authy/web/browsertest"
)

const (
	bob, bobPass = "bob@acme-corp.com", "UserPass123!"
	carol        = "carol@acme-corp.com"
	newWords     = "four quiet words here"
)

// named has the server answer at a name: passkeys belong to one.
func named(c *config.Config) { c.PublicURL = strings.Replace(c.PublicURL, "127.0.0.1", "localhost", 1) }

// tour is a browser that looks at every page it comes by.
type tour struct {
	*browsertest.Browser
	t *testing.T
	s *servertest.Server
	// invitation is where bob is invited to another organization.
	invitation string
}

// look wants the page to keep nobody out: in the dark and in the light, on a small
// phone and at a desk.
func (v tour) look(name string) {
	v.t.Helper()
	for _, seen := range []struct {
		width  int64
		scheme string
		look   func() []string
	}{
		{browsertest.Narrow, "light", v.OwnBarriers},
		{browsertest.Narrow, "dark", v.NarrowBarriers},
		{browsertest.Wide, "dark", v.OwnBarriers},
		{browsertest.Wide, "light", v.Barriers},
	} {
		v.Show(seen.width, seen.scheme)
		for _, barrier := range seen.look() {
			v.t.Errorf("%s, %s, %d wide: %s", name, seen.scheme, seen.width, barrier)
		}
	}
}

func (v tour) open(path string) {
	v.t.Helper()
	v.Do(chromedp.Navigate(v.s.URL + path))
}

func (v tour) visit(path, name string) {
	v.t.Helper()
	v.open(path)
	v.look(name)
}

func (v tour) password(email, password, next string) {
	v.t.Helper()
	v.Fill("#email", email)
	v.Fill("#password", password)
	v.Click("#sign-in", next)
}

func (v tour) quiet() {
	v.t.Helper()
	if said := v.Complaints(); len(said) > 0 {
		v.t.Errorf("the console complains: %q", said)
	}
}

func orgID(t *testing.T, s *servertest.Server, slug string) string {
	t.Helper()
	o, err := s.Orgs.Find(t.Context(), slug)
	if err != nil {
		t.Fatal(err)
	}
	return o.ID
}

// require has Acme ask for a second factor.
func require(t *testing.T, s *servertest.Server, mode string, days int64) {
	t.Helper()
	_, err := s.Orgs.SetPolicy(t.Context(), audit.Shell(), orgID(t, s, "acme-corp"), org.PolicyChange{Mode: &mode, GraceDays: &days})
	if err != nil {
		t.Fatal(err)
	}
}

func invite(t *testing.T, s *servertest.Server, email string) (path string) {
	t.Helper()
	_, secret, err := s.Orgs.Invite(t.Context(), audit.Shell(), orgID(t, s, "tech-startup"), email, org.Guest)
	if err != nil {
		t.Fatal(err)
	}
	return org.InvitationLink("", secret)
}

func TestNoPageOfAnAccountKeepsAnyoneOut(t *testing.T) {
	t.Parallel()
	s, _ := servertest.WithMail(t, named)
	v := tour{browsertest.New(t), t, s, invite(t, s, bob)}
	touch := v.AddAuthenticator()
	s.SignIn(t, servertest.Browser(t), bob, bobPass)
	home := portal(t, s)

	v.Do(chromedp.Navigate(home + "/"))
	v.Click("#sign-in", "#email")
	v.look("sign-in to an app")
	v.password(bob, "not it", "#problem")
	v.look("sign-in refused")
	require(t, s, org.RequireEither, 0)
	v.password(bob, bobPass, "#to-account")
	v.look("enroll")
	v.Click("#to-account", "#waiting")
	v.look("account past due")
	v.visit("/account/password", "not allowed yet")
	require(t, s, org.RequireEither, 14)
	v.visit("/account/security", "security in grace")
	v.visit("/account", "account in grace")
	v.Click("#continue", "#allow")
	v.look("consent")
	v.Click("#allow", "form[action='/refresh']")
	v.accountPages(v.waysIn())
	touch(false) // or the sign-in page would use the passkey by itself
	v.secondFactors()
	v.quiet()
}

func TestNoPageBeforeSigningInKeepsAnyoneOut(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	v := tour{browsertest.New(t), t, s, invite(t, s, bob)}
	v.visit("/sign-in", "sign-in")
	v.visit("/forgot-password", "forgot")
	v.Fill("#email", bob)
	v.Click("#send", "a[href='/sign-in'].button")
	v.look("forgot sent")
	link := box.Next(v.t, bob, "Choose").Link()
	v.Do(chromedp.Navigate(link))
	v.look("reset")
	v.Fill("#password", "password1")
	v.Fill("#password_confirm", "password1")
	v.Click("#save", "#password[aria-invalid=true]")
	v.look("reset refused")
	v.visit("/reset-password?token=none", "reset with a bad link")
	v.visit("/reset-password/done", "reset done")
	v.visit("/verify-email?token=x", "verify")
	v.visit("/verify-email/done", "verified")
	v.visit("/confirm-email?token=x", "confirm")
	v.visit(v.invitation, "invitation, signed out")
	v.visit("/invitations?token=none", "invitation, expired")
	v.visit("/signed-out", "signed out")
	v.visit("/account/deleted", "deleted")
	v.visit("/account/ended", "everything ended")
	recovery, err := s.Accounts.NewRecoveryLink(t.Context(), audit.Shell(), account.Recovery{User: "root@example.com", Create: true})
	if err != nil {
		t.Fatal(err)
	}
	v.visit(recovery.Path, "get in again")
	v.visit("/recover?token=none", "get in again with a bad link")
	v.visit("/nowhere", "not found")
	v.visit("/api/docs", "docs")
	v.visit("/oidc/authorize?client_id=none", "refused request")
	v.quiet()
}

// waysIn sets up a passkey and an authenticator, and returns the secret of that.
func (v tour) waysIn() (secret []byte) {
	v.t.Helper()
	v.open("/account/security")
	v.Click("#add-passkey", "#create-passkey")
	v.look("new passkey")
	v.Fill("#name", "A phone with a rather long name, kept in the upper drawer")
	v.Click("#create-passkey", ".codes")
	v.look("recovery codes")
	code := strings.Fields(v.Text(".codes"))[0]
	v.Click("#done", "#add-authenticator")
	v.Click("#add-authenticator", "#prove, #totp-secret")
	if v.Has("#prove") { // a passkey was set up since: its code is asked for
		v.Fill("#code", code)
		v.Click("#recovery", "#prove")
		v.Click("#prove", "#totp-secret")
	}
	secret, err := base32.StdEncoding.DecodeString(strings.ReplaceAll(v.Text("#totp-secret"), " ", ""))
	if err != nil {
		v.t.Fatal(err)
	}
	v.look("authenticator")
	v.Fill("#code", "000000")
	v.Click("#confirm", "#problem")
	v.look("authenticator refused")
	v.Fill("#code", servertest.TOTP(secret, time.Now().Add(-30*time.Second)))
	v.Click("#confirm", "#notice")
	return secret
}

// accountPages looks at the pages of the account, which has an authenticator with this secret.
func (v tour) accountPages(secret []byte) {
	v.t.Helper()
	for _, page := range []string{"", "/profile", "/sessions", "/apps", "/organizations", "/activity", "/data"} {
		v.visit("/account"+page, "account"+page)
	}
	v.open("/account/tokens")
	v.Click("main details summary", "#api-token-name")
	v.Fill("#api-token-name", "Backup")
	v.Do(chromedp.Click(chromedp.CSS("#api-token-scope-0")))
	// The second factor is younger than the session.
	v.Click("form[action='/account/tokens'] button", "#prove")
	v.Fill("#code", servertest.TOTP(secret, time.Now()))
	v.Click("#prove", "#made")
	v.look("a token that was made")
	v.visit("/account/security", "security with everything")
	v.Click("#remove-authenticator", "#prove")
	v.look("again")
	v.Fill("#password", "not it")
	v.Click("#prove", "#problem")
	v.look("again refused")
	v.visit("/account/password", "password")
	v.Fill("#current_password", "not it")
	v.Fill("#password", newWords)
	v.Fill("#password_confirm", newWords)
	v.Click("#save", "#current_password[aria-invalid=true]")
	v.look("password refused")
	v.visit("/account/email", "address")
	v.visit("/account/delete", "delete")
	v.visit("/account/security/end-all", "end everything")
	v.visit("/account/organizations/leave?id="+orgID(v.t, v.s, "acme-corp"), "leave")
	v.visit(v.invitation, "invitation")
	v.visit(invite(v.t, v.s, carol), "invitation for another")
	v.visit("/oidc/end_session", "sign out")
}

func (v tour) secondFactors() {
	v.t.Helper()
	v.open("/account")
	v.Click("#sign-out", "a[href='/sign-in']")
	v.Click("a[href='/sign-in']", "#email")
	v.password(bob, bobPass, "#code")
	v.look("second factor")
	v.Click("#use-recovery", "#use-app")
	v.look("recovery code")
}
