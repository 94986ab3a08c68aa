package servertest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
	"authy/storage"
)

// MF-05: neither a sign-in from the beginning nor another address each time
// gives more guesses.
func TestGuessesOfTheSecondFactorAreCountedOverAllAddresses(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.RateLimit.Enabled, c.TrustedProxies = true, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	}})
	a, looked := enrolled(t, logIn(t, s, bob, bobPass)), 0
	from := func(i int) []string { return []string{"X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i)} }
	try := func(i int, code string) outcome {
		p := caller{t: t, s: s}
		pending := p.call("POST", loginPath, object{"email": bob, "password": bobPass}, from(i)...).
			succeeded(200, pendingMessage).text("pending_token")
		return p.call("POST", "/api/v1/auth/totp/verify", object{"pending_token": pending, "code": code}, from(i)...)
	}
	for i := range 15 {
		if o := try(i, "000000"); o.Code == 401 {
			looked++
		}
	}
	if looked != 10 {
		t.Errorf("%d guesses were looked at, want 10", looked)
	}
	try(100, a.code(0)).failed(429, "RATE_LIMIT_EXCEEDED", "")
}

// MF-07: neither a password with every request, nor one in an authorization
// request, nor a new account of the address walks round the second factor.
func TestNoOtherDoorWalksRoundTheSecondFactor(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		enrolled(t, logIn(t, s, bob, bobPass))
		before := len(liveSessions(t, s, bob))
		for _, o := range operations(t, s) {
			req, err := http.NewRequestWithContext(t.Context(), o.method, s.URL+inBraces.ReplaceAllString(o.path, storage.NewID()), nil)
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth(bob, bobPass)
			if page := servertest.Do(t, http.DefaultClient, req); page.Response.StatusCode != 401 {
				t.Errorf("%s %s takes a password: %d", o.method, o.path, page.Response.StatusCode)
			}
		}
		v := newVisitor(t, s)
		form := acmePortal.request(oauth2.GenerateVerifier(), "email", bob, "password", bobPass, "username", bob)
		for _, page := range []*servertest.Page{
			v.get(authorizePath + "?" + form.Encode()), servertest.Post(t, v.browser, s.URL+authorizePath, form),
		} {
			if to := page.Location(); to != nil && to.Query().Get("code") != "" {
				t.Errorf("a code for a password: %v", to)
			}
		}
		grant := url.Values{"grant_type": {"password"}, "username": {bob}, "password": {bobPass}, "scope": {"openid"}}
		acmePortal.post(t, s, tokenPath, grant).refused(t, http.StatusBadRequest, "unsupported_grant_type", "unauthorized_client")
		caller{t: t, s: s}.call("POST", registerPath, object{"email": bob, "password": bobPass, "password_confirm": bobPass}).
			failed(409, "CONFLICT", "")
		v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/second-factor")
		v.signedIn(false)
		if after := len(liveSessions(t, s, bob)); after != before {
			t.Errorf("%d sessions, want %d", after, before)
		}
	})
}

// MF-08, LG-30: what is pending opens no operation at all, as a token or a
// cookie of any name; nor does a browser's session, whatever kind of body a
// page of another site sends with it.
func TestNoCookieOpensTheAPI(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v := newVisitor(t, s)
	v.s.SignIn(t, v.browser, bob, bobPass)
	cookie := v.cookie("authy_session")
	enrolled(t, logIn(t, s, bob, bobPass))
	pending, page := half(t, s), newVisitor(t, s)
	page.leads(page.post("/sign-in", "email", bob, "password", bobPass), "/second-factor")
	var cookies []string
	for _, value := range []string{cookie, pending, page.cookie("authy_pending")} {
		for _, name := range []string{"authy_session", "authy_pending", "authy_api_pending", "session", "token"} {
			cookies = append(cookies, name+"="+value)
		}
	}
	all := strings.Join(cookies, "; ")
	for _, o := range operations(t, s) {
		path := inBraces.ReplaceAllString(o.path, storage.NewID())
		for _, token := range []string{pending, page.cookie("authy_pending"), cookie} {
			caller{t, s, token}.call(o.method, path, nil).failed(401, "INVALID_TOKEN", "")
		}
		read := false
		for _, kind := range []string{
			"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json", "image/png",
		} {
			got := caller{t: t, s: s}.call(o.method, path, `{}`, "Content-Type", kind, "Cookie", all,
				"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
			if got.Code != 415 { // else not even read
				got.failed(401, "AUTH_REQUIRED", "")
				read = true
			}
		}
		if !read {
			t.Errorf("%s %s reads none of the kinds of bodies", o.method, o.path)
		}
	}
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		for _, path := range []string{loginPath, registerPath, "/api/v1/auth/totp/verify", "/api/v1/auth/webauthn/login/complete", forgotPath} {
			o := caller{t: t, s: s}.call("POST", path, `{"email":"bob@acme-corp.com","password":"UserPass123!"}`,
				"Content-Type", kind, "Cookie", all)
			if o.Code < 400 || len(o.Header.Values("Set-Cookie")) > 0 {
				t.Errorf("%s takes %s: %s", path, kind, o.Raw)
			}
		}
	}
	if r := userinfo(t, s, pending); r.status != http.StatusUnauthorized {
		t.Errorf("userinfo answers %d", r.status)
	}
	v.signedIn(true)
	for _, path := range []string{"/account", "/consent", "/enroll"} {
		if got := page.get(path); got.Response.StatusCode == 200 {
			t.Errorf("%s opens to half a sign-in", path)
		}
	}
	for _, path := range []string{"/account/authenticator/delete", "/account/recovery-codes", "/account/passkeys/new", "/account/tokens"} {
		page.leads(page.post(path, "password", bobPass), "/sign-in")
	}
}

