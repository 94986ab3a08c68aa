package servertest_test

import (
	"encoding/base32"
	"encoding/json"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/servertest"
)

// asked is what the script of a page asks for.
func (v visitor) asked(pairs ...string) object {
	v.t.Helper()
	page := v.post("/passkey/begin", pairs...)
	var o object
	if err := json.Unmarshal([]byte(page.Body), &o); err != nil || page.Response.StatusCode != 200 {
		v.t.Fatalf("/passkey/begin: %d %s: %v", page.Response.StatusCode, page.Body, err)
	}
	return o
}

// uses sends what an authenticator answers, as the script of a page does.
func (v visitor) uses(answer map[string]any, pairs ...string) *servertest.Page {
	v.t.Helper()
	text, err := json.Marshal(answer)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.post("/passkey", append(pairs, "credential", string(text))...)
}

func TestABrowserSignsInByPasskeyWhereItWasAsked(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := passkeyOf(t, s, bob, bobPass)
	v, thief := newVisitor(t, s), newVisitor(t, s)
	o := v.asked()
	if o["userVerification"] != "required" || len(o["allowCredentials"].([]any)) != 0 {
		t.Errorf("asked %v", o)
	}
	thief.asked()
	if got := thief.uses(a.Get(o.text("challenge"))); got.Response.StatusCode != 401 || thief.cookie("authy_session") != "" {
		t.Errorf("another browser's challenge: %d", got.Response.StatusCode)
	}
	v.leads(v.uses(a.Get(o.text("challenge")), "remember", "yes"), "/account")
	v.signedIn(true)
	if got := v.uses(a.Get(o.text("challenge"))); got.Response.StatusCode != 401 || !strings.Contains(got.Body, `id="problem"`) {
		t.Errorf("a second time: %d", got.Response.StatusCode)
	}
	for _, broken := range []string{"", "x", "[]", `{"id":1}`} {
		if got := v.post("/passkey", "credential", broken); got.Response.StatusCode != 400 {
			t.Errorf("%q: %d, want 400", broken, got.Response.StatusCode)
		}
	}
	for _, path := range []string{"/passkey", "/passkey/begin", "/account/passkeys", "/account/passkeys/new", "/account/authenticator/new", "/account/recovery-codes"} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		if got := servertest.Do(t, v.browser, req); got.Response.StatusCode != 403 {
			t.Errorf("%s from another site: %d, want 403", path, got.Response.StatusCode)
		}
		nobody := newVisitor(t, s)
		if strings.HasPrefix(path, "/account/") {
			nobody.leads(nobody.post(path), "/sign-in")
		}
	}
}

// MF-07, MF-26: OpenID Connect says how one signed in.
func TestAPasskeyInAFlowIsInTheIDToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	key := passkeyOf(t, s, bob, bobPass)
	p := newPortal(t, s, "acme-portal-001", "acme_secret_portal_2024", callback)
	for _, second := range []bool{false, true} {
		v, a := newVisitor(t, s), newAttempt()
		page := servertest.Get(t, v.browser, p.url(a))
		flow := page.Location().Query().Get("flow")
		pairs := []string{"flow", flow}
		if second {
			v.leads(v.post("/sign-in", "flow", flow, "email", bob, "password", bobPass), "/second-factor?flow="+flow)
			if got := v.get("/second-factor?flow=" + flow); !strings.Contains(got.Body, `id="use-passkey"`) || strings.Contains(got.Body, `id="code"`) {
				t.Errorf("the second factor of a user with a passkey alone: %s", got.Body)
			}
			pairs = append(pairs, "second", "yes")
		}
		challenge := v.asked(pairs...).text("challenge")
		if got := v.uses(key.Get(challenge), "flow", "another"); got.Response.StatusCode != 403 {
			t.Errorf("in another flow: %d", got.Response.StatusCode)
		}
		page = v.uses(key.Get(challenge), pairs...)
		if to := page.Location(); to != nil && to.Path == "/consent" { // the first time
			page = v.post("/consent", "flow", flow, "decision", "allow")
		}
		if page.Location() == nil || page.Location().Query().Get("code") == "" {
			t.Fatalf("second %v: %d %v %s", second, page.Response.StatusCode, page.Location(), page.Body)
		}
		_, id := p.exchange(t, s, a, page.Location())
		var claims struct{ AMR []string }
		if err := id.Claims(&claims); err != nil {
			t.Fatal(err)
		}
		want := []string{"pop", "user", "mfa"}
		if second {
			want = append([]string{"pwd"}, want...)
		}
		if diff := cmp.Diff(want, claims.AMR); diff != "" {
			t.Errorf("amr (-want +got):\n%s", diff)
		}
	}
}

