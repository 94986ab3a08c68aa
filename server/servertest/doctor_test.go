package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"authy/server/config"
	"authy/server/servertest"
)

func TestTheServerExaminesItselfForAdministrators(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := rootVisitor(t, s)
	v.shows(v.get("/admin"), 200, `href="/admin/settings/doctor"`, "Examine this set-up")
	v.shows(v.get("/admin/settings/doctor"), 200, `id="doctor-good"`, "Everything is as it should be.", "authy doctor")
	o := rooted(t, s).call("POST", "/api/v1/admin/doctor", nil).succeeded(200, "Set-up examined")
	if o.at("ok") != true || o.at("count") != float64(0) {
		t.Errorf("%s", o.Raw)
	}
}

func TestWhatIsWrongWithASetUpIsSaidToAdministrators(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t, func(c *config.Config) { c.OpenID.Implicit = true })
	box.Down(true)
	v := rootVisitor(t, s)
	v.shows(v.get("/admin/settings/doctor"), 200, `id="doctor-bad"`, "<code><bdi>mail</bdi></code>", "takes no mail", "421",
		"<code><bdi>openid.implicit</bdi></code>", "clients of the profile legacy can have tokens")
	v.post("/language", "language", "de", "to", "/admin/settings/doctor")
	v.shows(v.get("/admin/settings/doctor"), 200, "nimmt keine E-Mail an", "Etwas stimmt nicht", "Clients des Profils legacy")
	o := rooted(t, s).call("POST", "/api/v1/admin/doctor", nil).succeeded(200, "Set-up examined")
	if o.at("ok") != false || o.at("count") != float64(2) || !strings.Contains(o.Raw, `"name":"mail"`) {
		t.Errorf("%s", o.Raw)
	}
}

func TestASetUpIsNotExaminedWithoutEnd(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.RateLimit.Enabled = true }})
	p := rooted(t, s)
	for range 20 {
		p.call("POST", "/api/v1/admin/doctor", nil).succeeded(200, "Set-up examined")
	}
	if o := p.call("POST", "/api/v1/admin/doctor", nil); o.Code != http.StatusTooManyRequests {
		t.Errorf("the twenty-first: %s", o.Raw)
	}
}