// MF-10: an authenticator is not turned off by half of what proves who one is.
func TestTurningTheSecondFactorOffTakesBoth(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		const path = "/api/v1/auth/totp/disable"
		c := logIn(t, s, bob, bobPass)
		a := enrolled(t, c)
		box.Next(t, bob, "")
		c.call("DELETE", path, nil).failed(400, "BAD_REQUEST", "")
		c.call("DELETE", path, object{"code": a.code(0)}).failed(400, "VALIDATION_ERROR", "")
		c.call("DELETE", path, object{"password": bobPass}).failed(403, "CODE_REQUIRED", "")
		c.call("DELETE", path, object{"password": "wrong", "code": a.code(0)}).failed(401, "AUTHENTICATION_ERROR", "Invalid password")
		c.call("DELETE", path, object{"password": bobPass, "code": "000000"}).failed(401, "AUTHENTICATION_ERROR", wrongCode)
		logIn(t, s, carol, bobPass).call("DELETE", path, object{"password": bobPass, "code": a.code(0)}).
			failed(401, "AUTHENTICATION_ERROR", "")
		half(t, s)
		c.call("DELETE", path, object{"password": bobPass, "code": a.code(0)}).succeeded(200, "TOTP disabled successfully")
		box.Next(t, bob, "")
		if !recorded(t, s, "totp.disabled", "") {
			t.Error("it is not recorded")
		}
		logIn(t, s, bob, bobPass)
	})
}

// MF-13: only the authenticator that was set up last can be confirmed, by its
// owner, and none counts before.
func TestOnlyTheLatestEnrolmentIsConfirmed(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		c, other := logIn(t, s, bob, bobPass), logIn(t, s, carol, bobPass)
		enrol := func(p caller) *authenticator {
			o := p.call("POST", "/api/v1/auth/totp/enroll", nil)
			return &authenticator{t: t, secret: secretIn(t, o)}
		}
		confirm := func(p caller, a *authenticator) outcome {
			return p.call("POST", "/api/v1/auth/totp/verify-enrollment", object{"code": a.code(0)})
		}
		first, second, hers := enrol(c), enrol(c), enrol(other)
		confirm(c, first).failed(401, "AUTHENTICATION_ERROR", wrongCode)
		confirm(c, hers).failed(401, "AUTHENTICATION_ERROR", wrongCode)
		logIn(t, s, bob, bobPass)
		confirm(c, second).succeeded(200, "TOTP enrollment completed successfully")
		half(t, s)
		confirm(c, second).failed(401, "AUTHENTICATION_ERROR", "TOTP enrollment not found")
		c.call("POST", "/api/v1/auth/totp/enroll", object{"password": bobPass}).failed(409, "CONFLICT", "")
	})
}

// LG-22, MF-27: what was planted in a browser is worth nothing after any step,
// and each step has a value of its own.
func TestEachStepOfASignInHasValuesOfItsOwn(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		a := enrolled(t, logIn(t, s, bob, bobPass))
		attacker, victim := newVisitor(t, s), newVisitor(t, s)
		attacker.leads(attacker.post("/sign-in", "email", carol, "password", bobPass), "/account")
		planted := map[string]string{
			"authy_session": attacker.cookie("authy_session"), "authy_pending": strings.Repeat("P", 26), "authy_browser": strings.Repeat("B", 26),
		}
		for name, value := range planted {
			victim.setCookie(name, value)
		}
		seen := map[string]bool{planted["authy_session"]: true, planted["authy_pending"]: true}
		fresh := func(name string) string {
			t.Helper()
			value := victim.cookie(name)
			if value == "" || seen[value] {
				t.Errorf("%s is %q, which came before", name, value)
			}
			seen[value] = true
			return value
		}
		v := victim
		v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/second-factor")
		pending := fresh("authy_pending")
		v.leads(v.post("/second-factor", "code", a.code(0)), "/account")
		whole := fresh("authy_session")
		v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/second-factor")
		fresh("authy_pending")
		v.leads(v.post("/second-factor", "code", a.recovery[0], "recovery", "yes"), "/account")
		again := fresh("authy_session")

		thief := newVisitor(t, s)
		for _, value := range []string{planted["authy_session"], planted["authy_pending"], planted["authy_browser"], pending, whole} {
			thief.setCookie("authy_session", value)
			thief.signedIn(false)
			thief.setCookie("authy_pending", value)
			if page := thief.post("/second-factor", "code", a.recovery[1], "recovery", "yes"); page.Response.StatusCode != 401 {
				t.Errorf("an old value goes on: %d", page.Response.StatusCode)
			}
		}
		v.signedIn(true)
		p := logIn(t, s, carol, bobPass)
		if err := s.Accounts.ResetTOTP(t.Context(), audit.Shell(), userID(t, s, bob)); err != nil {
			t.Fatal(err)
		}
		v.signedIn(false)
		thief.setCookie("authy_session", again)
		thief.signedIn(false)
		p.me(true)
	})
}

