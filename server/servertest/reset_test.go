package servertest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

const (
	forgotPath   = "/api/v1/auth/forgot-password"
	resetPath    = "/api/v1/auth/reset-password"
	forgotAnswer = "If the address has an account, a link to choose a new password is on its way to it."
	resetAnswer  = "Password reset successfully"
)

// mailed runs fn against a server with mail, on each database.
func mailed(t *testing.T, fn func(t *testing.T, s *servertest.Server, box *servertest.Outbox), change ...func(*config.Config)) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			there := func(c *config.Config) { c.Database.URL = config.Secret(storagetest.Migrated(t, engine)) }
			s, box := servertest.WithMail(t, append([]func(*config.Config){there}, change...)...)
			fn(t, s, box)
		})
	}
}

func forgot(t *testing.T, s *servertest.Server, email string, header ...string) {
	t.Helper()
	o := caller{t: t, s: s}.call("POST", forgotPath, object{"email": email}, header...).succeeded(202, forgotAnswer)
	if o.Data != nil {
		t.Errorf("the answer tells more: %s", o.Raw)
	}
}

func reset(t *testing.T, s *servertest.Server, token, password string) outcome {
	t.Helper()
	return caller{t: t, s: s}.call("POST", resetPath, object{
		"token": token, "password": password, "password_confirm": password,
	})
}

// dead wants a link that opens nothing; which kind of nothing is not told.
func dead(t *testing.T, o outcome) {
	t.Helper()
	o.failed(400, "VALIDATION_ERROR", account.ErrLink.Message)
	if len(o.Problem.Details) > 0 {
		t.Errorf("a dead link tells more: %s", o.Raw)
	}
}

func TestAForgottenPasswordIsReplacedByMail(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		before := logIn(t, s, bob, bobPass)
		v := newVisitor(t, s)
		s.SignIn(t, v.browser, bob, bobPass)
		tr := newTrail(t, s)
		// HT-13: links lead to the public URL, whatever the request says.
		forgot(t, s, " BOB@acme-corp.com", "X-Forwarded-Host", "evil.example", "Forwarded", "host=evil.example")
		l := box.Next(t, bob, "Choose a new password")
		if !strings.HasPrefix(l.Link(), s.URL+"/reset-password?token=") || strings.Contains(l.Text+l.HTML, "evil") {
			t.Fatalf("the link is %q", l.Link())
		}
		tr.wants("asking", "user.password_reset_requested success by anonymous to user")

		// What cannot become the password does not use the link up.
		o := reset(t, s, l.Token(), bob).failed(400, "VALIDATION_ERROR", "Validation failed")
		if len(o.Problem.Details["password"]) != 1 {
			t.Errorf("a weak password: %s", o.Raw)
		}
		caller{t: t, s: s}.call("POST", resetPath, object{
			"token": l.Token(), "password": newer, "password_confirm": newer + "x",
		}).failed(400, "VALIDATION_ERROR", "")
		before.me(true)
		if o := reset(t, s, l.Token(), newer).succeeded(200, resetAnswer); o.Data != nil || o.Header.Get("Set-Cookie") != "" {
			t.Errorf("a reset signs in: %s", o.Raw)
		}
		tr.wants("resetting", "user.password_reset success by user to user")
		before.me(false)
		v.signedIn(false)
		dead(t, reset(t, s, l.Token(), newer))
		logIn(t, s, bob, newer)
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).
			failed(401, "AUTHENTICATION_ERROR", "")
		notice := box.Next(t, bob, "Your password was reset")
		if notice.Link() != "" || !strings.Contains(notice.Text, "127.0.0.1") {
			t.Errorf("the notice says\n%s", notice.Text)
		}
	})
}

func TestALinkToANewPasswordDies(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		link := func() string {
			t.Helper()
			forgot(t, s, bob)
			return box.Next(t, bob, "Choose a new password").Token()
		}
		older := link()
		token := link()
		dead(t, reset(t, s, older, newer)) // when another is asked for

		p := logIn(t, s, bob, bobPass)
		p.changePassword(bobPass, newer).succeeded(200, "Password changed successfully")
		dead(t, reset(t, s, token, passphrase)) // when the password changes
		box.Next(t, bob, "Your password was changed")

		token = link()
		user, err := s.Accounts.Find(t.Context(), bob)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Accounts.SetPassword(t.Context(), audit.Shell(), user.ID, bobPass); err != nil {
			t.Fatal(err)
		}
		dead(t, reset(t, s, token, passphrase))
		box.Next(t, bob, "Your password was changed")

		token = link()
		suspend(t, s, bob) // with the account
		dead(t, reset(t, s, token, passphrase))

		for _, odd := range []string{"x", strings.Repeat("A", 256), storage.Hash(token), "' OR '1'='1"} {
			dead(t, reset(t, s, odd, passphrase))
		}
		for _, body := range []object{{"token": token}, {"token": "", "password": newer, "password_confirm": newer}, {}} {
			caller{t: t, s: s}.call("POST", resetPath, body).failed(400, "VALIDATION_ERROR", "")
		}
	})
}

