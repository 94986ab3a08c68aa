package servertest_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"authy/server/config"
	"authy/server/servertest"
)

// rootVisitor is a browser in which an administrator is signed in.
func rootVisitor(t *testing.T, s *servertest.Server) visitor {
	t.Helper()
	makeAdmin(t, s, root)
	v := newVisitor(t, s)
	s.SignIn(t, v.browser, root, seedPassword(root))
	return v
}

// sendFile sends a form with a file; a file named "" is left out.
func (v visitor) sendFile(path, name string, file []byte, pairs ...string) *servertest.Page {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i+1 < len(pairs); i += 2 {
		if err := form.WriteField(pairs[i], pairs[i+1]); err != nil {
			v.t.Fatal(err)
		}
	}
	part, err := form.CreateFormFile("logo", name)
	if err == nil {
		_, err = part.Write(file)
	}
	if err != nil || form.Close() != nil {
		v.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.s.URL+path, &body)
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Origin", v.s.URL)
	return servertest.Do(v.t, v.browser, req)
}

// shows wants a page of a status that says some texts.
func (v visitor) shows(page *servertest.Page, status int, texts ...string) {
	v.t.Helper()
	if page.Response.StatusCode != status {
		v.t.Errorf("%s: %d, want %d: %s", page.Response.Request.URL, page.Response.StatusCode, status, problemOf(page))
	}
	for _, text := range texts {
		if !strings.Contains(page.Body, text) {
			v.t.Errorf("%s does not say %q:\n%s", page.Response.Request.URL, text, page.Body)
		}
	}
}

func logoBytes(t *testing.T, width, height int) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString(logoOf(t, width, height))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestTheServerIsNamedInAPageAndEveryPageShowsIt(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, stranger, tr := rootVisitor(t, s), newVisitor(t, s), newTrail(t, s)
	v.shows(v.get("/admin/branding"), 200, `value="#0b6b61"`, "preview.css?dark=%2362cdbb&amp;light=%230b6b61")
	page := stranger.get("/sign-in")
	v.shows(page, 200, "<title>Sign in · authy</title>", "/static/favicon.")
	if strings.Contains(page.Body, "/static/brand") {
		t.Error("a server without a brand has a style sheet for it")
	}

	tried := v.sendFile("/admin/branding", "a.png", logoBytes(t, 300, 100), "do", "try", "name", "Acme <b>", "accent_light", "#7a1f5c")
	v.shows(tried, 200, "Preview, not saved yet", "Acme &lt;b&gt;", "light=%237a1f5c", "data:image/png;base64,", `name="drawn"`)
	v.shows(stranger.get("/sign-in"), 200, "<title>Sign in · authy</title>")
	drawn := regexp.MustCompile(`name="drawn" value="([^"]+)"`).FindStringSubmatch(tried.Body)
	if drawn == nil || len(tr.news()) != 0 {
		t.Fatal("the logo that was looked at is not in the form, or something was kept")
	}
	v.leads(v.sendFile("/admin/branding", "", nil, "do", "save", "name", "Acme <b>", "accent_light", "#7a1f5c", "accent_dark", "",
		"drawn", strings.ReplaceAll(drawn[1], "&#43;", "+")), "/admin/branding")
	v.shows(v.get("/admin/branding"), 200, `id="notice"`, "The branding was saved.", "data:image/png;base64,")

	page = stranger.get("/sign-in")
	v.shows(page, 200, "<title>Sign in · Acme &lt;b&gt;</title>", "<span>Acme &lt;b&gt;</span>")
	for pattern, kind := range map[string]string{`/static/brand\.[0-9a-f]+\.css`: "text/css", `/static/brand-logo\.[0-9a-f]+\.png`: "image/png"} {
		path := regexp.MustCompile(pattern).FindString(page.Body)
		file := stranger.get(path)
		h := file.Response.Header
		if path == "" || !strings.HasPrefix(h.Get("Content-Type"), kind) || !strings.Contains(h.Get("Cache-Control"), "immutable") {
			t.Errorf("%s %q: %d %v", pattern, path, file.Response.StatusCode, h)
		}
		old := stranger.get(regexp.MustCompile(`\.[0-9a-f]+\.`).ReplaceAllString(path, ".0123456789ab."))
		if old.Response.StatusCode != 200 || old.Response.Header.Get("Cache-Control") != "no-cache" {
			t.Errorf("with another hash: %d %v", old.Response.StatusCode, old.Response.Header)
		}
	}
	v.shows(v.get("/admin/branding/reset"), 200, "Acme &lt;b&gt;")
	v.leads(v.post("/admin/branding/reset"), "/admin/branding")
	v.shows(stranger.get("/sign-in"), 200, "<title>Sign in · authy</title>")
	v.shows(stranger.get("/static/brand.0123456789ab.css"), 404)
	if news := tr.news(); len(news) != 2 || news[0].Action != "branding.update" || news[1].Action != "branding.reset" {
		t.Errorf("recorded: %+v", news)
	}
}

