package servertest_test

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
)

// visitor is a person with a browser of their own.
type visitor struct {
	t       *testing.T
	s       *servertest.Server
	browser *http.Client
}

func newVisitor(t *testing.T, s *servertest.Server) visitor {
	t.Helper()
	return visitor{t, s, servertest.Browser(t)}
}

func (v visitor) get(path string) *servertest.Page {
	v.t.Helper()
	return servertest.Get(v.t, v.browser, v.s.URL+path)
}

func (v visitor) post(path string, pairs ...string) *servertest.Page {
	v.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return servertest.Post(v.t, v.browser, v.s.URL+path, form)
}

// leads wants a redirect to a path here.
func (v visitor) leads(page *servertest.Page, to string) {
	v.t.Helper()
	got := page.Location()
	if page.Response.StatusCode != http.StatusSeeOther || got == nil || got.String() != v.s.URL+to {
		v.t.Errorf("%s leads to %v with %d, want %s", page.Response.Request.URL, got, page.Response.StatusCode, to)
	}
}

// signedIn says whether the account page opens.
func (v visitor) signedIn(want bool) {
	v.t.Helper()
	page := v.get("/account")
	if !want {
		v.leads(page, "/sign-in")
		return
	}
	if page.Response.StatusCode != http.StatusOK {
		v.t.Errorf("the account page: %d, want 200", page.Response.StatusCode)
	}
}

// cookie is the value of a cookie of the browser, "" for none.
func (v visitor) cookie(name string) string {
	v.t.Helper()
	here, err := url.Parse(v.s.URL)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, c := range v.browser.Jar.Cookies(here) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// problemOf is the text of the page's #problem, "" for none.
func problemOf(page *servertest.Page) string {
	found := regexp.MustCompile(`(?s)id="problem".*?</div>`).FindString(page.Body)
	text := regexp.MustCompile(`<[^>]*>|id="problem"[^>]*>`).ReplaceAllString(found, " ")
	return strings.Join(strings.Fields(text), " ")
}

func TestAPersonSignsInAndOut(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		v := newVisitor(t, s)
		v.leads(v.get("/"), "/account")
		v.leads(v.get("/account"), "/sign-in")
		page := v.get("/sign-in")
		for _, part := range []string{
			`id="email" name="email"`, `autocomplete="username webauthn"`, `id="password" name="password"`,
			`autocomplete="current-password"`, `id="sign-in"`, `method="post" action="/sign-in"`,
		} {
			if !strings.Contains(page.Body, part) {
				t.Errorf("the sign-in page has no %s", part)
			}
		}
		page = v.post("/sign-in", "email", " BOB@acme-corp.com", "password", bobPass)
		v.leads(page, "/account")
		line := page.Response.Header.Get("Set-Cookie")
		if want := "authy_session=" + v.cookie("authy_session") + "; Path=/; HttpOnly; SameSite=Lax"; line != want {
			t.Errorf("Set-Cookie is %q, want %q", line, want)
		}
		v.signedIn(true)
		v.leads(v.get("/sign-in"), "/account")
		if page := v.get("/account/organizations"); !strings.Contains(page.Body, bob) || !strings.Contains(page.Body, "Acme Corporation") {
			t.Errorf("the account page: %s", page.Body)
		}

		token := v.cookie("authy_session")
		page = v.post("/sign-out")
		v.leads(page, "/signed-out")
		if line := page.Response.Header.Get("Set-Cookie"); !strings.Contains(line, "Max-Age=0") || v.cookie("authy_session") != "" {
			t.Errorf("the cookie stays: %q", line)
		}
		if page := v.get("/signed-out"); page.Response.StatusCode != 200 {
			t.Errorf("/signed-out: %d", page.Response.StatusCode)
		}
		v.setCookie("authy_session", token)
		v.signedIn(false)
		v.leads(v.post("/sign-out"), "/signed-out") // nobody is signed in: nothing to do
	})
}

