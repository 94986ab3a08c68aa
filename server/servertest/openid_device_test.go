package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authy/server/servertest"
)

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	devicePath  = "/oidc/device_authorization"
)

// device asks for the codes of a device of a's.
func (a app) device(t *testing.T, s *servertest.Server, scope string) reply {
	t.Helper()
	r := a.post(t, s, devicePath, url.Values{"scope": {scope}})
	if r.status != http.StatusOK || r.text("device_code") == "" {
		t.Fatalf("device authorization: %d %s", r.status, r.body)
	}
	return r
}

func (r reply) text(name string) string {
	text, _ := r.fields[name].(string)
	return text
}

// poll asks for the tokens of a device.
func (a app) poll(t *testing.T, s *servertest.Server, code string) reply {
	t.Helper()
	return a.post(t, s, tokenPath, url.Values{"grant_type": {deviceGrant}, "device_code": {code}})
}

// typeCode types the code of a device, lets bob sign in if he is asked to, and returns
// the page that asks whether the device may be let in, or what came instead.
func typeCode(t *testing.T, s *servertest.Server, browser *http.Client, code string) *servertest.Page {
	t.Helper()
	page := servertest.Post(t, browser, s.URL+"/device", url.Values{"user_code": {code}})
	for page.Location() != nil {
		page = servertest.Get(t, browser, page.Location().String())
		if strings.Contains(page.Body, `id="sign-in"`) {
			form := with(page.Hidden(), "email", bob, "password", bobPass)
			page = servertest.Post(t, browser, s.URL+"/sign-in", form)
		}
	}
	return page
}

// decideOn answers the page that asks about a device, and returns the last page.
func decideOn(t *testing.T, s *servertest.Server, browser *http.Client, asked *servertest.Page, decision string) *servertest.Page {
	t.Helper()
	if !strings.Contains(asked.Body, `id="allow"`) {
		t.Fatalf("status %d: nobody is asked: %s", asked.Response.StatusCode, asked.Body)
	}
	page := servertest.Post(t, browser, s.URL+"/consent", with(asked.Hidden(), "decision", decision))
	for page.Location() != nil {
		page = servertest.Get(t, browser, page.Location().String())
	}
	return page
}

// deviceSignsIn lets a device of a's in and returns its tokens.
func deviceSignsIn(t *testing.T, s *servertest.Server, a app, browser *http.Client) tokens {
	t.Helper()
	codes := a.device(t, s, allScopes)
	decideOn(t, s, browser, typeCode(t, s, browser, codes.text("user_code")), "allow")
	return a.poll(t, s, codes.text("device_code")).tokens(t)
}
