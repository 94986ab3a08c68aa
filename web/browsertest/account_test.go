package browsertest_test

import (
	"encoding/base32"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/servertest"
	"authy/web/browsertest"
)

func newTour(t *testing.T, s *servertest.Server) tour {
	t.Helper()
	return tour{Browser: browsertest.New(t), t: t, s: s}
}

// says wants the page to say something, now or as soon as it has come.
func (v tour) says(text string) {
	v.t.Helper()
	if said, ok := v.Says("main", text); !ok {
		v.t.Errorf("the page says %q, want %q", said, text)
	}
}

func TestANewPasswordSignsOutEverythingElse(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, other := newTour(t, s), servertest.Browser(t)
	s.SignIn(t, other, bob, bobPass)
	v.open("/sign-in")
	v.password(bob, bobPass, "#apps")
	v.open("/account/sessions")
	v.says("Chrome on Linux")
	v.open("/account/security")
	v.Click("#change-password", "#current_password")
	v.Fill("#current_password", bobPass)
	v.Fill("#password", newWords)
	v.Fill("#password_confirm", newWords)
	v.Click("#save", "#notice")
	v.says("Your password is changed.")
	if page := servertest.Get(t, other, s.URL+"/account"); page.Response.StatusCode != http.StatusSeeOther {
		t.Errorf("the other browser gets %d", page.Response.StatusCode)
	}
	v.Do(chromedp.Reload())
	if v.Has("#notice") {
		t.Error("what was done is told again")
	}
	v.quiet()
}

func TestATokenIsShownOnceAndUsed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newTour(t, s)
	v.open("/sign-in")
	v.password(bob, bobPass, "#apps")
	v.open("/account/tokens")
	v.Click("main details summary", "#api-token-name")
	v.Fill("#api-token-name", "Backup")
	v.Do(chromedp.Click(chromedp.CSS("#api-token-scope-0")))
	v.Click("form[action='/account/tokens'] button", "#made")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/api/v1/users/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+v.Text("#made .copy-value"))
	if page := servertest.Do(t, servertest.Browser(t), req); !strings.Contains(page.Body, bob) {
		t.Errorf("with the token: %d %s", page.Response.StatusCode, page.Body)
	}
	v.Do(chromedp.Reload())
	if n := strings.Count(v.Text("main"), "the token Backup"); n != 1 || v.Has("#made") {
		t.Errorf("after a reload there are %d tokens", n)
	}
	v.quiet()
}

func TestAnAddressIsConfirmedByMail(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	_, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: "ada@example.com", Password: newWords})
	if err != nil {
		t.Fatal(err)
	}
	v := newTour(t, s)
	v.open("/sign-in")
	v.password("ada@example.com", newWords, "#attention")
	v.Click("a[href='/account/profile'].button", "#verify-email")
	v.Click("#verify-email", "#notice")
	v.Do(chromedp.Navigate(box.Next(t, "ada@example.com", "Confirm your address").Link()))
	v.Click("#confirm", "a[href='/account'].button")
	v.Click("a[href='/account'].button", "#apps")
	v.open("/account/profile")
	if v.Has("#verify-email") {
		t.Error("the address is not confirmed")
	}
	v.Click("#change-email", "#send")
	v.Fill("#email", "lovelace@example.com")
	v.Click("#send", "#notice")
	v.Do(chromedp.Navigate(box.Next(t, "lovelace@example.com", "Confirm").Link()))
	v.Click("#confirm", "a[href='/account'].button")
	v.Click("a[href='/account'].button", "#apps")
	v.open("/account/profile")
	v.says("lovelace@example.com")
	v.quiet()
}

func TestAMemberLeavesAndAnOwnerCannot(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newTour(t, s)
	v.open("/sign-in")
	v.password(bob, bobPass, "#apps")
	v.open("/account/organizations")
	v.Click("a[href^='/account/organizations/leave']", "#leave")
	v.Click("#leave", "#notice")
	v.says("You belong to no organization yet.")
	v.Click("#sign-out", "a[href='/sign-in']")
	v.open("/sign-in")
	v.password("admin@acme-corp.com", "AdminPass123!", "#apps")
	v.open("/account/organizations")
	v.Click("a[href^='/account/organizations/leave']", "#leave")
	v.Click("#leave", "#problem")
	v.says("You are its only owner.")
	v.quiet()
}

func TestWhoOwesASecondFactorSetsItUpAndGoesOn(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, home := newTour(t, s), portal(t, s)
	require(t, s, org.RequireTOTP, 0)
	v.Do(chromedp.Navigate(home + "/"))
	v.Click("#sign-in", "#email")
	v.password(bob, bobPass, "#to-account")
	v.Click("#to-account", "#waiting")
	v.Click(".to-security", "#add-authenticator")
	v.Click("#add-authenticator", "#totp-secret")
	secret, err := base32.StdEncoding.DecodeString(strings.ReplaceAll(v.Text("#totp-secret"), " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	v.Fill("#code", servertest.TOTP(secret, time.Now()))
	v.Click("#confirm", "#continue")
	v.Click("#continue", "#allow")
	v.Click("#allow", "form[action='/refresh']")
	v.quiet()
}

func TestWhoWantsNoSecondFactorLeavesAndGoesOn(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, home := newTour(t, s), portal(t, s)
	require(t, s, org.RequireTOTP, 0)
	v.Do(chromedp.Navigate(home + "/"))
	v.Click("#sign-in", "#email")
	v.password(bob, bobPass, "#to-account")
	v.Click("a[href^='/account/organizations/leave']", "#leave")
	v.Click("#leave", "#allow")
	v.quiet()
}

func TestANewcomerComesBackToTheInvitation(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	_, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: "ada@example.com", Password: newWords})
	if err != nil {
		t.Fatal(err)
	}
	v := newTour(t, s)
	v.open(invite(t, s, "ada@example.com"))
	v.Click("#sign-in-first", "#email")
	v.password("ada@example.com", newWords, "#accept")
	v.Click("#accept", "#notice")
	v.says("You belong to Tech Startup Inc now.")
	v.open("/account/data")
	v.Click("#delete-account", "#delete")
	v.Fill("#email", "ada@example.com")
	v.Click("#delete", "#prove")
	v.Fill("#password", newWords)
	v.Click("#prove", "h1")
	v.says("Your account is deleted")
	v.quiet()
}