var optionsIn = regexp.MustCompile(`data-options="([^"]*)"`)

func TestSomeoneManagesHowTheySignInOnTheirPage(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		v := newVisitor(t, s)
		v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/account")

		// The authenticator app.
		page := v.post("/account/authenticator/new")
		found := regexp.MustCompile(`id="totp-secret">([A-Z2-7]{32})<`).FindStringSubmatch(page.Body)
		if found == nil || strings.Count(page.Body, "<li><code>") != 10 || !strings.Contains(page.Body, `class="qr"`) {
			t.Fatalf("setting an app up: %d %s", page.Response.StatusCode, page.Body)
		}
		secret, err := base32.StdEncoding.DecodeString(found[1])
		if err != nil {
			t.Fatal(err)
		}
		if left := 30 - time.Now().Unix()%30; left < 3 {
			time.Sleep(time.Duration(left) * time.Second)
		}
		if wrong := v.post("/account/authenticator", "code", "000000"); wrong.Response.StatusCode != 401 || strings.Contains(wrong.Body, found[1]) {
			t.Errorf("a wrong code: %d", wrong.Response.StatusCode)
		}
		code := servertest.TOTP(secret, time.Now().Add(-30*time.Second))
		v.leads(v.post("/account/authenticator", "code", code[:3]+" "+code[3:]), "/account/security")
		if got := v.get("/account/security").Body; !strings.Contains(got, `id="remove-authenticator"`) || !strings.Contains(got, "10 left") {
			t.Errorf("the page says %s", got)
		}

		// What changes that needs a proof now.
		page = v.post("/account/passkeys/new")
		if page.Response.StatusCode != 200 || !strings.Contains(page.Body, `id="code"`) || strings.Contains(page.Body, `id="password"`) {
			t.Errorf("a passkey without a code: %d %s", page.Response.StatusCode, page.Body)
		}
		if wrong := v.post("/account/passkeys/new", "code", "1"); wrong.Response.StatusCode != 401 || !strings.Contains(wrong.Body, `id="problem"`) {
			t.Errorf("a wrong code: %d", wrong.Response.StatusCode)
		}
		page = v.post("/account/passkeys/new", "code", servertest.TOTP(secret, time.Now()))
		options := optionsIn.FindStringSubmatch(page.Body)
		if options == nil {
			t.Fatalf("a passkey: %d %s", page.Response.StatusCode, page.Body)
		}
		var o object
		if err := json.Unmarshal([]byte(html.UnescapeString(options[1])), &o); err != nil {
			t.Fatal(err)
		}
		key := newKey(t, s, servertest.EdDSA)
		text, err := json.Marshal(key.Create(o.text("challenge"), []byte(userID(t, s, bob))))
		if err != nil {
			t.Fatal(err)
		}
		v.leads(v.post("/account/passkeys", "credential", string(text), "name", "<script>"), "/account/security")
		if got := v.get("/account/security").Body; !strings.Contains(got, "&lt;script&gt;") || strings.Contains(got, "<script>") {
			t.Errorf("the page says %s", got)
		}
		v.leads(v.post("/account/passkeys/rename", "id", key.CredentialID(), "name", "Key"), "/account/security")
		// Signing in by it proves enough for what follows.
		v.leads(v.uses(key.Get(v.asked().text("challenge"))), "/account")
		page = v.post("/account/recovery-codes")
		if !strings.Contains(page.Body, `id="password"`) || strings.Contains(page.Body, `id="code"`) {
			t.Errorf("new codes without the password: %s", page.Body)
		}
		if wrong := v.post("/account/recovery-codes", "password", "x"); wrong.Response.StatusCode != 401 {
			t.Errorf("new codes by a wrong password: %d", wrong.Response.StatusCode)
		}
		if page = v.post("/account/recovery-codes", "password", bobPass); strings.Count(page.Body, "<li><code>") != 10 {
			t.Errorf("new codes: %d %s", page.Response.StatusCode, page.Body)
		}
		v.leads(v.post("/account/authenticator/delete", "password", bobPass), "/account/security")
		if got := v.get("/account/security").Body; !strings.Contains(got, `id="codes-left">10 left`) {
			t.Errorf("codes are gone while there is a passkey: %s", got)
		}
		v.leads(v.post("/account/passkeys/delete", "id", key.CredentialID()), "/account/security")
		if got := v.get("/account/security").Body; strings.Contains(got, `id="codes-left"`) {
			t.Errorf("codes are left without a second factor: %s", got)
		}
		v.leads(newVisitor(t, s).post("/sign-in", "email", bob, "password", bobPass), "/account")
	})
}

