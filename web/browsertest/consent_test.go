package browsertest_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/config"
	"authy/server/servertest"
)

// asks is how the portal asks for no more than these scopes.
func asks(s *servertest.Server, home, scope, prompt string) string {
	return s.URL + "/oidc/authorize?" + url.Values{
		"client_id": {"browser-portal"}, "response_type": {"code"}, "scope": {scope}, "prompt": {prompt},
		"redirect_uri": {home + "/auth/callback"}, "state": {"a state that the portal does not know"},
		"code_challenge": {strings.Repeat("A", 43)}, "code_challenge_method": {"S256"},
	}.Encode()
}

// new counts the permissions that are said to be new.
func (v tour) new() int { return v.Number("document.querySelectorAll('.permission .badge').length") }

func TestConsentSaysWhatIsNewSinceTheLastTime(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, home := newTour(t, s), portal(t, s)
	v.WithoutScript()
	v.Do(chromedp.Navigate(asks(s, home, "openid email", "consent")))
	v.password(bob, bobPass, "#allow")
	if n := v.new(); n != 0 {
		t.Errorf("the first time %d permissions are new", n)
	}
	v.Click("#allow", "body:not(:has(#allow))")
	v.Do(chromedp.Navigate(home + "/"))
	v.Click("#sign-in", "#allow")
	if text := v.Text(".permissions"); v.new() != 2 || !strings.Contains(text, "New") {
		t.Errorf("%d permissions are new: %q", v.new(), text)
	}
	v.look("consent with what is new")
	v.Click("#deny", "body:not(:has(#allow))")
	if text := v.Text("body"); !strings.Contains(text, "access_denied") {
		t.Errorf("the portal says %q", text)
	}
	v.Do(chromedp.Navigate(asks(s, home, "openid email", "select_account")))
	v.Do(chromedp.WaitVisible(chromedp.CSS("#continue-as")))
	v.look("choose an account")
	v.Click("#continue-as", "body:not(:has(#continue-as))")
	if v.Has("#allow") {
		t.Error("what was allowed is asked for again")
	}
}

func TestWhoMayMakeAnAccountIsThePolicys(t *testing.T) {
	t.Parallel()
	closed := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.Registration.Enabled = false }})
	v := newTour(t, closed)
	v.open("/sign-in")
	if v.Has("#to-sign-up") {
		t.Error("an account is offered where nobody may make one")
	}
	v.visit("/sign-up", "sign-up, closed")

	open := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.Registration.Enabled = true }})
	home := portal(t, open)
	v.s = open
	v.Do(chromedp.Navigate(home + "/"))
	v.Click("#sign-in", "#to-sign-up")
	v.Click("#to-sign-up", "#sign-up")
	v.look("sign-up for an app")
	v.wantAccount(bob)
	v.Click("#sign-up", "#problem, #email-problem")
	v.look("sign-up with an address that is taken")
	v.wantAccount("ada@example.com")
	v.Click("#sign-up", "#allow")
	v.Click("#allow", "form[action='/refresh']")
	if text := v.Text("body"); !strings.Contains(text, "Ada") {
		t.Errorf("back at the portal, it says %q", text)
	}
	v.visit(invite(t, open, "eve@example.com"), "an invitation for another")
	v.Click("#sign-up-first", "#sign-up")
	if !v.Has("#email[value=\"eve@example.com\"]") {
		t.Error("the address that is invited is to be typed")
	}
	v.wantAccount("eve@example.com")
	v.Click("#sign-up", "#accept")
	v.Click("#accept", "#notice")
	v.says("You belong to Tech Startup Inc now.")
	v.quiet()
}

// Where the answer must not tell who has an account, the rest is in a mail; without
// script.
func TestAnAccountIsMadeByMail(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t, func(c *config.Config) { c.Registration.Enabled, c.Registration.Uniform = true, true })
	v := newTour(t, s)
	v.WithoutScript()
	for _, email := range []string{bob, "ada@example.com"} {
		v.open("/sign-up")
		v.wantAccount(email)
		v.Click("#sign-up", ".seal")
		v.says("Look into your mail")
	}
	v.look("look into your mail")
	if link := box.Next(t, bob, "").Link(); strings.Contains(link, "token=") {
		t.Errorf("who has an account is sent %s", link)
	}
	v.Do(chromedp.Navigate(box.Next(t, "ada@example.com", "").Link()))
	v.Click("#confirm", ".seal")
	v.open("/sign-in")
	v.password("ada@example.com", newWords, "#sign-out")
}

// wantAccount fills the form for an account.
func (v tour) wantAccount(email string) {
	v.t.Helper()
	v.Fill("#full_name", "Ada")
	v.Fill("#email", email)
	v.Fill("#password", newWords)
	v.Fill("#password_confirm", newWords)
}
