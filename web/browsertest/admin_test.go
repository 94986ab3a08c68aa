package browsertest_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/servertest"
)

// administrate makes a user of the sample data an administrator, and signs them in.
func (v tour) administrate(email, password string) {
	v.t.Helper()
	u, err := v.s.Accounts.Find(v.t.Context(), email)
	if err == nil {
		_, err = v.s.Accounts.Correct(v.t.Context(), audit.Shell(), u.ID, account.Correction{Admin: new(true)})
	}
	if err != nil {
		v.t.Fatal(err)
	}
	v.open("/sign-in")
	v.password(email, password, "#to-admin")
}

// act goes to the page of an act, looks at it, and does it.
func (v tour) act(path, says string) {
	v.t.Helper()
	v.visit(path, path)
	v.Click("#do", "#notice")
	v.says(says)
}

func TestAnAdministratorGoesAboutTheirWork(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newTour(t, s)
	v.administrate(carol, bobPass)
	v.Click("#to-admin", "#matters")
	v.look("the overview")
	v.Do(chromedp.Navigate(s.URL + "/admin/users"))
	v.look("users")
	v.Click("#add-user", "#field-email")
	v.look("a new user")
	v.Fill("#field-email", "new@example.com")
	v.Click("#create", "#made")
	v.says("/reset-password?token=")
	v.look("a user")

	bobs := servertest.Browser(t)
	s.SignIn(t, bobs, bob, bobPass)
	u, err := s.Accounts.Find(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	path := "/admin/users/" + u.ID
	for _, tab := range []string{"/sign-in", "/sessions", "/access", "/activity"} {
		v.visit(path+tab, tab)
	}
	v.open("/admin/sessions?user=" + url.QueryEscape(bob))
	v.look("sessions")
	v.Click("#main td.end a", "#do")
	v.Click("#do", "#notice")
	v.says("The session has ended.")
	if page := servertest.Get(t, bobs, s.URL+"/account"); page.Location() == nil {
		t.Error("bob is signed in after his session was ended")
	}
	v.act(path+"/do/suspend", "The user is suspended.")
	v.act(path+"/do/activate", "The user is active.")
	v.quiet()
}

func TestAnAdministratorReadsWhatHappens(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newTour(t, s)
	v.administrate(carol, bobPass)
	other := servertest.Browser(t)
	s.SignIn(t, other, bob, bobPass)
	refused := servertest.Get(t, other, s.URL+"/admin")
	_, reference, _ := strings.Cut(refused.Body, `id="reference">`)
	reference, _, _ = strings.Cut(reference, "<")

	v.visit("/admin/audit", "the audit log")
	s.SignIn(t, servertest.Browser(t), bob, bobPass)
	v.Do(chromedp.WaitVisible(chromedp.CSS("#events tr.fresh")))
	v.Fill("#reference", reference)
	v.Click("#look", "#found")
	v.says("GET /admin")
	v.look("a reference")
	v.Click("#events tbody th a", "#chain-heading")
	v.look("an event")
	v.open("/admin/audit/verify")
	v.Click("#run", "#result")
	v.says("whole and in their place")
	v.look("a verified log")
	org := orgID(t, s, "acme-corp")
	for _, path := range []string{"/admin/organizations", "/admin/organizations/" + org, "/admin/organizations/new", "/admin/organizations/" + org + "/do/delete"} {
		v.visit(path, path)
	}
	v.quiet()
}