func TestALinkExpires(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		accounts := account.New(db, account.NewHasher(4))
		user, err := accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: bob, Password: passphrase})
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		for left, want := range map[time.Duration]error{time.Minute: nil, -time.Millisecond: account.ErrLink} {
			err := db.Update(t.Context(), func(tx *storage.Tx) error {
				return tx.InsertLink(t.Context(), &storage.Link{
					Hash: storage.Hash("secret" + left.String()), Purpose: storage.ResetLink, UserID: storage.Ref(user.ID),
					CreatedAt: storage.At(now.Add(-time.Hour)), ExpiresAt: storage.At(now.Add(left)),
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := accounts.ResetUser(t.Context(), "secret"+left.String()); err != want { //nolint:errorlint // the very value
				t.Errorf("with %s left: %v, want %v", left, err, want)
			}
		}
		chosen, err := accounts.HashNew(t.Context(), "password", user, newer)
		if err != nil {
			t.Fatal(err)
		}
		late := now.Add(2 * time.Minute)
		err = db.Update(t.Context(), func(tx *storage.Tx) error {
			return accounts.Reset(t.Context(), tx, audit.Actor{}, late, "secret"+time.Minute.String(), chosen)
		})
		if err != account.ErrLink { //nolint:errorlint // the very value
			t.Errorf("used too late: %v, want ErrLink", err)
		}
	})
}

// MF-07: a new password is no way round the second factor.
func TestAResetKeepsTheSecondFactor(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	a := enrolled(t, logIn(t, s, bob, bobPass))
	box.Next(t, bob, "You can sign in with an authenticator app now")
	forgot(t, s, bob)
	reset(t, s, box.Next(t, bob, "Choose").Token(), newer).succeeded(200, resetAnswer)
	o := caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": newer}).
		succeeded(200, pendingMessage)
	verify(t, s, o.text("pending_token"), a.code(0)).succeeded(200, "TOTP verification successful")
}

// A sign-in that waits for its second factor was begun by the old password.
func TestAResetEndsWhatWaitsForASecondFactor(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	a := enrolled(t, logIn(t, s, bob, bobPass))
	pending := half(t, s)
	forgot(t, s, bob)
	reset(t, s, box.Next(t, bob, "Choose").Token(), newer).succeeded(200, resetAnswer)
	verify(t, s, pending, a.code(0)).failed(401, "AUTHENTICATION_ERROR", noPending)
}

func TestAResetEndsTheAccessOfApplications(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	p := newPortal(t, s, "acme-portal-001", "acme_secret_portal_2024", callback)
	a := newAttempt()
	page, _ := s.Visit(t, servertest.Browser(t), p.url(a), bob, bobPass)
	token, _ := p.exchange(t, s, a, page.Location())
	forgot(t, s, bob)
	reset(t, s, box.Next(t, bob, "Choose").Token(), newer).succeeded(200, resetAnswer)
	if r := userinfo(t, s, token.AccessToken); r.status != http.StatusUnauthorized {
		t.Errorf("the access token is answered %d", r.status)
	}
	token.Expiry = time.Now().Add(-time.Hour)
	if _, err := p.config.TokenSource(t.Context(), token).Token(); err == nil {
		t.Error("the refresh token still works")
	}
}

// LG-01: nothing tells who has an account; and who is suspended gets nothing.
func TestAskingForALinkTellsNothing(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	suspend(t, s, "carol@acme-corp.com")
	p := caller{t: t, s: s}
	took := map[string][]time.Duration{}
	emails := []string{bob, "nobody@acme-corp.com", "carol@acme-corp.com"}
	want := ""
	for range 100 {
		for _, email := range emails {
			began := time.Now()
			o := p.call("POST", forgotPath, object{"email": email}).succeeded(202, forgotAnswer)
			took[email] = append(took[email], time.Since(began))
			body := strings.ReplaceAll(o.Raw, o.RequestID, "")
			if want == "" {
				want = body
			}
			if body != want {
				t.Fatalf("%s is answered %s, others %s", email, body, want)
			}
		}
	}
	median := func(email string) time.Duration {
		slices.Sort(took[email])
		return took[email][len(took[email])/2]
	}
	for _, email := range emails[1:] {
		if a, b := median(bob), median(email); a > 2*b+2*time.Millisecond || b > 2*a+2*time.Millisecond {
			t.Errorf("a known address takes %s, %s %s", a, email, b)
		}
	}
	box.Next(t, bob, "Choose")
	for _, one := range box.Subjects() {
		if !strings.HasPrefix(one, bob+": ") {
			t.Errorf("also sent: %s", one)
		}
	}
	p.call("POST", forgotPath, object{"email": "no address"}).failed(400, "VALIDATION_ERROR", "Validation failed")
}

func TestAskingForMailIsLimited(t *testing.T) {
	t.Parallel()
	s, _ := servertest.WithMail(t, func(c *config.Config) { c.RateLimit.Enabled = true })
	p := caller{t: t, s: s}
	for _, email := range []string{bob, "nobody@acme-corp.com"} {
		for range 10 {
			forgot(t, s, email)
		}
		if o := p.call("POST", forgotPath, object{"email": email}); o.Code != 429 || o.Header.Get("Retry-After") == "" {
			t.Errorf("the 11th mail to %s is answered %s", email, o.Raw)
		}
	}
	for range 8 {
		p.call("POST", forgotPath, object{"email": "eve" + storage.NewID() + "@example.com"})
	}
	p.call("POST", forgotPath, object{"email": "eve@example.com"}).failed(429, "RATE_LIMIT_EXCEEDED", "")
}

func TestAResetLetsInWhoWasStoppedForGuessing(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t, func(c *config.Config) { c.RateLimit.Enabled = true })
	p := caller{t: t, s: s}
	for range 11 {
		p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": "a guess"})
	}
	p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).failed(429, "RATE_LIMIT_EXCEEDED", "")
	forgot(t, s, bob)
	reset(t, s, box.Next(t, bob, "Choose").Token(), newer).succeeded(200, resetAnswer)
	logIn(t, s, bob, newer)
}

