package servertest_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

const passphrase = "orchid lantern"

// wantNames wants exactly these names in an object of the answer.
func (o outcome) wantNames(names []string, path ...string) {
	o.t.Helper()
	m, ok := o.at(path...).(map[string]any)
	if !ok {
		o.t.Fatalf("%s: %v is no object in %s", o.call, path, o.Raw)
	}
	slices.Sort(names)
	if diff := cmp.Diff(names, slices.Sorted(maps.Keys(m))); diff != "" {
		o.t.Errorf("%s: names of %v (-want +got):\n%s", o.call, path, diff)
	}
}

// wantTime wants an instant in UTC, about d from now.
func wantTime(t *testing.T, name, text string, d time.Duration) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || !strings.HasSuffix(text, "Z") {
		t.Errorf("%s = %q, %v, want RFC 3339 in UTC", name, text, err)
	}
	if off := time.Until(at) - d; off.Abs() > time.Minute {
		t.Errorf("%s = %s, want %v from now", name, text, d)
	}
}

var userNames = []string{
	"id", "created_at", "updated_at", "email", "email_verified", "full_name", "avatar_url", "status", "last_login_at",
}

func TestRegisteringMakesAnAccountAndSignsIn(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := caller{t: t, s: s}
		o := p.call("POST", "/api/v1/auth/register", object{
			"email": " Mallory@Example.com", "password": passphrase, "password_confirm": passphrase, "full_name": " Mallory M. ",
		}).succeeded(201, "Registration successful")
		o.wantNames([]string{"user", "token", "expires_at", "mfa_compliance"})
		o.wantNames(userNames, "user")
		wantTime(t, "expires_at", o.text("expires_at"), 24*time.Hour)
		for _, name := range []string{"created_at", "updated_at", "last_login_at"} {
			wantTime(t, name, o.text("user", name), 0)
		}
		if err := uuid.Validate(o.text("user", "id")); err != nil {
			t.Errorf("id: %v", err)
		}
		want := map[string]any{
			"email": "mallory@example.com", "full_name": "Mallory M.", "status": "active",
			"email_verified": false, "avatar_url": nil,
		}
		for name, value := range want {
			if got := o.at("user", name); got != value {
				t.Errorf("%s = %v, want %v", name, got, value)
			}
		}
		p.token = o.text("token")
		if len(p.token) != 43 {
			t.Errorf("the token has %d characters", len(p.token))
		}
		p.me(true)
		logIn(t, s, "MALLORY@example.com", passphrase).me(true)
		p.call("POST", "/api/v1/auth/register", object{
			"email": "mallory@EXAMPLE.com", "password": passphrase, "password_confirm": passphrase,
		}).failed(409, "CONFLICT", "Email address already registered")
		o = p.call("POST", "/api/v1/auth/register", object{
			"email": "nameless@example.com", "password": passphrase, "password_confirm": passphrase, "full_name": nil,
		})
		if got := o.at("user", "full_name"); got != nil {
			t.Errorf("no name became %v", got)
		}
	})
}

func TestRegistrationCanBeClosed(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.Registration.Enabled = false }})
	caller{t: t, s: s}.call("POST", "/api/v1/auth/register", object{
		"email": "mallory@example.com", "password": passphrase, "password_confirm": passphrase,
	}).failed(403, "AUTHORIZATION_ERROR", "Registration is closed on this server. Ask its administrator for an account.")
}

func TestSigningInGivesAToken(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := caller{t: t, s: s}
		for _, c := range []struct {
			remember any
			lifetime time.Duration
		}{{nil, 24 * time.Hour}, {false, 24 * time.Hour}, {true, 30 * 24 * time.Hour}} {
			in := object{"email": " BOB@acme-corp.com ", "password": bobPass}
			if c.remember != nil {
				in["remember_me"] = c.remember
			}
			o := p.call("POST", "/api/v1/auth/login", in).succeeded(200, "Login successful")
			o.wantNames([]string{"user", "token", "expires_at", "mfa_compliance"})
			o.wantNames(userNames, "user")
			wantTime(t, "expires_at", o.text("expires_at"), c.lifetime)
			wantTime(t, "last_login_at", o.text("user", "last_login_at"), 0)
			if o.at("user", "email_verified") != true || o.text("user", "email") != bob {
				t.Errorf("user in %s", o.Raw)
			}
			if cookies := o.Header.Values("Set-Cookie"); len(cookies) > 0 {
				t.Errorf("cookies %v", cookies)
			}
		}
	})
}

