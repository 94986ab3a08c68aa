package servertest_test

import (
	"encoding/base32"
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
)

const (
	pendingMessage = "TOTP code required. Please enter your 6-digit code from your authenticator app."
	noPending      = "No pending TOTP verification. Please login first."
	wrongCode      = "Invalid TOTP code"
)

// authenticator is somebody's app that shows codes.
type authenticator struct {
	t      *testing.T
	secret []byte
	// Recovery are the codes that were shown beside it.
	recovery []string
}

// code returns the code of the step n steps from now.
func (a *authenticator) code(n int64) string {
	return servertest.TOTP(a.secret, time.Now().Add(time.Duration(n)*30*time.Second))
}

// enrolled gives a user an authenticator, confirmed by the code before the
// present one, so that the present one is still good.
func enrolled(t *testing.T, c caller) *authenticator {
	t.Helper()
	o := c.call("POST", "/api/v1/auth/totp/enroll", nil).
		succeeded(201, "TOTP enrollment initiated. Please verify with your authenticator app.")
	a := &authenticator{t: t, secret: secretIn(t, o)}
	codes, _ := o.at("backup_codes").([]any)
	for _, code := range codes {
		text, _ := code.(string)
		a.recovery = append(a.recovery, text)
	}
	if len(a.recovery) != 10 {
		t.Fatalf("backup codes in %s", o.Raw)
	}
	if left := 30 - time.Now().Unix()%30; left < 3 {
		time.Sleep(time.Duration(left) * time.Second) // a code that is about to age proves nothing
	}
	c.call("POST", "/api/v1/auth/totp/verify-enrollment", object{"code": a.code(-1), "client_timestamp": 1}).
		succeeded(200, "TOTP enrollment completed successfully")
	return a
}

// secretIn is the secret of an authenticator that an answer shows.
func secretIn(t *testing.T, o outcome) []byte {
	t.Helper()
	secret, err := base32.StdEncoding.DecodeString(o.text("secret"))
	if err != nil || len(secret) != 20 {
		t.Fatalf("secret: %v in %s", err, o.Raw)
	}
	return secret
}

// half sends the password of bob and returns the token of what is pending.
func half(t *testing.T, s *servertest.Server) string {
	t.Helper()
	o := caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).
		succeeded(200, pendingMessage)
	if o.at("requires_totp") != true || o.at("token") != nil || o.at("user") != nil || o.at("expires_at") != nil {
		t.Fatalf("half a sign-in is answered %s", o.Raw)
	}
	return o.text("pending_token")
}

// verify sends a code for what is pending.
func verify(t *testing.T, s *servertest.Server, pending, code string, more ...any) outcome {
	t.Helper()
	body := object{"pending_token": pending, "code": code}
	for i := 0; i+1 < len(more); i += 2 {
		name, _ := more[i].(string)
		body[name] = more[i+1]
	}
	return caller{t: t, s: s}.call("POST", "/api/v1/auth/totp/verify", body)
}