func TestAnAdministratorHandsALinkOutAndLearnsNoPassword(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		_, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: chief, Password: chiefPass, Admin: true})
		if err != nil {
			t.Fatal(err)
		}
		root := logIn(t, s, chief, chiefPass)
		path := "/api/v1/admin/users/" + userID(t, s, bob) + "/reset-link"
		for _, p := range []caller{{t: t, s: s}, logIn(t, s, bob, bobPass), logIn(t, s, "superadmin@acme-corp.com", "SuperAdmin123!")} {
			if o := p.call("POST", path, nil); o.Code != 401 && o.Code != 403 {
				t.Errorf("somebody else: %s", o.Raw)
			}
		}
		tr := newTrail(t, s)
		o := root.call("POST", path, nil).succeeded(200, "Reset link made successfully")
		link, err := url.Parse(o.text("link"))
		if err != nil || !strings.HasPrefix(link.String(), s.URL+"/reset-password?token=") {
			t.Fatalf("the link is %s", o.Raw)
		}
		tr.wants("handing a link out", "user.password_reset_requested success handed_out by user to user")
		reset(t, s, link.Query().Get("token"), newer).succeeded(200, resetAnswer)
		logIn(t, s, bob, newer)
		me := root.call("GET", "/api/v1/auth/me", nil).text("user", "id")
		root.call("POST", "/api/v1/admin/users/"+me+"/reset-link", nil).
			failed(403, "AUTHORIZATION_ERROR", account.ErrOwnReset.Message)
		root.call("POST", "/api/v1/admin/users/"+storage.NewID()+"/reset-link", nil).failed(404, "NOT_FOUND", "User not found")
		suspend(t, s, bob)
		root.call("POST", path, nil).failed(409, "CONFLICT", account.ErrResetSuspended.Message)
	})
}

func TestALinkThatWasMailedVerifiesTheAddressToo(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	for email, mailed := range map[string]bool{"mailed@example.com": true, "handed@example.com": false} {
		p := registered(t, s, email)
		token := ""
		if mailed {
			forgot(t, s, email)
			token = box.Next(t, email, "Choose").Token()
		} else {
			l, err := s.Accounts.NewResetLink(t.Context(), audit.Shell(), email)
			if err != nil {
				t.Fatal(err)
			}
			_, token, _ = strings.Cut(l.Path, "token=")
		}
		if _, verified := p.address(); verified {
			t.Fatalf("%s is verified before", email)
		}
		reset(t, s, token, newer).succeeded(200, resetAnswer)
		if _, verified := logIn(t, s, email, newer).address(); verified != mailed {
			t.Errorf("%s: verified %v", email, verified)
		}
	}
}

func TestWithoutMailAPersonIsToldWhomToAsk(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, email := range []string{bob, "nobody@acme-corp.com"} {
		caller{t: t, s: s}.call("POST", forgotPath, object{"email": email}).
			failed(403, "AUTHORIZATION_ERROR", "This server sends no mail. Ask its administrator.")
	}
	p := logIn(t, s, bob, bobPass)
	p.call("POST", mePath+"/verify-email", nil).failed(403, "AUTHORIZATION_ERROR", "")
	p.call("POST", mePath+"/email", object{"email": "robert@acme-corp.com"}).failed(403, "AUTHORIZATION_ERROR", "")
	v := newVisitor(t, s)
	if page := v.get("/forgot-password"); page.Response.StatusCode != 200 || !strings.Contains(page.Body, "Ask whoever runs it") ||
		strings.Contains(page.Body, `name="email"`) {
		t.Errorf("the page says\n%s", page.Body)
	}
}