// newPasskey adds a passkey on the pages.
func (v visitor) newPasskey() *servertest.Authenticator {
	v.t.Helper()
	page := v.post("/account/passkeys/new")
	options := optionsIn.FindStringSubmatch(page.Body)
	if options == nil {
		v.t.Fatalf("a passkey: %d %s", page.Response.StatusCode, page.Body)
	}
	var o object
	if err := json.Unmarshal([]byte(html.UnescapeString(options[1])), &o); err != nil {
		v.t.Fatal(err)
	}
	key := newKey(v.t, v.s, servertest.EdDSA)
	text, err := json.Marshal(key.Create(o.text("challenge"), []byte(userID(v.t, v.s, bob))))
	if err != nil {
		v.t.Fatal(err)
	}
	v.post("/account/passkeys", "credential", string(text), "name", "Key")
	return key
}

// A browser is told of a passkey that nobody has, so that it is offered no more; but
// not who has which.
func TestABrowserIsToldOfAPasskeyThatNobodyHas(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	v.post("/sign-in", "email", bob, "password", bobPass)
	key := v.newPasskey()
	told := func(what string, want bool) {
		t.Helper()
		v := newVisitor(t, s)
		page := v.uses(key.Get(v.asked().text("challenge")))
		forget := `data-unknown="{&#34;rpId&#34;:&#34;` + key.RPID + `&#34;,&#34;credentialId&#34;:&#34;` + key.CredentialID() + `&#34;}"`
		if page.Response.StatusCode != 401 || strings.Contains(page.Body, forget) != want {
			t.Errorf("%s: %d %s", what, page.Response.StatusCode, page.Body)
		}
	}
	owner := key.User
	key.Sign = func([]byte) []byte { return []byte("not signed") }
	told("a passkey of bob's that is forged", false)
	key.User = []byte("nobody")
	told("a passkey of bob's that is said to be another's", true)
	key.ID = []byte("a passkey that was made up")
	told("one that was made up", true)
	key.User = owner
	told("one that was made up for bob", true)
}

func TestAPasskeyThatComesOrGoesIsTold(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	v := newVisitor(t, s)
	v.post("/sign-in", "email", bob, "password", bobPass)
	key := v.newPasskey()
	box.Next(t, bob, "You can sign in with a passkey now")
	v.leads(v.uses(key.Get(v.asked().text("challenge"))), "/account")
	v.leads(v.post("/account/passkeys/delete", "id", key.CredentialID()), "/account/security")
	box.Next(t, bob, "You cannot sign in with a passkey any more")
}