// setCookie plants a cookie in the browser.
func (v visitor) setCookie(name, value string) {
	v.t.Helper()
	here, err := url.Parse(v.s.URL)
	if err != nil {
		v.t.Fatal(err)
	}
	v.browser.Jar.SetCookies(here, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

func TestThePageDoesNotTellWhoExists(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		suspend(t, s, "carol@acme-corp.com")
		for _, email := range []string{
			bob, "nobody@example.com", "carol@acme-corp.com", "no address", "", "<script>alert(1)</script>", "b\x00b", "b\xffb@x.de",
			strings.Repeat("x", 10_000),
		} {
			v := newVisitor(t, s)
			page := v.post("/sign-in", "email", email, "password", "wrong")
			if got := problemOf(page); page.Response.StatusCode != 401 || got != "Invalid email or password" {
				t.Errorf("%.30q: %d %q", email, page.Response.StatusCode, got)
			}
			if v.cookie("authy_session") != "" || strings.Contains(page.Body, "wrong") {
				t.Errorf("%.30q: a cookie, or the password on the page", email)
			}
		}
		v := newVisitor(t, s)
		page := v.post("/sign-in", "email", "carol@acme-corp.com", "password", bobPass)
		if got := problemOf(page); page.Response.StatusCode != 403 || got != "Your account has been suspended" {
			t.Errorf("suspended: %d %q", page.Response.StatusCode, got)
		}
		v.signedIn(false)
	})
}

func TestEachSignInHasASessionOfItsOwnValue(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	seen := map[string]bool{}
	for range 3 { // again and again in one browser
		v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/account")
		value := v.cookie("authy_session")
		if len(value) != 43 || seen[value] {
			t.Errorf("the value %q came before", value)
		}
		seen[value] = true
	}
	last := v.cookie("authy_session")
	for value := range seen {
		other := newVisitor(t, s)
		other.setCookie("authy_session", value)
		other.signedIn(value == last)
	}
	if list := logIn(t, s, bob, bobPass).sessions(); len(list) != 2 {
		t.Errorf("%d sessions, want the browser's one and the program's", len(list))
	}
}

func TestAPlantedSessionStaysAnonymous(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	attacker, victim := newVisitor(t, s), newVisitor(t, s)
	for _, planted := range []string{strings.Repeat("A", 43), "short", ""} {
		victim.setCookie("authy_session", planted)
		victim.leads(victim.post("/sign-in", "email", bob, "password", bobPass), "/account")
		attacker.setCookie("authy_session", planted)
		attacker.signedIn(false)
		victim.signedIn(true)
	}
	// Mallory's own session, planted: bob's sign-in takes its place and ends it.
	attacker.leads(attacker.post("/sign-in", "email", "eve@acme-corp.com", "password", bobPass), "/account")
	victim.setCookie("authy_session", attacker.cookie("authy_session"))
	victim.leads(victim.post("/sign-in", "email", bob, "password", bobPass), "/account")
	if page := victim.get("/account"); !strings.Contains(page.Body, bob) {
		t.Error("the victim is not bob")
	}
	attacker.signedIn(false)
}

func TestARememberedSignInLastsThirtyDays(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, remember := range []bool{true, false} {
		v, pairs := newVisitor(t, s), []string{"email", bob, "password", bobPass}
		if remember {
			pairs = append(pairs, "remember", "yes")
		}
		page := v.post("/sign-in", pairs...)
		cookies := page.Response.Cookies()
		if len(cookies) == 0 || cookies[0].Name != "authy_session" || !remember && len(cookies) > 1 {
			t.Fatalf("cookies %v", cookies)
		}
		if remember && (time.Until(cookies[0].Expires)-30*24*time.Hour).Abs() > time.Minute || !remember && !cookies[0].Expires.IsZero() {
			t.Errorf("remember %v: expires %v", remember, cookies[0].Expires)
		}
	}
}

func TestAFormFromAnotherSiteDoesNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, headers := range []map[string]string{
		{"Origin": "https://evil.example"},
		{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
		{"Origin": "null"},
		{"Sec-Fetch-Site": "cross-site"},
		{"Sec-Fetch-Site": "same-site"},
		{"Origin": s.URL + ".evil.example"},
		{"Origin": "http://127.0.0.1:1"},
	} {
		v := newVisitor(t, s)
		v.s.SignIn(t, v.browser, "eve@acme-corp.com", bobPass)
		mine := v.cookie("authy_session")
		for path, form := range map[string]url.Values{
			"/sign-in":              {"email": {bob}, "password": {bobPass}},
			"/sign-out":             {},
			"/consent":              {"flow": {"x"}, "decision": {"allow"}},
			"/setup":                {"token": {"x"}},
			"/account/sessions/end": {"id": {"x"}},
			"/sign-up":              {"email": {"ada@example.com"}, "password": {passphrase}},
			"/choose-account":       {"flow": {"x"}, "account": {"x"}},
			"/account/apps/remove":  {"id": {acmePortal.id}},
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+path, strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for name, value := range headers {
				req.Header.Set(name, value)
			}
			page := servertest.Do(t, v.browser, req)
			if page.Response.StatusCode != 403 || len(page.Response.Cookies()) > 0 {
				t.Errorf("%s with %v: %d, cookies %v", path, headers, page.Response.StatusCode, page.Response.Cookies())
			}
		}
		if v.cookie("authy_session") != mine {
			t.Errorf("%v: another session", headers)
		}
		v.signedIn(true)
	}
}

func TestAPersonEndsTheirSessions(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		v, other, eve := newVisitor(t, s), newVisitor(t, s), newVisitor(t, s)
		p := logIn(t, s, bob, bobPass)
		s.SignIn(t, v.browser, bob, bobPass)
		s.SignIn(t, other.browser, bob, bobPass)
		s.SignIn(t, eve.browser, "eve@acme-corp.com", bobPass)
		ids := regexp.MustCompile(`name="id" value="([^"]+)"`).FindAllStringSubmatch(v.get("/account/sessions").Body, -1)
		if len(ids) != 2 {
			t.Fatalf("%d sessions can be ended, want the other browser and the program", len(ids))
		}
		for _, id := range ids {
			if page := eve.post("/account/sessions/end", "id", id[1]); page.Response.StatusCode != 404 {
				t.Errorf("eve ends bob's session: %d", page.Response.StatusCode)
			}
		}
		other.signedIn(true)
		for _, id := range ids {
			v.leads(v.post("/account/sessions/end", "id", id[1]), "/account/sessions")
		}
		other.signedIn(false)
		p.me(false)
		v.signedIn(true)
		for _, id := range []string{"", "nonsense", "\x00", "\xff", "' OR '1'='1"} {
			if page := v.post("/account/sessions/end", "id", id); page.Response.StatusCode != 404 {
				t.Errorf("ending %q: %d, want 404", id, page.Response.StatusCode)
			}
		}
		nobody := newVisitor(t, s)
		nobody.leads(nobody.post("/account/sessions/end", "id", ids[0][1]), "/sign-in")
	})
}

func TestSigningInLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		for _, to := range []string{
			"//evil.example", `/\evil.example`, "https:evil.example", "/%09/evil.example", "///evil.example", "javascript:alert(1)",
			"/sign-in/..//evil.example", "@evil.example", "https://authy.example@evil.example", "\x00", "\xff", "%00",
		} {
			v := newVisitor(t, s)
			for _, name := range []string{"next", "return_to", "redirect", "redirect_uri", "url"} {
				v.leads(v.post("/sign-in?"+url.Values{name: {to}}.Encode(), "email", bob, "password", bobPass, name, to), "/account")
			}
			for _, page := range []*servertest.Page{
				v.post("/sign-in", "flow", to, "email", bob, "password", bobPass),
				v.get("/sign-in?" + url.Values{"flow": {to}}.Encode()),
				v.get("/consent?" + url.Values{"flow": {to}}.Encode()),
				v.post("/consent", "flow", to, "decision", "allow"),
			} {
				if page.Response.StatusCode != 403 || page.Location() != nil {
					t.Errorf("flow %q at %s: %d to %v", to, page.Response.Request.URL.Path, page.Response.StatusCode, page.Location())
				}
			}
		}
	})
}

