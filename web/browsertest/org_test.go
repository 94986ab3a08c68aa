package browsertest_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/org"
	"authy/server/servertest"
)

// choose chooses a value of a list.
func (v tour) choose(selector, value string) {
	v.t.Helper()
	v.Do(chromedp.SetValue(chromedp.CSS(selector), value))
}

// lookAt wants the page there to keep nobody out.
func (v tour) lookAt(home string, paths ...string) {
	v.t.Helper()
	for _, path := range paths {
		v.open(home + path)
		v.Do(chromedp.WaitVisible(chromedp.CSS("h1")))
		v.look(path)
	}
}

// The life of an organization, from its beginning to its end, by two people in
// two browsers.
func TestAnOrganizationIsMadeFilledHandedOverAndDeleted(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	v, w := newTour(t, s), newTour(t, s)
	v.open("/sign-in")
	v.password(bob, bobPass, "#sign-out")
	v.open("/organizations")
	v.look("organizations")
	v.Click("#new-organization", "#create")
	v.look("a new one")
	v.Fill("#field-name", "Bob & Daughters")
	v.Fill("#field-slug", "bob-daughters")
	v.Click("#create", "#notice")
	v.says("Your organization is ready.")
	home := "/organizations/" + orgID(t, s, "bob-daughters")

	v.Click("#invite", "#send-invitation")
	v.look("inviting")
	v.Fill("#field-email", carol)
	v.choose("#field-role", "member")
	v.Click("#send-invitation", "#notice")
	v.says("The invitation is on its way to " + carol)
	v.look("invitations")

	w.Do(chromedp.Navigate(box.Next(t, carol, "invit").Link()))
	w.Click("#sign-in-first", "#email")
	w.password(carol, bobPass, "#accept")
	w.Click("#accept", "#notice")
	w.open(home)
	w.Do(chromedp.WaitVisible(chromedp.CSS("#leave")))
	w.look("a member's overview")
	if w.Has(`a[href$="/security"]`) || !w.Has(`a[href$="/members"]`) {
		t.Error("the navigation shows a member what is not theirs, or lacks what is")
	}

	v.open(home + "/members")
	v.Fill("#q", "carol")
	v.Do(chromedp.Submit(chromedp.CSS("#q")), chromedp.WaitVisible(chromedp.CSS("tbody a")))
	v.look("members")
	v.Click("tbody a", "#save-role")
	v.look("a member")
	v.choose("#field-role", "admin")
	v.Click("#save-role", "#notice")
	v.says("The role is changed.")

	v.open(home + "/security")
	v.choose("#field-mfa_policy_mode", org.RequireEither)
	v.Click("#save-policy", "#notice")
	v.says("Has time left")
	v.look("who meets the rule")
	v.open(home)
	v.says("2 members have yet to set up a second factor.")
	v.lookAt(home, "", "/audit", "/tokens", "/new-token", "/settings")

	v.open(home + "/members")
	v.Click("a[href^='"+home+"/members/']:not([href$='"+userOf(t, s, bob)+"'])", "#transfer")
	v.Click("#transfer", "#confirm-it")
	v.look("handing over")
	v.Fill("#confirm", "bob-daughters")
	v.Click("#confirm-it", "#notice")
	v.says("You are an admin now.")

	w.open(home + "/settings")
	w.Click("#delete-organization", "#confirm-it")
	w.look("deleting")
	w.Fill("#confirm", "something else")
	w.Click("#confirm-it", "#problem")
	w.Fill("#confirm", "bob-daughters")
	w.Click("#confirm-it", "#notice")
	w.says("The organization is deleted.")
	if said := w.Text("main"); strings.Contains(said, "Daughters") {
		t.Errorf("it is there still: %s", said)
	}
	v.quiet()
	w.quiet()
}

func userOf(t *testing.T, s *servertest.Server, email string) string {
	t.Helper()
	u, err := s.Accounts.Find(t.Context(), email)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}
