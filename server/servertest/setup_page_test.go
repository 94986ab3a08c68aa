package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"authy/server/servertest"
)

// firstAdmin opens an empty server as its first administrator.
func firstAdmin(t *testing.T) visitor {
	t.Helper()
	s := servertest.Start(t, servertest.Options{Empty: true})
	link, err := s.Accounts.NewSetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := newVisitor(t, s)
	v.leads(v.post("/setup", "token", link, "email", "root@example.com", "full_name", "Root",
		"password", passphrase, "password_confirm", passphrase), "/setup/next")
	return v
}

func TestTheStepsOfANewServerAreLeftAndComeBackTo(t *testing.T) {
	t.Parallel()
	v := firstAdmin(t)
	if page := v.get("/setup/next"); !strings.Contains(page.Body, "0 of 4 done") || strings.Contains(page.Body, `id="to-setup"`) {
		t.Errorf("the steps: %s", page.Body)
	}
	if page := v.get("/account"); !strings.Contains(page.Body, `id="to-setup"`) {
		t.Error("nothing leads back to the steps")
	}
	for step, to := range map[string]string{
		"address": "/admin/settings/public-url", "mail": "/admin/mail", "app": "/admin/clients/new",
	} {
		v.leads(v.post("/setup/next", "step", step), to)
	}
	// Nothing counts because its page was asked for.
	if page := v.get("/setup/next"); !strings.Contains(page.Body, "0 of 4 done") {
		t.Errorf("before anything was done: %s", page.Body)
	}
	v.get("/admin/settings/public-url")
	if page := v.get("/setup/next"); !strings.Contains(page.Body, "1 of 4 done") {
		t.Errorf("after the address was checked: %s", page.Body)
	}
	v.leads(v.post("/setup/next", "step", "//evil.example"), "/admin")
	if page := v.get("/account"); strings.Contains(page.Body, `id="to-setup"`) || v.cookie("authy_setup") != "" {
		t.Error("the steps go on after their end")
	}
	if page := v.get("/setup/next"); page.Response.StatusCode != http.StatusOK || v.cookie("authy_setup") == "" {
		t.Errorf("who comes back gets %d", page.Response.StatusCode)
	}
}

func TestTheStepsOfANewServerAreForAdministrators(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	v.leads(v.get("/setup/next"), "/sign-in")
	v.setCookie("authy_setup", "begun")
	v.post("/sign-in", "email", bob, "password", bobPass)
	for _, page := range []*servertest.Page{v.get("/setup/next"), v.post("/setup/next", "step", "app")} {
		if page.Response.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %d, want 403", page.Response.Request.URL, page.Response.StatusCode)
		}
	}
	if page := v.get("/account"); strings.Contains(page.Body, `id="to-setup"`) {
		t.Error("the header leads bob to the steps")
	}
}