func TestSigningInDoesNotTellWhoExists(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		suspend(t, s, "carol@acme-corp.com")
		var first outcome
		for i, c := range []object{
			{"email": bob, "password": "wrong"},
			{"email": "nobody@example.com", "password": bobPass},
			{"email": "carol@acme-corp.com", "password": "wrong"},
			{"email": bob, "password": strings.Repeat("long ", 100)},
			{"email": bob, "password": bobPass + "\u202e"},
			{"email": bob, "password": " " + bobPass},
		} {
			o := caller{t: t, s: s}.call("POST", "/api/v1/auth/login", c, "X-Request-ID", "same-id-for-all").
				failed(401, "AUTHENTICATION_ERROR", "Invalid email or password")
			if i == 0 {
				first = o
			}
			o.Header.Del("Date")
			first.Header.Del("Date")
			if diff := cmp.Diff(first.Header, o.Header); diff != "" || first.Raw != o.Raw {
				t.Errorf("%v differs from the first:\n%s%s", c, diff, o.Raw)
			}
		}
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": "carol@acme-corp.com", "password": bobPass}).
			failed(403, "AUTHORIZATION_ERROR", "Your account has been suspended")
	})
}

// suspend suspends a user as an operator does.
func suspend(t *testing.T, s *servertest.Server, email string) {
	t.Helper()
	if err := s.Accounts.Suspend(t.Context(), audit.Shell(), userID(t, s, email)); err != nil {
		t.Fatal(err)
	}
}

func TestOnesStatusIsToldAfterThePasswordAlone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for status, message := range map[storage.Status]string{
		storage.Inactive: "Your account is inactive", storage.Suspended: "Your account has been suspended",
	} {
		setStatus(t, s, bob, status)
		p := caller{t: t, s: s}
		p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).failed(403, "AUTHORIZATION_ERROR", message)
		p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": "wrong"}).
			failed(401, "AUTHENTICATION_ERROR", "Invalid email or password")
	}
	setStatus(t, s, bob, storage.Pending)
	logIn(t, s, bob, bobPass).me(true)
}

func setStatus(t *testing.T, s *servertest.Server, email string, status storage.Status) {
	t.Helper()
	err := s.DB.Update(t.Context(), func(tx *storage.Tx) error {
		u, err := tx.UserByEmail(t.Context(), email)
		if err != nil {
			return err
		}
		u.Status = status
		return tx.SaveUser(t.Context(), u)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestMeSaysWhoIsSignedIn(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		o := logIn(t, s, "charlie@cross-org.com", bobPass).call("GET", "/api/v1/auth/me", nil).
			succeeded(200, "User retrieved successfully")
		o.wantNames([]string{"user", "organizations"})
		o.wantNames(userNames, "user")
		orgs, ok := o.at("organizations").([]any)
		if !ok || len(orgs) != 2 {
			t.Fatalf("organizations in %s", o.Raw)
		}
		for i, slug := range []string{"acme-corp", "tech-startup"} {
			one, ok := orgs[i].(map[string]any)
			if !ok || len(one) != 3 || one["slug"] != slug || one["name"] == "" || uuid.Validate(fmt.Sprint(one["id"])) != nil {
				t.Errorf("organization %d = %v", i, orgs[i])
			}
		}
		o = logIn(t, s, "eve@acme-corp.com", bobPass).call("GET", "/api/v1/auth/me", nil)
		if orgs, ok := o.at("organizations").([]any); !ok || len(orgs) != 0 {
			t.Errorf("no organizations are %v, want an empty list", o.at("organizations"))
		}
	})
}

func TestLogoutEndsTheTokenThatWasSent(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p, other := logIn(t, s, bob, bobPass), logIn(t, s, bob, bobPass)
		o := p.call("POST", "/api/v1/auth/logout", nil).succeeded(200, "Logout successful")
		if strings.Contains(o.Raw, `"data"`) {
			t.Errorf("logout answers data: %s", o.Raw)
		}
		p.me(false)
		other.me(true)
		p.call("POST", "/api/v1/auth/logout", nil).failed(401, "INVALID_TOKEN", "Invalid or expired session")
	})
}

func TestTheFourWaysToBeUnauthenticated(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.Session.Lifetime.Duration = time.Second }})
	expired := logIn(t, s, bob, bobPass)
	const format = "Invalid authorization format. Use: Bearer {token}"
	for _, route := range []string{
		"POST /api/v1/auth/logout", "GET /api/v1/auth/me", "GET /api/v1/auth/sessions", "DELETE /api/v1/auth/sessions",
		"DELETE /api/v1/auth/sessions/" + storage.NewID(),
	} {
		method, path, _ := strings.Cut(route, " ")
		p := caller{t: t, s: s}
		for _, c := range []struct{ header, kind, message string }{
			{"", "AUTH_REQUIRED", "Authorization header is required"},
			{"Bearer", "INVALID_AUTH_FORMAT", format},
			{"Basic Ym9iOmJvYg==", "INVALID_AUTH_FORMAT", format},
			{"Bearer two parts", "INVALID_AUTH_FORMAT", format},
			{"Bearer " + strings.Repeat("A", 43), "INVALID_TOKEN", "Invalid or expired session"},
			{"Bearer short", "INVALID_TOKEN", "Invalid or expired session"},
		} {
			o := p.call(method, path, nil, "Authorization", c.header).failed(401, c.kind, c.message)
			want := "Bearer" // and an error for a token only (RFC 6750, section 3.1)
			if c.kind == "INVALID_TOKEN" {
				want = `Bearer error="invalid_token"`
			}
			if got := o.Header.Get("WWW-Authenticate"); got != want {
				t.Errorf("%s with %q: WWW-Authenticate %q, want %q", route, c.header, got, want)
			}
		}
	}
	time.Sleep(time.Second)
	o := expired.call("GET", "/api/v1/auth/me", nil).failed(401, "SESSION_INACTIVE", "Session is no longer active")
	if got := o.Header.Get("WWW-Authenticate"); got != `Bearer error="invalid_token"` {
		t.Errorf("an expired session: WWW-Authenticate %q", got)
	}
}

