package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"authy/server/registry"
	"authy/server/servertest"
)

func TestThePagesShowTheAppAndAllowItsLogoAlone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	shop := register(t, s, registry.Registration{
		ClientID: "shop", Secret: "a secret of its own", Name: "Shop", LogoURI: "https://cdn.example/logo%3B.png?size=64",
		ClientURI: "https://shop.example/", PolicyURI: "https://shop.example/policy", TOSURI: "https://shop.example/terms",
	})
	v := newVisitor(t, s)
	_, flow := v.asks(shop, "v")
	check := func(path string) {
		t.Helper()
		page := v.get(path + "?flow=" + flow)
		for _, want := range []string{
			`<img class="logo" src="https://cdn.example/logo%3B.png?size=64" alt=""`, `referrerpolicy="no-referrer"`, `data-letter="S"`,
			`<a href="https://shop.example/" rel="noopener noreferrer">shop.example</a>`,
			`<a id="policy" href="https://shop.example/policy" rel="noopener noreferrer">`,
			`<a id="terms" href="https://shop.example/terms" rel="noopener noreferrer">`,
		} {
			if !strings.Contains(page.Body, want) {
				t.Errorf("%s lacks %s: %s", path, want, page.Body)
			}
		}
		policy := page.Response.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "; img-src 'self' data: https://cdn.example/logo%3B.png; ") {
			t.Errorf("%s: policy %s", path, policy)
		}
	}
	check("/sign-in")
	check("/sign-up")
	v.leads(v.post("/sign-in", "flow", flow, "email", bob, "password", bobPass), "/consent?flow="+flow)
	check("/consent")
	_, flow = v.asks(shop, "v", "prompt", "select_account")
	check("/choose-account")

	plain := register(t, s, registry.Registration{ClientID: "plain", Secret: "a secret of its own", Name: "Plain"})
	v = newVisitor(t, s)
	_, flow = v.asks(plain, "v")
	page := v.get("/sign-in?flow=" + flow)
	if policy := page.Response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "img-src 'self' data:; ") {
		t.Errorf("an app without a logo: policy %s", policy)
	}
	if strings.Contains(page.Body, `id="policy"`) || strings.Contains(page.Body, "<img") {
		t.Errorf("an app without a logo and papers: %s", page.Body)
	}
}

func TestARefusalHelpsThePersonAndTheBuilder(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	page := servertest.Get(t, servertest.Browser(t), authorizeURL(s, with(acmePortal.request("v"), "redirect_uri", "https://evil.example/")))
	refusedHere(t, page, "redirect_uri")
	for _, want := range []string{
		"You have done nothing wrong", "Go back to the app", "For whoever builds the app", "<code>invalid_request</code>",
		"They must be the same to the letter.", `<code id="reference">` + page.Response.Header.Get("X-Request-Id"),
	} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page lacks %q: %s", want, page.Body)
		}
	}
	if strings.Contains(page.Body, "evil.example") {
		t.Error("the page repeats what was sent to somebody who does not administer the server")
	}
	page = servertest.Get(t, servertest.Browser(t), authorizeURL(s, with(acmePortal.request("v"), "client_id", "nope")))
	refusedHere(t, page, "client_id")
	if page.Response.StatusCode != http.StatusBadRequest || !strings.Contains(page.Body, "<code>unauthorized_client</code>") {
		t.Errorf("%d %s", page.Response.StatusCode, page.Body)
	}
}

// AZ-33: every answer says whose it is.
func TestEveryAnswerNamesItsIssuer(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	for _, mode := range []string{"query", "fragment", "form_post"} {
		for _, c := range []struct{ parameter, value, want string }{
			{"prompt", "none", "error"},
			{"scope", "", "error"},
			{"response_type", "token", "error"},
			{"code_challenge", "", "error"},
			{"scope", "openid", "code"},
		} {
			values := acmePortal.answered(t, s, browser, "response_mode", mode, c.parameter, c.value)
			if len(values["iss"]) != 1 || values.Get("iss") != s.URL || !values.Has(c.want) {
				t.Errorf("AZ-33 %s, %s=%s: %v", mode, c.parameter, c.value, values)
			}
		}
		browser = servertest.Browser(t)
	}
}