func TestAnAuthenticatorFromEnrolmentToItsEnd(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		c := logIn(t, s, bob, bobPass)
		status := func(enabled bool, left float64) {
			t.Helper()
			o := c.call("GET", "/api/v1/auth/totp/status", nil).succeeded(200, "TOTP status retrieved successfully")
			if o.at("totp_enabled") != enabled || o.at("backup_codes_remaining") != left ||
				(o.at("verified_at") != nil) != enabled {
				t.Errorf("status %s, want %v and %v", o.Raw, enabled, left)
			}
		}
		c.call("POST", "/api/v1/auth/totp/verify-enrollment", object{"code": "123456"}).
			failed(401, "AUTHENTICATION_ERROR", "TOTP enrollment not found")
		o := c.call("POST", "/api/v1/auth/totp/enroll", nil)
		image, found := strings.CutPrefix(o.text("qr_code"), "data:image/png;base64,")
		if png, err := base64.StdEncoding.DecodeString(image); !found || err != nil || !strings.HasPrefix(string(png), "\x89PNG") {
			t.Errorf("qr_code %.60s", o.text("qr_code"))
		}
		uri, err := url.Parse(o.text("provisioning_uri"))
		if err != nil || uri.Path != "/authy:"+bob || uri.Query().Get("issuer") != "authy" || uri.Query().Get("secret") != o.text("secret") {
			t.Errorf("provisioning_uri %s", o.text("provisioning_uri"))
		}
		// Not confirmed, it does not count (MF-13).
		status(false, 0)
		logIn(t, s, bob, bobPass)

		a := enrolled(t, c)
		status(true, 10)
		c.call("POST", "/api/v1/auth/totp/enroll", nil).failed(409, "CONFLICT", "TOTP is already enabled for this account")

		once := a.code(0)
		in := verify(t, s, half(t, s), once).succeeded(200, "TOTP verification successful")
		caller{t: t, s: s, token: in.text("token")}.me(true)
		verify(t, s, half(t, s), once).failed(401, "AUTHENTICATION_ERROR", wrongCode) // MF-01
		code := strings.ToLower(a.recovery[0])
		verify(t, s, half(t, s), code[:8]+"-"+code[8:], "is_backup_code", true).succeeded(200, "TOTP verification successful")
		verify(t, s, half(t, s), a.recovery[0], "is_backup_code", true).failed(401, "AUTHENTICATION_ERROR", "Invalid backup code")
		status(true, 9)

		password := object{"password": bobPass}
		c.call("POST", "/api/v1/auth/totp/regenerate-backup-codes", password).failed(403, "CODE_REQUIRED", "")
		c.call("DELETE", "/api/v1/auth/totp/disable", password).failed(403, "CODE_REQUIRED", "") // MF-10
		// The session that has proved the second factor just now need not again.
		c = caller{t: t, s: s, token: in.text("token")}
		c.call("POST", "/api/v1/auth/totp/regenerate-backup-codes", object{"password": "wrong"}).failed(401, "AUTHENTICATION_ERROR", "Invalid password")
		fresh, _ := c.call("POST", "/api/v1/auth/totp/regenerate-backup-codes", password).
			succeeded(200, "Backup codes regenerated successfully").at("backup_codes").([]any)
		if len(fresh) != 10 {
			t.Errorf("fresh codes: %v", fresh)
		}
		verify(t, s, half(t, s), a.recovery[1], "is_backup_code", true).failed(401, "AUTHENTICATION_ERROR", "Invalid backup code")

		c.call("DELETE", "/api/v1/auth/totp/disable", object{"password": "wrong"}).failed(401, "AUTHENTICATION_ERROR", "Invalid password")
		c.call("DELETE", "/api/v1/auth/totp/disable", object{}).failed(400, "VALIDATION_ERROR", "")
		status(true, 10)
		c.call("DELETE", "/api/v1/auth/totp/disable", password).succeeded(200, "TOTP disabled successfully")
		status(false, 0)
		c.call("DELETE", "/api/v1/auth/totp/disable", password).failed(401, "AUTHENTICATION_ERROR", "TOTP is not enabled for this account")
		logIn(t, s, bob, bobPass)
	})
}

func TestThePendingTokenAlsoGoesByCookie(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := enrolled(t, logIn(t, s, bob, bobPass))
	o := caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass})
	cookie := o.Header.Get("Set-Cookie")
	pair, attributes, _ := strings.Cut(cookie, "; ")
	if pair != "authy_api_pending="+o.text("pending_token") || !strings.Contains(attributes, "HttpOnly; SameSite=Strict") {
		t.Errorf("Set-Cookie: %s", cookie)
	}
	in := caller{t: t, s: s}.call("POST", "/api/v1/auth/totp/verify", object{"code": a.code(0)}, "Cookie", pair)
	in.succeeded(200, "TOTP verification successful")
	if got := in.Header.Get("Set-Cookie"); !strings.HasPrefix(got, "authy_api_pending=; ") || !strings.Contains(got, "Max-Age=0") {
		t.Errorf("afterwards Set-Cookie: %s", got)
	}
	plain := logIn(t, s, carol, bobPass)
	if got := plain.call("POST", "/api/v1/auth/login", object{"email": carol, "password": bobPass}).Header.Values("Set-Cookie"); len(got) > 0 {
		t.Errorf("a whole sign-in sets %q", got)
	}
}

