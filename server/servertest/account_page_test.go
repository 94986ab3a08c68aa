package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/servertest"
)

func TestASignInLeadsOnToAnInvitationAndNowhereElse(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	startup, err := s.Orgs.Find(t.Context(), "tech-startup")
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := s.Orgs.Invite(t.Context(), audit.Shell(), startup.ID, bob, org.Guest)
	if err != nil {
		t.Fatal(err)
	}
	v := newVisitor(t, s)
	v.leads(v.post("/invitations", "token", token, "answer", "sign-in"), "/sign-in?switch=1")
	v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/invitations?token="+token)
	for _, evil := range []string{
		"https://evil.example/", "//evil.example", "/\\evil.example", "/invitations?token=//evil.example", "/enroll?flow=" + token,
		"/invitations?token=" + token + "/../../x", "/invitations?token=" + strings.ToLower(token), "/oidc/authorize",
	} {
		v := newVisitor(t, s)
		v.setCookie("authy_onward", evil)
		v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/account")
		v = newVisitor(t, s)
		v.post("/invitations", "token", evil, "answer", "sign-in")
		v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/account")
	}
}

func TestWhatAnAnswerCarriesIsForItsOwnSession(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, other := newVisitor(t, s), newVisitor(t, s)
	for _, one := range []visitor{v, other} {
		s.SignIn(t, one.browser, bob, bobPass)
	}
	v.leads(v.post("/account/tokens", "name", "x", "scope", "audit:read", "days", "7"), "/account/tokens")
	sealed := v.cookie("authy_carried")
	if sealed == "" || strings.Contains(sealed, "authy_pat") {
		t.Fatalf("the cookie is %q", sealed)
	}
	other.setCookie("authy_carried", sealed)
	if page := other.get("/account/tokens"); shownToken.MatchString(page.Body) {
		t.Error("another session sees the token")
	}
	if page := v.get("/account/tokens"); !shownToken.MatchString(page.Body) {
		t.Error("the session does not see its token")
	}
	if page := v.get("/account/tokens"); shownToken.MatchString(page.Body) {
		t.Error("the token is shown twice")
	}
}

func TestAnAccountIsDeletedByItsOwnerOnly(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	s.SignIn(t, v.browser, bob, bobPass)
	v.page(v.post("/account/delete", "email", "eve@acme-corp.com"), 400, "This is not your address.")
	v.page(v.post("/account/delete", "email", bob), 200, `id="prove"`)
	v.page(v.post("/account/delete", "email", bob, "password", "wrong"), 401, "This is not your password.")
	v.page(v.post("/account/delete", "email", bob, "password", ""), 401, "This is not your password.")
	v.signedIn(true)
	v.leads(v.post("/account/delete", "email", bob, "password", bobPass), "/account/deleted")
	v.signedIn(false)

	owner := newVisitor(t, s)
	s.SignIn(t, owner.browser, "superadmin@acme-corp.com", "SuperAdmin123!")
	owner.page(owner.post("/account/delete", "email", "superadmin@acme-corp.com", "password", "SuperAdmin123!"), 409, "only owner")
}

func TestTheAccountPageExportsAndSignsOutElsewhere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, other := newVisitor(t, s), newVisitor(t, s)
	for _, one := range []visitor{v, other} {
		s.SignIn(t, one.browser, bob, bobPass)
	}
	page := v.page(v.post("/account/export"), 200, bob)
	if to := page.Response.Header.Get("Content-Disposition"); !strings.HasPrefix(to, "attachment;") {
		t.Errorf("Content-Disposition %q", to)
	}
	v.leads(v.post("/account/sessions/end-others"), "/account/sessions")
	other.signedIn(false)
	v.signedIn(true)
	v.leads(v.get("/.well-known/change-password"), "/account/password")
	v.page(v.get("/account/email"), 200, "sends no mail")
	v.page(v.post("/account/password", "current_password", "x", "password", newer, "password_confirm", "y"), 400, "do not match")
	v.page(v.post("/account/password", "current_password", "x", "password", newer, "password_confirm", newer), 401, "not your password")
	v.page(v.get("/account/organizations/leave?id=x"), http.StatusNotFound, "not a member")
}

func TestWhoOwesASecondFactorMayLeaveAndLittleElse(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	ask, path := demand(t, s, "strict")
	v := newVisitor(t, s)
	s.SignIn(t, v.browser, bob, bobPass)
	ask(org.RequireTOTP, 0)
	for _, closed := range []string{"/account/password", "/account/delete", "/account/email", "/account/export", "/account/tokens", "/account/email/verify"} {
		v.page(v.post(closed, "email", bob, "name", "x"), 403, "requires a second factor")
	}
	v.leads(v.post("/account/organizations/leave", "id", path[len(path)-36:]), "/account/organizations")
	v.page(v.get("/account/password"), 200, `id="save"`)
}
