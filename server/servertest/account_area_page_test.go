package servertest_test

import (
	"bytes"
	"crypto/rand"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/org"
	"authy/server/servertest"
)

// accountPages are the pages of an account, and what each says.
var accountPages = map[string]string{
	"/account": "Bob Builder", "/account/profile": "Email address", "/account/security": "Passkeys",
	"/account/sessions": "This device", "/account/apps": "You have not let any app", "/account/tokens": "You have no API tokens.",
	"/account/organizations": "Acme Corporation", "/account/activity": "Signed in", "/account/data": "Save a copy",
}

func TestAnAccountIsForItsOwner(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, stranger := newVisitor(t, s), newVisitor(t, s)
	s.SignIn(t, v.browser, bob, bobPass)
	for path, says := range accountPages {
		v.page(v.get(path), 200, says)
		stranger.leads(stranger.get(path), "/sign-in")
	}
	for _, path := range []string{"/account/profile", "/account/picture/delete", "/account/organizations/answer"} {
		stranger.leads(stranger.post(path, "full_name", "Eve"), "/sign-in")
	}
	// Who must set a second factor up first sees all of it, and changes nothing.
	ask, _ := demand(t, s, "strict")
	ask(org.RequireTOTP, 0)
	for path := range accountPages {
		v.page(v.get(path), 200, "")
	}
	for _, path := range []string{"/account", "/account/security"} {
		v.page(v.get(path), 200, "It has been due since")
	}
	for _, path := range []string{"/account/profile", "/account/picture/delete", "/account/organizations/answer"} {
		v.page(v.post(path, "full_name", "Eve"), 403, "requires a second factor")
	}
}

func TestAProfileIsSavedAsItIsTyped(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	s.SignIn(t, v.browser, bob, bobPass)
	tr := newTrail(t, s)
	page := v.page(v.post("/account/profile", "full_name", "Typed <b>", "phone_number", "044", "birthdate", "soon"), 400, "Not a valid phone number.")
	if !strings.Contains(page.Body, `value="Typed &lt;b&gt;"`) || !strings.Contains(page.Body, "<details open>") {
		t.Errorf("what was typed is gone: %s", page.Body)
	}
	tr.wants("refused")
	v.leads(v.post("/account/profile", "full_name", "Robert", "locale", "de", "zoneinfo", "Europe/Zurich", "status", "suspended"), "/account/profile")
	tr.wants("saved", "user.update success by user to user")
	page = v.page(v.get("/account/profile"), 200, "Ihr Profil ist gespeichert.")
	if !strings.Contains(page.Body, `<html lang="de"`) || !strings.Contains(page.Body, `value="Europe/Zurich"`) {
		t.Errorf("the page is %s", page.Body)
	}
	v.leads(v.post("/account/profile", "locale", "fr-CA"), "/account/profile")
	v.page(v.get("/account/profile"), 200, `<option value="fr-CA" selected lang="und">fr-CA</option>`)
}

// upload sends a form with a file.
func (v visitor) upload(field, kind string, file []byte, headers ...string) *servertest.Page {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="` + field + `"; filename="../../x.html"`}, "Content-Type": {"text/html"},
	})
	if err == nil {
		_, err = part.Write(file)
	}
	if err == nil {
		err = form.Close()
	}
	if err != nil {
		v.t.Fatal(err)
	}
	if kind == "" {
		kind = form.FormDataContentType()
	}
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.s.URL+"/account/picture", &body)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return servertest.Do(v.t, v.browser, r)
}

func TestAPictureIsSentByAForm(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	picture := drawing(t, 300)
	v.leads(v.upload("picture", "", picture), "/sign-in")
	s.SignIn(t, v.browser, bob, bobPass)
	for name, page := range map[string]*servertest.Page{
		"Choose a picture first.":      v.upload("another", "", picture),
		"Not a PNG, JPEG, WebP or GIF": v.upload("picture", "", []byte("<script>alert(1)</script>")),
		"Larger than 5 MB.":            v.upload("picture", "", bytes.Repeat(picture, 5<<20/len(picture)+1)),
		"The form could not be read":   v.upload("picture", "application/x-www-form-urlencoded", picture),
	} {
		v.page(page, 400, name)
	}
	v.page(v.upload("picture", "", picture, "Origin", "https://evil.example"), 403, "sent by another site")
	tr := newTrail(t, s)
	v.leads(v.upload("picture", "", picture), "/account/profile")
	tr.wants("the picture", "user.update success by user to user")
	page := v.page(v.get("/account"), 200, `src="/pictures/`)
	_, after, _ := strings.Cut(page.Body, `src="/pictures/`)
	path, _, _ := strings.Cut("/pictures/"+after, `"`)
	if res, body := fetch(t, s.URL+path); res.StatusCode != 200 || !bytes.HasPrefix(body, []byte("\xff\xd8\xff")) {
		t.Errorf("%s: %d", path, res.StatusCode)
	}
	v.leads(v.post("/account/picture/delete"), "/account/profile")
	if page := v.get("/account"); strings.Contains(page.Body, "/pictures/") {
		t.Error("it is still shown")
	}
}