// MF-05, MF-08.
func TestAPendingSignInIsWorthLittle(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := enrolled(t, logIn(t, s, bob, bobPass))
	pending := half(t, s)
	for _, route := range []string{"GET /api/v1/auth/me", "POST /api/v1/auth/totp/enroll", "GET /api/v1/auth/totp/status", "POST /api/v1/auth/logout"} {
		method, path, _ := strings.Cut(route, " ")
		caller{t: t, s: s, token: pending}.call(method, path, nil).failed(401, "INVALID_TOKEN", "")
		caller{t: t, s: s}.call(method, path, nil, "Cookie", "authy_session="+pending).failed(401, "AUTH_REQUIRED", "")
	}
	for range 5 {
		verify(t, s, pending, "000000").failed(401, "AUTHENTICATION_ERROR", wrongCode)
	}
	verify(t, s, pending, a.code(0)).failed(401, "AUTHENTICATION_ERROR", noPending)
	for _, token := range []string{"", "nonsense", strings.Repeat("x", 5000)} {
		verify(t, s, token, a.code(0)).failed(401, "AUTHENTICATION_ERROR", noPending)
	}
	// MF-04: only the server's clock counts.
	verify(t, s, half(t, s), a.code(-5), "client_timestamp", time.Now().Add(-150*time.Second).Unix()).
		failed(401, "AUTHENTICATION_ERROR", wrongCode)
	verify(t, s, half(t, s), a.code(0), "client_timestamp", "now").failed(400, "VALIDATION_ERROR", "")
	verify(t, s, half(t, s), a.code(0), "x", 1).failed(400, "VALIDATION_ERROR", "")

	pending = half(t, s)
	verify(t, s, pending, a.code(0), "client_timestamp", -1).succeeded(200, "TOTP verification successful")
	verify(t, s, pending, a.recovery[0], "is_backup_code", true).failed(401, "AUTHENTICATION_ERROR", noPending)
}

func TestAPendingSignInEndsWithItsUser(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := enrolled(t, logIn(t, s, bob, bobPass))
	user, err := s.Accounts.Find(t.Context(), bob)
	if err != nil {
		t.Fatal(err)
	}
	do := func(name string, change func() error, status int, kind string) {
		t.Helper()
		pending := half(t, s)
		time.Sleep(2 * time.Millisecond)
		if err := change(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		verify(t, s, pending, a.code(0)).failed(status, kind, "")
	}
	do("sign-out", func() error { return s.Accounts.SignOut(t.Context(), audit.Shell(), user.ID) }, 401, "AUTHENTICATION_ERROR")
	do("a new password", func() error {
		return s.Accounts.SetPassword(t.Context(), audit.Shell(), user.ID, "another "+bobPass)
	}, 401, "AUTHENTICATION_ERROR")
	if err := s.Accounts.SetPassword(t.Context(), audit.Shell(), user.ID, bobPass); err != nil {
		t.Fatal(err)
	}
	do("suspension", func() error { return s.Accounts.Suspend(t.Context(), audit.Shell(), user.ID) }, 401, "AUTHENTICATION_ERROR")
	if err := s.Accounts.Activate(t.Context(), audit.Shell(), user.ID); err != nil {
		t.Fatal(err)
	}
	do("the authenticator's end", func() error { return s.Accounts.ResetTOTP(t.Context(), audit.Shell(), user.ID) }, 401, "AUTHENTICATION_ERROR")
	logIn(t, s, bob, bobPass)
}

// MF-05: another pending sign-in does not give more guesses.
func TestGuessesOfTheSecondFactorAreLimited(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.RateLimit.Enabled = true }})
	a := enrolled(t, logIn(t, s, bob, bobPass))
	looked := 0
	for range 4 {
		pending := half(t, s)
		for range 5 {
			o := verify(t, s, pending, "000000")
			if o.Code == 429 {
				if o.Header.Get("Retry-After") == "" {
					t.Error("429 without Retry-After")
				}
				continue
			}
			o.failed(401, "AUTHENTICATION_ERROR", wrongCode)
			looked++
		}
	}
	if looked != 10 {
		t.Errorf("%d guesses were looked at, want 10", looked)
	}
	verify(t, s, half(t, s), a.code(0)).failed(429, "RATE_LIMIT_EXCEEDED", "")
}