func TestWhatABrandCannotBeIsSaidAtItsField(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := rootVisitor(t, s)
	page := v.sendFile("/admin/branding", "a.svg", []byte("<svg/>"), "do", "save", "name", strings.Repeat("x", 41),
		"accent_light", "#8ab4f8", "accent_dark", "blue")
	v.shows(page, 400, "At most 40", "On light pages its contrast is 1.93:1", "Not a colour: write it like #62cdbb.", "send PNG, JPEG or WebP",
		`id="field-accent_light-problem"`, `id="field-logo-problem"`, `value="#8ab4f8"`, `value="blue"`)
	v.shows(v.post("/admin/branding", "do", "save", "name", "Acme", "accent_light", "#fff"), 400, "Choose a darker colour.")
	v.shows(v.sendFile("/admin/branding", "a.png", make([]byte, 2<<20), "do", "save"), 400, "could not be read")
	v.shows(v.sendFile("/admin/branding", "", nil, "do", "save", "drawn", "?"), 400, "send PNG")
	for _, query := range []string{"", "?light=%23fff&dark=%2362cdbb", "?light=red&dark=%2362cdbb", "?light=%230b6b61%3B}*{x:y}&dark=%2362cdbb"} {
		v.shows(v.get("/admin/branding/preview.css"+query), 404)
	}
	style := v.get("/admin/branding/preview.css?light=%230b6b61&dark=%2362cdbb")
	v.shows(style, 200, "--accent: #0b6b61", ".brand-preview .dark")
	if kind := style.Response.Header.Get("Content-Type"); kind != "text/css; charset=utf-8" {
		t.Errorf("the preview is %s", kind)
	}
}

func TestOnlyAdministratorsSeeThePagesOfTheServer(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	stranger, member := newVisitor(t, s), newVisitor(t, s)
	s.SignIn(t, member.browser, bob, bobPass)
	for _, path := range []string{
		"/admin/branding", "/admin/branding/reset", "/admin/branding/preview.css", "/admin/settings", "/admin/settings/public-url", "/admin/settings/doctor",
		"/admin/mail", "/admin/keys", "/admin/keys/rotate?alg=ES256", "/admin/keys/retire?kid=x", "/admin/forward-auth",
	} {
		stranger.leads(stranger.get(path), "/sign-in")
		member.shows(member.get(path), 403)
	}
	for _, path := range []string{"/admin/branding", "/admin/branding/reset", "/admin/mail/test", "/admin/keys/rotate", "/admin/keys/retire"} {
		if page := stranger.post(path, "name", "Evil"); page.Response.StatusCode != 303 {
			t.Errorf("a stranger posts %s: %d", path, page.Response.StatusCode)
		}
		member.shows(member.post(path, "name", "Evil", "do", "save"), 403)
	}
	member.shows(member.sendFile("/admin/branding", "a.png", logoBytes(t, 9, 9), "do", "save", "name", "Evil"), 403)
	stranger.shows(stranger.get("/sign-in"), 200, "<title>Sign in · authy</title>")
}

func TestAFormOfAnotherSiteChangesNoBrand(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := rootVisitor(t, s)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/admin/branding/reset", strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "https://evil.example")
	v.shows(servertest.Do(t, v.browser, req), 403, "another site")
	req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/admin/branding", io.NopCloser(strings.NewReader("name=Evil")))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	v.shows(servertest.Do(t, v.browser, req), 403, "another site")
}

