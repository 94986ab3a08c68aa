package servertest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"image"
	"image/png"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"authy/server/config"
	"authy/server/servertest"
)

// logoOf is a picture, base64.
func logoOf(t *testing.T, width, height int) string {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(out.Bytes())
}

func TestAdministratorsChooseWhatTheServerIsCalledAndHowItLooks(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p, tr := rooted(t, s), newTrail(t, s)
		const path, got = "/api/v1/admin/branding", "Branding retrieved successfully"
		if o := p.call("GET", path, nil).succeeded(200, got); o.text("branding", "name") != "authy" || o.at("branding", "logo") != nil {
			t.Errorf("before: %s", o.Raw)
		}
		o := p.call("PATCH", path, object{"name": "Acme", "accent_light": "#7A1F5C", "logo": logoOf(t, 200, 50)}).
			succeeded(200, "Branding updated successfully")
		if o.text("branding", "name") != "Acme" || o.text("branding", "accent_light") != "#7a1f5c" ||
			o.at("branding", "dark_follows") != true || o.text("branding", "logo") == "" {
			t.Errorf("after: %s", o.Raw)
		}
		o = p.call("PATCH", path, object{"logo": nil, "accent_dark": "#f0a6d5"}).succeeded(200, "Branding updated successfully")
		if o.text("branding", "name") != "Acme" || o.at("branding", "logo") != nil || o.at("branding", "dark_follows") != false {
			t.Errorf("after the logo was taken away: %s", o.Raw)
		}
		for _, c := range []struct {
			body  object
			field string
		}{
			{object{"accent_light": "#8ab4f8"}, "accent_light"},
			{object{"name": strings.Repeat("x", 41)}, "name"},
			{object{"logo": "?"}, "logo"},
			{object{"logo": base64.StdEncoding.EncodeToString([]byte("<svg/>"))}, "logo"},
			{object{"color": "#000000"}, "color"},
			{object{"name": 5}, "name"},
		} {
			if o := p.call("PATCH", path, c.body).failed(400, "VALIDATION_ERROR", ""); !strings.Contains(o.Raw, `"`+c.field) {
				t.Errorf("%v is refused as %s", c.body, o.Raw)
			}
		}
		p.call("DELETE", path, nil).succeeded(200, "Branding reset successfully")
		if o := p.call("GET", path, nil).succeeded(200, got); o.text("branding", "name") != "authy" || o.at("branding", "updated_at") != nil {
			t.Errorf("after the reset: %s", o.Raw)
		}
		var actions []string
		for _, e := range tr.news() {
			actions = append(actions, e.Action)
		}
		if got := strings.Join(actions, " "); got != "branding.update branding.update branding.reset" {
			t.Errorf("recorded: %s", got)
		}
	})
}

func TestTheNameOfTheServerIsInMailsAndAuthenticators(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t, func(c *config.Config) { c.Mail.From = "noreply@example.com" })
	p := rooted(t, s)
	p.call("PATCH", "/api/v1/admin/branding", object{"name": "Acme: Ümläut & Co"}).succeeded(200, "Branding updated successfully")
	o := p.call("POST", "/api/v1/auth/totp/enroll", nil)
	uri := o.text("provisioning_uri")
	if !strings.HasPrefix(uri, "otpauth://totp/Acme%20%C3%9Cml%C3%A4ut%20&%20Co:") ||
		!strings.Contains(uri, "issuer=Acme%20%C3%9Cml%C3%A4ut%20%26%20Co") {
		t.Errorf("the authenticator is told %s", o.Raw)
	}
	began := raw(t, http.MethodPost, s.URL+"/api/v1/auth/webauthn/register/begin", "{}", func(r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+p.token)
		r.Header.Set("Content-Type", "application/json")
	})
	if !strings.Contains(began.body, `"rp":{"name":"Acme: Ümläut & Co",`) && !strings.Contains(began.body, `"rp":{"name":"Acme: Ümläut \u0026 Co",`) {
		t.Errorf("passkeys are told %s", began.body)
	}
	sent := p.call("POST", "/api/v1/admin/mail/test", object{}).succeeded(200, "Test mail tried")
	if sent.at("sent") != true || sent.text("to") != root {
		t.Fatalf("%s", sent.Raw)
	}
	letter := box.Next(t, root, "A test")
	if !strings.Contains(letter.Text, "Acme: Ümläut & Co at "+s.URL) {
		t.Errorf("the mail says %q", letter.Text)
	}
	if !strings.Contains(sender(t, letter), "Acme: Ümläut & Co") {
		t.Errorf("the mail comes from %q", sender(t, letter))
	}
}

// sender is whom a letter says that it is from.
func sender(t *testing.T, l *servertest.Letter) string {
	t.Helper()
	from, err := new(mime.WordDecoder).DecodeHeader(l.Header.Get("From"))
	if err != nil {
		t.Fatal(err)
	}
	return from
}