// MF-07: OpenID asks, too, and says so.
func TestOpenIDAsksForTheSecondFactor(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		a := enrolled(t, logIn(t, s, bob, bobPass))
		p := newPortal(t, s, "acme-portal-001", "acme_secret_portal_2024", callback)
		for _, c := range []struct {
			code  string
			extra string
			amr   []string
		}{{a.code(0), "", []string{"pwd", "otp", "mfa"}}, {a.recovery[0], "yes", []string{"pwd", "mfa"}}} {
			v := newVisitor(t, s)
			try := newAttempt()
			page, steps := s.Visit(t, v.browser, p.url(try), bob, bobPass)
			if !slices.Equal(steps, []string{"sign-in"}) || !strings.Contains(page.Body, `id="code"`) || v.cookie("authy_session") != "" {
				t.Fatalf("after %v: %s", steps, page.Body)
			}
			form := page.Hidden()
			form.Set("code", "000000")
			if wrong := servertest.Post(t, v.browser, s.URL+"/second-factor", form); wrong.Response.StatusCode != 401 || !strings.Contains(wrong.Body, `id="problem"`) {
				t.Errorf("a wrong code: %d %s", wrong.Response.StatusCode, wrong.Body)
			}
			form.Set("code", c.code)
			if c.extra != "" {
				form.Set("recovery", c.extra)
			}
			page = servertest.Post(t, v.browser, s.URL+"/second-factor", form)
			if to := page.Location(); to != nil && strings.HasPrefix(to.String(), s.URL) {
				page, _ = s.Visit(t, v.browser, to.String(), bob, bobPass)
			}
			if page.Location() == nil {
				t.Fatalf("stuck at %d %s", page.Response.StatusCode, page.Body)
			}
			token, id := p.exchange(t, s, try, page.Location())
			raw, _ := refresh(t, p, token).Extra("id_token").(string)
			again, err := p.provider.Verifier(&oidc.Config{ClientID: p.config.ClientID}).Verify(t.Context(), raw)
			if err != nil {
				t.Fatalf("the refreshed ID token: %v", err)
			}
			for _, one := range []*oidc.IDToken{id, again} {
				var claims struct{ AMR []string }
				if err := one.Claims(&claims); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.amr, claims.AMR); diff != "" {
					t.Errorf("amr (-want +got):\n%s", diff)
				}
			}
		}
	})
}

