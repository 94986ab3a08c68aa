package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"authy/server/servertest"
)

const (
	pickedOut = `id="chosen-account">` // what the address of the chosen account follows
	knownList = `id="other-accounts"`
)

// stays signs in for good, and out again.
func (v visitor) stays(email string) {
	v.t.Helper()
	v.leads(v.post("/sign-in", "email", email, "password", bobPass, "remember", "yes"), "/account")
	v.post("/sign-out")
}

func TestABrowserRemembersWhoWasToStaySignedIn(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, servertest.New(t))
	v.post("/sign-in", "email", bob, "password", bobPass)
	v.post("/sign-out")
	if page := v.get("/sign-in"); strings.Contains(page.Body, knownList) || v.cookie("authy_accounts") != "" {
		t.Error("who did not ask for it is remembered")
	}
	v.stays(carol)
	v.stays(bob)
	if page := v.get("/sign-in"); !strings.Contains(page.Body, pickedOut+bob) || !strings.Contains(page.Body, carol) {
		t.Errorf("the last to sign in is not offered first: %s", page.Body)
	}
	if page := v.get("/sign-in?switch=1&as=1"); !strings.Contains(page.Body, pickedOut+carol) {
		t.Errorf("the other account is not chosen: %s", page.Body)
	}
	for _, path := range []string{"/sign-in?switch=1", "/sign-in?switch=1&as=2", "/sign-in?switch=1&as=-1", "/sign-in?switch=1&as=x"} {
		if page := v.get(path); strings.Contains(page.Body, pickedOut) || !strings.Contains(page.Body, knownList) {
			t.Errorf("%s chooses an account, or lists none", path)
		}
	}
	page := v.post("/sign-in", "email", bob, "password", "not it")
	if page.Response.StatusCode != http.StatusUnauthorized || !strings.Contains(page.Body, pickedOut+bob) {
		t.Errorf("a wrong password: %d, and somebody else is asked", page.Response.StatusCode)
	}
}

func TestABrowserForgetsAnAccount(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, servertest.New(t))
	v.stays(carol)
	v.stays(bob)
	v.leads(v.post("/sign-in/forget", "account", bob), "/sign-in?switch=1")
	if page := v.get("/sign-in"); strings.Contains(page.Body, bob) || !strings.Contains(page.Body, pickedOut+carol) {
		t.Errorf("bob is not forgotten: %s", page.Body)
	}
	v.leads(v.post("/sign-in/forget", "account", "Carol@Acme-Corp.com", "flow", "//evil.example\r\nX: y"),
		"/sign-in?flow=%2F%2Fevil.example%0D%0AX%3A+y&switch=1")
	if page := v.get("/sign-in"); strings.Contains(page.Body, knownList) || v.cookie("authy_accounts") != "" {
		t.Error("carol is not forgotten")
	}
}

func TestABrowserRemembersFiveAccountsAtMost(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	for range 2 {
		for _, email := range []string{bob, carol} {
			v.stays(email)
		}
	}
	if n := strings.Count(v.get("/sign-in").Body, "/sign-in/forget"); n != 2 {
		t.Errorf("%d accounts are remembered, want 2", n)
	}
	for _, planted := range []string{
		"x", "e30", "bnVsbA", // "{}", "null"
		"W3siZSI6IjEifSx7ImUiOiIyIn0seyJlIjoiMyJ9LHsiZSI6IjQifSx7ImUiOiI1In0seyJlIjoiNiJ9XQ", // six
		"W3siZSI6IiJ9XQ", // one without an address
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/sign-in", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Cookie", "authy_accounts="+planted)
		page := servertest.Do(t, servertest.Browser(t), r)
		if page.Response.StatusCode != http.StatusOK || strings.Contains(page.Body, knownList) {
			t.Errorf("%s is taken for accounts: %d", planted, page.Response.StatusCode)
		}
	}
}

func TestARememberedAccountIsChosenForAnApp(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	v.stays(carol)
	v.stays(bob)
	_, flow := v.asks(acmePortal, "v", "login_hint", carol)
	if page := v.get("/sign-in?flow=" + flow); !strings.Contains(page.Body, pickedOut+carol) {
		t.Errorf("the hint of the app is not heeded: %s", page.Body)
	}
	if page := v.get("/sign-in?flow=" + flow + "&switch=1&as=0"); !strings.Contains(page.Body, pickedOut+bob) {
		t.Errorf("the choice is not heeded: %s", page.Body)
	}
	v.post("/sign-in", "email", bob, "password", bobPass)
	_, flow = v.asks(acmePortal, "v", "prompt", "select_account")
	page := v.get("/choose-account?flow=" + flow)
	if !strings.Contains(page.Body, carol) || strings.Count(page.Body, "as=") != 1 {
		t.Errorf("the choice does not list the other account alone: %s", page.Body)
	}
}
