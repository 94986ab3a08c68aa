package browsertest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
)

// television is an app on a device without a keyboard.
type television struct {
	t *testing.T
	s *servertest.Server
}

func newTelevision(t *testing.T, s *servertest.Server) television {
	t.Helper()
	_, err := s.Clients.Create(t.Context(), audit.Shell(), registry.Registration{
		ClientID: "television", Name: "Television", AuthMethod: registry.AuthNone,
		GrantTypes: []string{deviceGrant, "refresh_token"}, Scopes: []string{"openid", "profile", "email"},
		AccessTokenLifetime: time.Hour, RefreshTokenLifetime: time.Hour, IDTokenLifetime: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return television{t, s}
}

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// ask sends a form, and returns what is answered.
func (d television) ask(path string, form url.Values) map[string]any {
	d.t.Helper()
	form.Set("client_id", "television")
	page := servertest.Post(d.t, http.DefaultClient, d.s.URL+path, form)
	out := map[string]any{}
	if err := json.Unmarshal([]byte(page.Body), &out); err != nil {
		d.t.Fatalf("%s answers %s: %v", path, page.Body, err)
	}
	return out
}

// code asks for a code to be typed; told returns what becomes of it.
func (d television) code() (shown, link string, told func() map[string]any) {
	d.t.Helper()
	answer := d.ask("/oidc/device_authorization", url.Values{"scope": {"openid profile email"}})
	text := func(name string) string { s, _ := answer[name].(string); return s }
	return text("user_code"), text("verification_uri_complete"), func() map[string]any {
		return d.ask("/oidc/token", url.Values{"grant_type": {deviceGrant}, "device_code": {text("device_code")}})
	}
}

func TestADeviceIsConnectedByTheCodeThatItShows(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	tv, v := newTelevision(t, s), newTour(t, s)
	shown, _, told := tv.code()
	v.visit("/device", "device code")
	v.Fill("#user_code", "BBBB-BBBB")
	v.Click("#continue", "#problem")
	v.look("device code refused")
	v.Fill("#user_code", strings.ToLower(shown))
	v.Click("#continue", "#email")
	v.look("sign-in of a device")
	v.password(bob, bobPass, "#allow")
	v.says("Television")
	v.says("If somebody sent you a code or a link, deny it")
	v.look("device asks")
	v.Click("#allow", ".seal")
	v.says("The device is connected")
	v.look("device connected")
	if answer := told(); answer["access_token"] == nil {
		t.Errorf("the device is told %v", answer)
	}

	// By the link that it shows as a picture, without script, and denied.
	v.WithoutScript()
	shown, link, told := tv.code()
	v.Do(chromedp.Navigate(link))
	v.says("Go on only if your device shows this very code.")
	v.look("device code of a link")
	v.Click("#continue", "#allow")
	v.Click("#deny", ".seal")
	v.says("The device was not connected")
	if answer := told(); answer["error"] != "access_denied" {
		t.Errorf("the device with the code %s is told %v", shown, answer)
	}
	v.quiet()
}