func TestSettingsAreFoundWithTheirSourceAndRisk(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.Mail.Host, c.Mail.From, c.Mail.TLS = "127.0.0.1", "a@example.com", config.NoTLS
		c.Mail.Username, c.Mail.Password = "authy", "hunter2-secret"
	}})
	v := rootVisitor(t, s)
	page := v.get("/admin/settings?q=mail.")
	v.shows(page, 200, "AUTHY_MAIL_TLS", "crosses the network in the clear", "1 setting is a weak choice", "noreply@example.com")
	if strings.Contains(page.Body, "hunter2") || strings.Contains(page.Body, "session.lifetime") {
		t.Errorf("a secret is shown, or what was not asked for:\n%s", page.Body)
	}
	v.shows(v.get("/admin/settings?q=%3Cscript%3E"), 200, "No setting matches.", "&lt;script&gt;")
	v.shows(v.get("/admin/settings/public-url"), 200, `id="found-good"`, "It is this server that answers.", s.URL)
}

func TestATestMailIsSentByAPage(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	v := rootVisitor(t, s)
	v.shows(v.get("/admin/mail"), 200, `value="`+root+`"`, "No mail is waiting.")
	v.leads(v.post("/admin/mail/test", "to", root), "/admin/mail")
	v.shows(v.get("/admin/mail"), 200, "The relay took the mail to "+root)
	box.Next(t, root, "A test")
	box.Refuse("<b>@example.com", "550 no")
	box.Refuse("gone@example.com", "550 5.1.1 no <such> mailbox")
	v.shows(v.post("/admin/mail/test", "to", "gone@example.com"), 200, "did not take the mail to gone@example.com", "no &lt;such&gt; mailbox")
	v.shows(v.post("/admin/mail/test", "to", "nonsense"), 400, `id="field-to-problem"`, `value="nonsense"`)

	none := servertest.New(t)
	v = rootVisitor(t, none)
	v.shows(v.get("/admin/mail"), 200, "This server sends no mail.")
	v.shows(v.post("/admin/mail/test", "to", root), 403)
}

func TestMailsThatWaitAndThoseThatWereGivenUpAreShown(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	v := rootVisitor(t, s)
	box.Refuse(bob, "550 5.1.1 no such mailbox")
	post(t, s, "/forgot-password", "email", bob)
	for t.Context().Err() == nil {
		page := v.get("/admin/mail")
		if strings.Contains(page.Body, "Recently given up") {
			v.shows(page, 200, "no such mailbox", "Link for a new password", "Refused by the relay", "1 attempt")
			break
		}
	}
	box.Down(true)
	post(t, s, "/forgot-password", "email", carol)
	for t.Context().Err() == nil {
		page := v.get("/admin/mail")
		if strings.Contains(page.Body, carol) && strings.Contains(page.Body, "field-problem") {
			v.shows(page, 200, "Next attempt")
			break
		}
	}
}

// post sends a form of a stranger.
func post(t *testing.T, s *servertest.Server, path string, pairs ...string) {
	t.Helper()
	newVisitor(t, s).post(path, pairs...)
}

func TestKeysAreReplacedAndRemovedByPages(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, p := rootVisitor(t, s), rooted(t, s)
	old := signs(t, p, "ES256")
	v.shows(v.get("/admin/keys"), 200, old, "RS256", "EdDSA", "PS256", "The next one takes over on")
	v.shows(v.get("/admin/keys/rotate?alg=none"), 404)
	v.shows(v.post("/admin/keys/rotate"), 404)
	v.shows(v.get("/admin/keys/rotate?alg=ES256"), 200, `value="ES256"`)
	v.leads(v.post("/admin/keys/rotate", "alg", "ES256", "when", "later"), "/admin/keys")
	v.shows(v.get("/admin/keys"), 200, "The next key for ES256 is published", "Published since")
	v.shows(v.post("/admin/keys/rotate", "alg", "ES256", "when", "later"), 409, `id="problem"`)
	v.leads(v.post("/admin/keys/rotate", "alg", "ES256", "when", "now"), "/admin/keys")
	if now := signs(t, p, "ES256"); now == old {
		t.Error("the old key signs still")
	}
	v.shows(v.get("/admin/keys/retire?kid="+old), 200, old)
	v.leads(v.post("/admin/keys/retire", "kid", old), "/admin/keys")
	v.shows(v.get("/admin/keys/retire?kid="+old), 404)
	v.shows(v.post("/admin/keys/retire", "kid", signs(t, p, "ES256")), 409)
}