func TestAdministratorsSeeSettingsWithoutSecretsAndWhereTheyComeFrom(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.Mail.Host, c.Mail.From, c.Mail.Username, c.Mail.Password = "127.0.0.1", "a@example.com", "authy", "hunter2-secret"
		c.Mail.TLS = config.NoTLS
	}})
	p := rooted(t, s)
	o := p.call("GET", "/api/v1/admin/settings", nil).succeeded(200, "Settings retrieved successfully")
	if strings.Contains(o.Raw, "hunter2") || strings.Contains(o.Raw, s.Config.Security.SecretKey.Reveal()) {
		t.Errorf("a secret is shown: %s", o.Raw)
	}
	found := map[string]map[string]any{}
	list, _ := o.at("settings").([]any)
	for _, one := range list {
		setting, _ := one.(map[string]any)
		found[setting["key"].(string)] = setting //nolint:forcetypeassert // the contract says so
	}
	if one := found["mail.password"]; one["value"] != "[set]" || one["variable"] != "AUTHY_MAIL_PASSWORD" || one["meaning"] != "The password for that." {
		t.Errorf("mail.password: %v", one)
	}
	if risk, _ := found["mail.tls"]["risk"].(string); !strings.Contains(risk, "in the clear") {
		t.Errorf("mail.tls: %v", found["mail.tls"])
	}
}

func TestAdministratorsSeeWhetherMailGetsAway(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	p, tr := rooted(t, s), newTrail(t, s)
	box.Refuse("nobody@example.com", "550 5.1.1 no such <mailbox>")
	o := p.call("POST", "/api/v1/admin/mail/test", object{"to": "nobody@example.com"}).succeeded(200, "Test mail tried")
	if o.at("sent") != false || !strings.Contains(o.text("said"), "no such <mailbox>") {
		t.Errorf("a test that is refused: %s", o.Raw)
	}
	p.call("POST", "/api/v1/admin/mail/test", object{"to": "nonsense"}).failed(400, "VALIDATION_ERROR", "")
	p.call("POST", "/api/v1/admin/mail/test", object{"to": "ok@example.com"}).succeeded(200, "Test mail tried")
	box.Next(t, "ok@example.com", "A test")
	events := tr.news()
	if len(events) != 2 || events[0].Action != "mail.test" || events[0].Outcome != "failure" || events[1].Outcome != "success" ||
		!strings.Contains(events[1].Details, "ok@example.com") {
		t.Errorf("recorded: %+v", events)
	}
	o = p.call("GET", "/api/v1/admin/mail", nil).succeeded(200, "Mail retrieved successfully")
	if o.at("enabled") != true || o.at("count") != 0.0 || o.text("relay") == "" {
		t.Errorf("%s", o.Raw)
	}
	p.call("GET", "/api/v1/admin/mail?cursor=%3F", nil).failed(400, "VALIDATION_ERROR", "")
	for range 10 {
		p.call("POST", "/api/v1/admin/mail/test", object{"to": "ok@example.com"})
	}
}

func TestTestMailIsLimited(t *testing.T) {
	t.Parallel()
	s, _ := servertest.WithMail(t, func(c *config.Config) { c.RateLimit.Enabled = true })
	p := rooted(t, s)
	for range 10 {
		p.call("POST", "/api/v1/admin/mail/test", object{}).succeeded(200, "Test mail tried")
	}
	if o := p.call("POST", "/api/v1/admin/mail/test", object{}); o.Code != http.StatusTooManyRequests {
		t.Errorf("the eleventh: %s", o.Raw)
	}
}

func TestTheServerFindsItselfAtItsPublicURL(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := rooted(t, s)
	o := p.call("POST", "/api/v1/admin/public-url/check", nil).succeeded(200, "Public URL checked")
	if o.at("ok") != true || o.text("url") != s.URL || strings.Contains(o.Raw, `"ok":false`) {
		t.Errorf("%s", o.Raw)
	}
	for path, want := range map[string]int{"/api/health/self": 400, "/api/health/self?challenge=x": 404} {
		if r := raw(t, http.MethodGet, s.URL+path, "", nil); r.status != want || strings.Contains(r.body, "proof") {
			t.Errorf("%s answers %d %s", path, r.status, r.body)
		}
	}
}

// Only a node of the server can make a challenge; the answer to one proves that it is the server's.
func TestTheServerAnswersItsOwnChallenge(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	mark := func(purpose, text string) string { return hex.EncodeToString(s.DB.MAC("public URL "+purpose, text)) }
	for age, want := range map[time.Duration]int{0: 200, 10 * time.Minute: 404} {
		text := strconv.FormatInt(time.Now().Add(-age).UnixMilli(), 36) + ".random"
		challenge := text + "." + mark("asked", text)
		o := caller{t: t, s: s}.call("GET", "/api/health/self?challenge="+challenge, nil)
		if o.Code != want || want == 200 && o.text("proof") != mark("answered", challenge) {
			t.Errorf("a challenge of %s ago is answered %s", age, o.Raw)
		}
	}
}