func TestTheFirstAdministratorComesByALink(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		link, err := s.Accounts.NewSetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v := newVisitor(t, s)
		if page := v.get("/setup?token=" + link); page.Response.StatusCode != 200 || page.Hidden().Get("token") != link {
			t.Fatalf("the page: %d %s", page.Response.StatusCode, page.Body)
		}
		good := []string{
			"token", link, "email", "root@example.com", "full_name", "Root", "password", passphrase, "password_confirm", passphrase,
		}
		for name, c := range map[string]struct{ field, value string }{
			"an address": {"email", "nonsense"}, "a password": {"password_confirm", "other"}, "a name": {"full_name", "a\x00b"},
		} {
			page := v.post("/setup", append(append([]string{}, good...), c.field, c.value)...)
			if page.Response.StatusCode != 400 || !strings.Contains(page.Body, c.field+"-problem") || strings.Contains(page.Body, passphrase) {
				t.Errorf("%s: %d %s", name, page.Response.StatusCode, page.Body)
			}
		}
		v.leads(v.post("/setup", good...), "/setup/next")
		v.signedIn(true)
		if page := v.get("/account"); !strings.Contains(page.Body, `id="to-admin"`) {
			t.Error("the header does not name an administrator")
		}
		late := newVisitor(t, s)
		for _, token := range []string{link, "", "nonsense", "\x00", "\xff"} {
			good[1] = token
			for _, page := range []*servertest.Page{late.post("/setup", good...), late.get("/setup?token=" + url.QueryEscape(token))} {
				if page.Response.StatusCode != 403 || strings.Contains(page.Body, `id="create"`) {
					t.Errorf("link %q: %d", token, page.Response.StatusCode)
				}
			}
		}
	})
}

func TestOverHTTPSTheSessionCookieIsThisHostsAlone(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.PublicURL = "https://id.example.com" }})
	page := servertest.Post(t, servertest.Browser(t), "http://"+s.Config.Listen+"/sign-in", url.Values{"email": {bob}, "password": {bobPass}})
	line := page.Response.Header.Get("Set-Cookie")
	if !regexp.MustCompile(`^__Host-authy_session=[\w-]{43}; Path=/; HttpOnly; Secure; SameSite=Lax$`).MatchString(line) {
		t.Errorf("Set-Cookie is %q", line)
	}
	if page.Response.Header.Get("Strict-Transport-Security") == "" {
		t.Error("no HSTS")
	}
}

// scripts are what would run if it were not escaped.
var scripts = []string{"<script>alert(1)", "<img src=x", `"onmouseover="`, "</textarea>", "</title><", "<svg/onload"}

// harmless wants none of the payload as markup.
func harmless(t *testing.T, page *servertest.Page) {
	t.Helper()
	for _, script := range scripts {
		if strings.Contains(page.Body, script) {
			t.Errorf("%s has %s as it came", page.Response.Request.URL, script)
		}
	}
	if policy := page.Response.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") ||
		strings.Contains(policy, "unsafe") {
		t.Errorf("%s has the policy %q", page.Response.Request.URL, policy)
	}
}

const payload = `<script>alert(1)</script><img src=x onerror=alert(1)>"onmouseover="alert(1)</textarea></title><svg/onload=a>`

func TestWhatIsKeptIsShownAsText(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	v.browser.Transport = agent(payload)
	caller{t: t, s: s}.call("POST", "/api/v1/auth/register", object{
		"email": "mallory@example.com", "full_name": payload, "password": passphrase, "password_confirm": passphrase,
	}, "User-Agent", payload).succeeded(201, "Registration successful")
	v.leads(v.post("/sign-in", "email", "mallory@example.com", "password", passphrase), "/account")
	page := v.get("/account")
	harmless(t, page)
	if !strings.Contains(page.Body, "&lt;script&gt;alert(1)") {
		t.Error("the name is not on the page")
	}
	verifier := letters(43)
	begun := v.get("/oidc/authorize?" + url.Values{
		"client_id": {"acme-portal-001"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid profile"},
		"code_challenge": {verifier}, "code_challenge_method": {"S256"}, "state": {payload}, "nonce": {payload}, "prompt": {"login"},
		"login_hint": {payload},
	}.Encode())
	if to := begun.Location(); to == nil {
		t.Fatalf("authorize: %d %s", begun.Response.StatusCode, begun.Body)
	}
	page = v.get(begun.Location().RequestURI())
	harmless(t, page)
	form := page.Hidden()
	page = v.post("/sign-in", "flow", form.Get("flow"), "email", "mallory@example.com", "password", passphrase)
	if page.Location() == nil {
		t.Fatalf("sign-in: %d %s", page.Response.StatusCode, page.Body)
	}
	harmless(t, v.get(page.Location().RequestURI()))
}

// agent sends every request with a User-Agent.
type agent string

func (a agent) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", string(a))
	return http.DefaultTransport.RoundTrip(r)
}