func TestTheSecondFactorOfAnotherBrowserIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := enrolled(t, logIn(t, s, bob, bobPass))
	p := newPortal(t, s, "acme-portal-001", "acme_secret_portal_2024", callback)
	v, thief := newVisitor(t, s), newVisitor(t, s)
	page, _ := s.Visit(t, v.browser, p.url(newAttempt()), bob, bobPass)
	form := page.Hidden()
	form.Set("code", a.code(0))
	if got := servertest.Post(t, thief.browser, s.URL+"/second-factor", form); got.Response.StatusCode != 403 || thief.cookie("authy_session") != "" {
		t.Errorf("another browser: %d %s", got.Response.StatusCode, got.Body)
	}
	// What is pending in a flow is not pending outside of it, nor in the API.
	form.Del("flow")
	if got := servertest.Post(t, v.browser, s.URL+"/second-factor", form); got.Response.StatusCode != 401 || v.cookie("authy_session") != "" {
		t.Errorf("outside of the flow: %d %s", got.Response.StatusCode, got.Body)
	}
	v = newVisitor(t, s)
	v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/second-factor")
	verify(t, s, v.cookie("authy_pending"), a.code(0)).failed(401, "AUTHENTICATION_ERROR", noPending)
	if got := thief.post("/second-factor", "code", a.code(0)); got.Response.StatusCode != 401 {
		t.Errorf("a browser without the password: %d %s", got.Response.StatusCode, got.Body)
	}
	v.leads(servertest.Get(t, v.browser, s.URL+"/sign-in"), "/second-factor")
	v.leads(v.post("/second-factor", "code", a.code(0)), "/account")
	if v.cookie("authy_session") == "" || v.cookie("authy_pending") != "" {
		t.Error("the session's cookie is missing, or the pending one is still there")
	}
}

func TestFiveGuessesOnThePageThenThePasswordAgain(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := enrolled(t, logIn(t, s, bob, bobPass))
	v := newVisitor(t, s)
	v.leads(servertest.Get(t, v.browser, s.URL+"/second-factor"), "/sign-in")
	v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/second-factor")
	for _, asked := range []string{"code", "code", "code", "code", "sign-in"} {
		if page := v.post("/second-factor", "code", "000000"); page.Response.StatusCode != 401 || !strings.Contains(page.Body, `id="`+asked+`"`) {
			t.Fatalf("a wrong code: %d %s, want a page that asks for the %s", page.Response.StatusCode, page.Body, asked)
		}
	}
	if page := v.post("/second-factor", "code", a.code(0)); page.Response.StatusCode != 401 || !strings.Contains(page.Body, `id="sign-in"`) {
		t.Errorf("the sixth: %d %s", page.Response.StatusCode, page.Body)
	}
	v.leads(v.post("/sign-in", "email", bob, "password", bobPass), "/second-factor")
	v.leads(v.post("/second-factor", "code", a.code(0)), "/account")
}

// MF-14.
func TestTheSecretOfAnAuthenticatorIsNowhereInPlain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := (&url.URL{Scheme: "sqlite", Path: filepath.Join(dir, "authy.db")}).String()
	s := servertest.Start(t, servertest.Options{DatabaseURL: path})
	a := enrolled(t, logIn(t, s, bob, bobPass))
	pending := half(t, s)
	secrets := map[string]string{
		"secret": string(a.secret), "secret in base32": base32.StdEncoding.EncodeToString(a.secret),
		"secret in base64": base64.StdEncoding.EncodeToString(a.secret)[:24], "pending token": pending,
	}
	for _, code := range a.recovery {
		secrets["recovery code "+code] = code
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) == 0 {
		t.Fatalf("files: %v, %v", files, err)
	}
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		for name, secret := range secrets {
			if strings.Contains(string(content), secret) {
				t.Errorf("%s holds the %s", f.Name(), name)
			}
		}
	}
	events, err := s.DB.Events(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	var actions []string
	for _, e := range events {
		if strings.HasPrefix(e.Action, "totp.") || e.Action == "user.login.password" {
			actions = append(actions, e.Action)
		}
	}
	slices.Sort(actions)
	if diff := cmp.Diff([]string{"totp.enroll.completed", "totp.enroll.initiated", "user.login.password"}, actions); diff != "" {
		t.Errorf("recorded (-want +got):\n%s", diff)
	}
}