func TestWhatAnOperatorDoesBitesAtOnce(t *testing.T) {
	t.Parallel()
	for name, do := range map[string]func(ctx context.Context, s *servertest.Server, id string) error{
		"suspend": func(ctx context.Context, s *servertest.Server, id string) error {
			return s.Accounts.Suspend(ctx, audit.Shell(), id)
		},
		"sign out": func(ctx context.Context, s *servertest.Server, id string) error {
			return s.Accounts.SignOut(ctx, audit.Shell(), id)
		},
		"delete": func(ctx context.Context, s *servertest.Server, id string) error {
			return s.Accounts.Delete(ctx, audit.Shell(), id)
		},
		"password": func(ctx context.Context, s *servertest.Server, id string) error {
			return s.Accounts.SetPassword(ctx, audit.Shell(), id, passphrase)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			engines(t, func(t *testing.T, s *servertest.Server) {
				p, browser := logIn(t, s, bob, bobPass), servertest.Browser(t)
				other := logIn(t, s, "eve@acme-corp.com", bobPass)
				s.SignIn(t, browser, bob, bobPass)
				p.me(true)
				if err := do(t.Context(), s, userID(t, s, bob)); err != nil {
					t.Fatal(err)
				}
				p.me(false)
				other.me(true)
				if page := servertest.Get(t, browser, s.URL+"/account"); page.Response.StatusCode != http.StatusSeeOther {
					t.Errorf("the browser still sees %d", page.Response.StatusCode)
				}
			})
		})
	}
}

func TestWhoeverIsActiveAgainSignsInAnew(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := logIn(t, s, bob, bobPass)
	suspend(t, s, bob)
	if err := s.Accounts.Activate(t.Context(), audit.Shell(), userID(t, s, bob)); err != nil {
		t.Fatal(err)
	}
	p.me(false)
	logIn(t, s, bob, bobPass).me(true)
}

func TestGuessingIsSlowedDown(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.RateLimit.Enabled = true }})
	spellings := []string{bob, "BOB@ACME-CORP.COM", " bob@acme-corp.com", "bob@acme-corp.com ", "bob@ACME-corp.com"}
	forged := []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP"}
	p, evaluated := caller{t: t, s: s}, 0
	for i := range 20 {
		var header []string
		for _, name := range forged {
			header = append(header, name, fmt.Sprintf("198.51.100.%d", i))
		}
		in := object{"email": spellings[i%len(spellings)], "password": "wrong"}
		o := p.call("POST", "/api/v1/auth/login", in, header...)
		if o.Code == http.StatusUnauthorized {
			evaluated++
			continue
		}
		o.failed(429, "RATE_LIMIT_EXCEEDED", "Too many attempts. Please wait and try again.")
		if wait := o.Header.Get("Retry-After"); wait == "" || wait == "0" {
			t.Errorf("Retry-After is %q", wait)
		}
	}
	if evaluated != 10 {
		t.Errorf("%d guesses were evaluated, want 10", evaluated)
	}
	p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).failed(429, "RATE_LIMIT_EXCEEDED", "")
	for range 12 { // whoever knows the password is never too many
		logIn(t, s, "eve@acme-corp.com", bobPass).me(true)
	}
	// The page is another door to the same room.
	page := servertest.Post(t, servertest.Browser(t), s.URL+"/sign-in", map[string][]string{"email": {bob}, "password": {bobPass}})
	if page.Response.StatusCode != 429 || page.Response.Header.Get("Retry-After") == "" {
		t.Errorf("the page answers %d, Retry-After %q", page.Response.StatusCode, page.Response.Header.Get("Retry-After"))
	}
}

func TestASessionSurvivesARestart(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			database := storagetest.Migrated(t, engine)
			var token, ended string
			t.Run("before", func(t *testing.T) {
				s := servertest.Start(t, servertest.Options{DatabaseURL: database})
				token = logIn(t, s, bob, bobPass).token
				p := logIn(t, s, bob, bobPass)
				ended = p.token
				p.call("POST", "/api/v1/auth/logout", nil).succeeded(200, "Logout successful")
			})
			s := servertest.Start(t, servertest.Options{DatabaseURL: database})
			caller{t, s, token}.me(true)
			caller{t, s, ended}.me(false)
		})
	}
}