func TestWhatIsSentComesBackAsText(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	link, err := s.Accounts.NewSetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v := newVisitor(t, s)
	q := url.QueryEscape(payload)
	pages := []*servertest.Page{
		v.post("/sign-in", "email", payload, "password", payload),
		v.post("/sign-in", "email", payload, "password", payload, "flow", payload),
		v.post("/setup", "token", link, "email", payload, "full_name", payload, "password", payload, "password_confirm", "x"),
		v.post("/setup", "token", payload, "email", payload, "full_name", payload, "password", payload, "password_confirm", payload),
		v.post("/account/sessions/end", "id", payload),
		v.post("/oidc/end_session", "state", payload, "id_token_hint", payload, "client_id", payload, "post_logout_redirect_uri", payload),
	}
	for _, path := range []string{
		"/sign-in?flow=" + q + "&email=" + q, "/consent?flow=" + q, "/setup?token=" + q, "/" + url.PathEscape(payload), "/signed-out?" + q,
		"/oidc/authorize?client_id=" + q + "&redirect_uri=" + q + "&state=" + q, "/oidc/end_session?state=" + q + "&client_id=" + q,
		"/oidc/authorize?client_id=acme-portal-001&redirect_uri=" + q + "&error=" + q + "&ui_locales=" + q,
	} {
		pages = append(pages, v.get(path))
	}
	for _, page := range pages {
		harmless(t, page)
		if page.Response.StatusCode >= 500 {
			t.Errorf("%s: %d", page.Response.Request.URL, page.Response.StatusCode)
		}
	}
	// An administrator is shown what was sent and what is registered.
	admin := newVisitor(t, s)
	admin.leads(admin.post("/setup", "token", link, "email", "root@example.com", "full_name", "Root",
		"password", passphrase, "password_confirm", passphrase), "/setup/next")
	page := admin.get("/oidc/authorize?client_id=acme-portal-001&redirect_uri=" + q)
	harmless(t, page)
	if !strings.Contains(page.Body, "&lt;script&gt;alert(1)") || !strings.Contains(page.Body, callback) {
		t.Errorf("the administrator learns nothing: %s", page.Body)
	}
}

func TestSigningInIsImpossibleForTheSuspendedByEveryDoor(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		v := newVisitor(t, s)
		verifier := letters(43)
		start := "/oidc/authorize?" + url.Values{
			"client_id": {"acme-portal-001"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"},
			"code_challenge": {verifier}, "code_challenge_method": {"S256"},
		}.Encode()
		page := v.get(v.get(start).Location().RequestURI())
		flow := page.Hidden().Get("flow")
		if err := s.Accounts.Suspend(t.Context(), audit.Shell(), userID(t, s, bob)); err != nil {
			t.Fatal(err)
		}
		page = v.post("/sign-in", "flow", flow, "email", bob, "password", bobPass)
		if page.Response.StatusCode != 403 || v.cookie("authy_session") != "" || page.Hidden().Get("flow") != flow {
			t.Errorf("within a flow: %d", page.Response.StatusCode)
		}
		// The flow is still there for someone else.
		page = v.post("/sign-in", "flow", flow, "email", "eve@acme-corp.com", "password", bobPass)
		v.leads(page, "/consent?flow="+flow)
	})
}