// LG-21: every cookie that a sign-in sets or clears over https is Secure and
// this host's alone.
func TestEveryCookieOverHTTPSIsThisHostsAlone(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.PublicURL = "https://id.example.com" }})
	s.URL = "http://" + s.Config.Listen // where TLS ends
	a := enrolled(t, logIn(t, s, bob, bobPass))
	line := regexp.MustCompile(`^(__Host-[a-z_]+)=([\w-]*); Path=/; ((Expires=[^;]+ GMT|Max-Age=\d+); )?HttpOnly; Secure; SameSite=(Lax|Strict)$`)
	jar := map[string]string{}
	send := func(method, path, kind, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		for name, value := range jar {
			req.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		browser := servertest.Browser(t)
		browser.Jar = nil
		page := servertest.Do(t, browser, req)
		lines := page.Response.Header.Values("Set-Cookie")
		if len(lines) == 0 {
			t.Errorf("%s %s sets none: %d", method, path, page.Response.StatusCode)
		}
		for _, one := range lines {
			found := line.FindStringSubmatch(one)
			if found == nil || len(found[1])+len(found[2]) > 4096 {
				t.Errorf("%s sets %q", path, one)
				continue
			}
			jar[found[1]] = found[2]
			if found[2] == "" {
				delete(jar, found[1])
			}
		}
	}
	const form = "application/x-www-form-urlencoded"
	send("GET", authorizePath+"?"+acmePortal.request(oauth2.GenerateVerifier()).Encode(), form, "")
	send("POST", "/sign-in", form, url.Values{"email": {bob}, "password": {bobPass}, "remember": {"yes"}}.Encode())
	send("POST", "/second-factor", form, "code="+a.code(0))
	send("POST", "/sign-out", form, "")
	// Whose account was to stay signed in here is offered the next time, too.
	if left := slices.Sorted(maps.Keys(jar)); !slices.Equal(left, []string{"__Host-authy_accounts", "__Host-authy_browser"}) {
		t.Errorf("after signing out there are %s", left)
	}
	credentials, err := json.Marshal(object{"email": bob, "password": bobPass})
	if err != nil {
		t.Fatal(err)
	}
	send("POST", "/api/v1/auth/webauthn/login/begin", "application/json", "{}")
	send("POST", loginPath, "application/json", string(credentials))
	code, err := json.Marshal(object{"code": a.recovery[0], "is_backup_code": true})
	if err != nil {
		t.Fatal(err)
	}
	send("POST", "/api/v1/auth/totp/verify", "application/json", string(code))
}

// MF-26: a session that was begun by a password says so, whatever the client
// asks for, also after a refresh.
func TestAPasswordAloneNeverCountsForMore(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, pairs := range [][]string{
		nil,
		{"acr_values", "mfa urn:authy:mfa 2"},
		{"claims", `{"id_token":{"acr":{"values":["urn:authy:acr:mfa"]},"amr":{"essential":true,"values":["mfa"]}}}`},
	} {
		began := time.Now()
		got := acmePortal.tokens(t, s, servertest.Browser(t), pairs...)
		again := acmePortal.refresh(t, s, got.Refresh).tokens(t)
		for _, token := range []string{got.ID, again.ID} {
			_, claims := claimsOf(t, token)
			if amr, _ := claims["amr"].([]any); !slices.Equal(amr, []any{"pwd"}) || claims["acr"] != "urn:authy:acr:password" {
				t.Errorf("%v: amr %v, acr %v", pairs, claims["amr"], claims["acr"])
			}
			if at, _ := claims["auth_time"].(float64); int64(at) < began.Unix()-1 || int64(at) > time.Now().Unix() {
				t.Errorf("%v: auth_time %v", pairs, claims["auth_time"])
			}
		}
	}
	essential := acmePortal.request("v", "claims", `{"id_token":{"acr":{"essential":true,"values":["urn:authy:acr:mfa"]}}}`)
	page, _ := s.Visit(t, servertest.Browser(t), authorizeURL(s, essential), bob, bobPass)
	refusedThere(t, s, page, acmePortal, "unmet_authentication_requirements")
}
