package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"authy/server/servertest"
)

// in wants a page in a language, which says text.
func (v visitor) in(page *servertest.Page, language, text string) {
	v.t.Helper()
	if !strings.Contains(page.Body, `<html lang="`+language+`"`) || !strings.Contains(page.Body, text) {
		v.t.Errorf("%s is not in %s, or does not say %q: %s", page.Response.Request.URL, language, text, page.Body)
	}
}

// OpenID Connect Core 1.0, section 3.1.2.1: ui_locales are the languages in order of
// preference; none that is supported is no error.
func TestTheLanguageOfTheAppIsThatOfTheWholeSignIn(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, servertest.New(t))
	_, flow := v.asks(acmePortal, "v", "ui_locales", "fr-CA de es")
	v.in(v.get("/sign-in?flow="+flow), "de", "weiter zu")
	page := v.post("/sign-in", "flow", flow, "email", bob, "password", "not it")
	v.in(page, "de", "weiter zu")
	if page.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a wrong password: %d", page.Response.StatusCode)
	}
	if !strings.Contains(page.Body, `name="to" value="/sign-in?flow=`+flow+`"`) {
		t.Error("choosing a language would lead out of the sign-in")
	}
	v.leads(v.post("/sign-in", "flow", flow, "email", bob, "password", bobPass), "/consent?flow="+flow)
	v.in(v.get("/consent?flow="+flow), "de", "möchte Ihr Konto verwenden")

	_, flow = v.asks(acmePortal, "v", "ui_locales", "es", "prompt", "select_account")
	v.in(v.get("/choose-account?flow="+flow), "es", "Elige una cuenta")
	_, flow = v.asks(acmePortal, "v", "ui_locales", "se xx-klingon", "prompt", "login")
	v.in(v.get("/sign-in?flow="+flow), "en", "to continue to")
	v.in(v.get("/account"), "en", bob)
}

func TestTheLanguageThatSomeoneChoosesComesBeforeThatOfTheApp(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	_, flow := v.asks(acmePortal, "v", "ui_locales", "de")
	page := "/sign-in?flow=" + flow
	other := newVisitor(t, s)
	other.leads(other.post("/language", "language", "es", "to", page), page)
	v.in(v.get(page), "de", "weiter zu")
	v.leads(v.post("/language", "language", "es", "to", page), page)
	v.in(v.get(page), "es", "para continuar en")
	v.leads(v.post("/language", "language", "en", "to", "/sign-in?flow=none"), "/sign-in?flow=none")
	v.in(v.get("/sign-in"), "en", "Sign in")
	_, flow = v.asks(acmePortal, "v", "ui_locales", "de")
	v.in(v.get("/sign-in?flow="+flow), "de", "weiter zu")
}
