package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"authy/server/login"
	"authy/server/servertest"
)

func TestAProgramLooksAfterLinkedAccounts(t *testing.T) {
	t.Parallel()
	s, stub := withStub(t)
	comesAs(stub, "sub", "pat", "email", "pat@example.com", "email_verified", true)
	v, p := newVisitor(t, s), apiOf(t, s, bob, bobPass)
	const external = "/api/v1/auth/external"
	offered := p.call("GET", external+"/providers", nil).succeeded(200, "Providers retrieved successfully")
	if list, _ := offered.at("providers").([]any); len(list) != 1 || !strings.Contains(offered.Raw, `"id":"stub"`) {
		t.Errorf("offered are %s", offered.Raw)
	}
	p.call("POST", external+"/providers/none/link", nil).failed(404, "NOT_FOUND", "There is no such way to sign in here, or it is switched off.")
	page := p.call("POST", external+"/providers/stub/link", nil).
		succeeded(200, "Link flow initiated. Redirect to authorization URL.").text("authorization_url")
	path, here := strings.CutPrefix(page, s.URL)
	if !here {
		t.Fatalf("the page is %s, want one of %s", page, s.URL)
	}
	v.leads(v.get(path), "/sign-in")
	s.SignIn(t, v.browser, bob, bobPass)
	fields := v.page(v.get(path), 200, "Link an account").Hidden()
	start := servertest.Post(t, v.browser, s.URL+"/account/identities/link", fields)
	v.leads(servertest.Get(t, v.browser, v.there(v.depart(start))), "/account/security")

	linked := p.call("GET", external+"/linked-accounts", nil).succeeded(200, "Linked accounts retrieved successfully")
	if !strings.Contains(linked.Raw, `"provider_user_id":"pat"`) || linked.at("unlink_available") != true {
		t.Errorf("linked are %s", linked.Raw)
	}
	aged(t, s, userID(t, s, bob))
	p.call("DELETE", external+"/providers/stub/unlink", nil).failed(403, "REAUTHENTICATION_REQUIRED", login.ErrStale.Message)
	p.call("DELETE", external+"/providers/stub/unlink", object{"password": "wrong"}).failed(401, "AUTHENTICATION_ERROR", "Invalid password")
	p.call("DELETE", external+"/providers/stub/unlink", object{"password": bobPass}).
		succeeded(200, "Account unlinked successfully")
	p.call("DELETE", external+"/providers/stub/unlink", object{"password": bobPass}).failed(400, "PROVIDER_NOT_LINKED", "Provider not linked")
	if got := p.call("GET", external+"/linked-accounts", nil); got.Code != http.StatusOK || strings.Contains(got.Raw, "pat") {
		t.Errorf("linked are %s, want none", got.Raw)
	}
}