func TestAnInvitationIsAnsweredOnThePage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	startup, err := s.Orgs.Find(t.Context(), "tech-startup")
	if err != nil {
		t.Fatal(err)
	}
	invite := func(email string) string {
		t.Helper()
		i, _, err := s.Orgs.Invite(t.Context(), audit.Shell(), startup.ID, email, org.Guest)
		if err != nil {
			t.Fatal(err)
		}
		return i.ID
	}
	v, eve := newVisitor(t, s), newVisitor(t, s)
	s.SignIn(t, v.browser, bob, bobPass)
	s.SignIn(t, eve.browser, "eve@acme-corp.com", bobPass)
	id := invite(bob)
	v.page(v.get("/account"), 200, "Tech Startup Inc invites you.")
	v.page(v.get("/account/organizations"), 200, id)
	if page := eve.get("/account/organizations"); strings.Contains(page.Body, id) {
		t.Error("eve sees what is for bob")
	}
	for _, answer := range []string{"accept", "decline"} {
		eve.page(eve.post("/account/organizations/answer", "id", id, "answer", answer), 404, "for another address")
		v.page(v.post("/account/organizations/answer", "id", "\x00", "answer", answer), 404, "")
	}
	tr := newTrail(t, s)
	v.leads(v.post("/account/organizations/answer", "id", id, "answer", "decline"), "/account/organizations")
	tr.wants("declined", "org.invitation.decline success by user to invitation")
	v.page(v.post("/account/organizations/answer", "id", id, "answer", "accept"), 404, "has been answered")
	id = invite(bob)
	v.leads(v.post("/account/organizations/answer", "id", id, "answer", "accept"), "/account/organizations")
	page := v.page(v.get("/account/organizations"), 200, "You belong to Tech Startup Inc now.")
	if strings.Contains(page.Body, id) {
		t.Error("what is answered is still offered")
	}

	// Whoever has not shown that an address is theirs needs the secret that was mailed to it.
	registered(t, s, "mallory@example.com")
	mallory := newVisitor(t, s)
	s.SignIn(t, mallory.browser, "mallory@example.com", passphrase)
	id = invite("mallory@example.com")
	if page := mallory.get("/account/organizations"); strings.Contains(page.Body, id) {
		t.Error("an address that is not confirmed shows its invitations")
	}
	mallory.page(mallory.post("/account/organizations/answer", "id", id, "answer", "accept"), 404, "for another address")
}

func TestActivityIsToldInPlainWordsPageByPage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	newVisitor(t, s).post("/sign-in", "email", bob, "password", "wrong")
	s.SignIn(t, v.browser, bob, bobPass)
	v.page(v.get("/account/activity"), 200, "by somebody who was not signed in")
	page := v.page(v.get("/account/activity?show=failed"), 200, `<span class="badge bad">failed</span>`)
	if strings.Contains(page.Body, "session.create") || strings.Contains(page.Body, `id="next-page"`) {
		t.Errorf("the page is %s", page.Body)
	}
	v.page(v.get("/account/activity?show=apps"), 200, "There is nothing of this kind here.")
	for range 35 {
		if _, err := s.Accounts.ChangeProfile(t.Context(), audit.Shell(), userID(t, s, bob), map[string]string{"nickname": rand.Text()}); err != nil {
			t.Fatal(err)
		}
	}
	page = v.page(v.get("/account/activity"), 200, "Profile changed")
	_, after, more := strings.Cut(page.Body, `id="next-page" href="`)
	next, _, _ := strings.Cut(after, `"`)
	if !more || strings.Count(page.Body, "Profile changed") != 30 {
		t.Fatalf("%d events, more: %v", strings.Count(page.Body, "Profile changed"), more)
	}
	v.page(v.get(strings.ReplaceAll(next, "&amp;", "&")), 200, "by the operator of this server")
	v.page(v.get("/account/activity?after=x"), 400, "Not a cursor")
	v.page(v.get("/account/activity?show=nonsense"), 200, "Profile changed")
}

// mapOf writes a file in which this machine is in a city.
func mapOf(t *testing.T) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "GeoLite2-City", IncludeReservedNetworks: true})
	if err != nil {
		t.Fatal(err)
	}
	names := func(en, de string) mmdbtype.Map {
		return mmdbtype.Map{"names": mmdbtype.Map{"en": mmdbtype.String(en), "de": mmdbtype.String(de)}}
	}
	_, network, err := net.ParseCIDR("127.0.0.0/8")
	if err == nil {
		err = tree.Insert(network, mmdbtype.Map{"city": names("Zurich <1>", "Zürich <1>"), "country": names("Switzerland", "Schweiz")})
	}
	var b bytes.Buffer
	if err == nil {
		_, err = tree.WriteTo(&b)
	}
	file := filepath.Join(t.TempDir(), "City.mmdb")
	if err == nil {
		err = os.WriteFile(file, b.Bytes(), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPeopleSeeFromWhereTheyAreSignedIn(t *testing.T) {
	t.Parallel()
	file := mapOf(t)
	s, box := servertest.WithMail(t, func(c *config.Config) { c.GeoIP.File = file })
	v := newVisitor(t, s)
	s.SignIn(t, v.browser, bob, bobPass)
	for _, path := range []string{"/account/sessions", "/account/activity"} {
		v.page(v.get(path), 200, "Zurich &lt;1&gt;, Switzerland")
	}
	v.leads(v.post("/account/profile", "locale", "de"), "/account/profile")
	v.page(v.get("/account/sessions"), 200, "Zürich &lt;1&gt;, Schweiz")
	v.leads(v.post("/account/password", "current_password", bobPass, "password", newer, "password_confirm", newer), "/account/security")
	if text := box.Next(t, bob, "").Text; !strings.Contains(text, "127.0.0.1 (Zürich <1>, Schweiz)") {
		t.Errorf("the mail says %q", text)
	}
}
