package browsertest_test

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"authy/server/servertest"
)

func TestASAMLServiceIsAddedInAPageAndSignedInTo(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newTour(t, s)
	service, home := startStubService(t)
	v.open("/sign-in")
	v.password("admin@acme-corp.com", "AdminPass123!", "#sign-out")
	v.open("/organizations/" + orgID(t, s, "acme-corp") + "/saml")
	v.look("no SAML services")
	v.Click("#add", "#field-metadata")
	v.look("a new SAML service")
	v.Click("#save", "#problem")
	v.look("a new SAML service refused")
	v.Do(chromedp.SetValue(chromedp.CSS("#field-metadata"), service.document(t)))
	v.Fill("#field-name", "The <b>Wiki</b>")
	v.Do(chromedp.SendKeys(chromedp.CSS("#field-attributes"), "mail=email"))
	v.Click("#save", "#notice")
	v.says("The <b>Wiki</b> is added.")
	v.says(home + "/acs")
	v.look("a SAML service")
	service.know(t, s)
	v.Do(chromedp.Navigate(home+"/enter"), chromedp.WaitVisible(chromedp.CSS("#person")))
	if text := v.Text("#person"); strings.TrimSpace(text) != "admin@acme-corp.com" {
		t.Errorf("the service has learned %q", text)
	}

	v.open("/organizations/" + orgID(t, s, "acme-corp") + "/saml")
	v.look("SAML services")
	v.Click("tbody a", "#change")
	v.Click("#change", "#field-name")
	v.look("a SAML service that is changed")
	v.Click("#save", "#notice")
	v.Click("#remove", "button#remove")
	v.look("a SAML service that is removed")
	v.Click("#remove", "#notice")
	v.quiet()
}
