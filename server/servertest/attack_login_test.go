package servertest_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
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
	loginPath    = "/api/v1/auth/login"
	registerPath = "/api/v1/auth/register"
)

// LG-01: whoever it is, a wrong password is compared with something.
func TestAWrongPasswordTakesTheSameTimeWhoeverItIs(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.Security.BcryptCost = 9 }})
	suspend(t, s, "carol@acme-corp.com")
	in := account.NewUser{Email: "social@example.com", NoPassword: true}
	if _, err := s.Accounts.Create(t.Context(), audit.Shell(), in); err != nil {
		t.Fatal(err)
	}
	if err := s.Accounts.Delete(t.Context(), audit.Shell(), userID(t, s, "eve@acme-corp.com")); err != nil {
		t.Fatal(err)
	}
	emails := []string{bob, "nobody@example.com", "carol@acme-corp.com", "social@example.com", "eve@acme-corp.com"}
	took := map[string][]time.Duration{}
	for range servertest.Often(11, 5) {
		for _, email := range emails {
			began := time.Now()
			caller{t: t, s: s}.call("POST", loginPath, object{"email": email, "password": "a wrong password"}).
				failed(401, "AUTHENTICATION_ERROR", "Invalid email or password")
			took[email] = append(took[email], time.Since(began))
		}
	}
	for _, email := range emails[1:] {
		if a, b := median(took[bob]), median(took[email]); a > 2*b || b > 2*a {
			t.Errorf("a wrong password of bob takes %v, of %s %v", a, email, b)
		}
	}
}

// LG-07, LG-17: what looks like bob's address is his or nobody's, and a tag
// makes another account.
func TestNoSpellingOfAnAddressIsAnotherAccount(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := caller{t: t, s: s}
		for _, spelling := range []string{
			"Bob@Acme-Corp.com", "BOB@ACME-CORP.COM", "bob@acme-corp.com ", " bob@acme-corp.com", "\u00a0bob@acme-corp.com\u3000",
			"bob\u200b@acme-corp.com", "b\u043eb@acme-corp.com", "bob@acme-corp.com.", "\uff42ob@acme-corp.com",
			"bob\uff20acme-corp.com", "bob@xn--acme-corp-9db.com", "bob@acme\u2010corp.com", "bob@acme-corp\u3002com",
			`"bob"@acme-corp.com`, "bob(x)@acme-corp.com", "bob\u00ad@acme-corp.com",
		} {
			made := p.call("POST", registerPath, object{"email": spelling, "password": passphrase, "password_confirm": passphrase})
			if made.Code != 400 && made.Code != 409 {
				t.Errorf("%+q is registered: %s", spelling, made.Raw)
			}
			in := p.call("POST", loginPath, object{"email": spelling, "password": bobPass})
			if own := made.Code == 409; own != (in.Code == 200) || own && in.text("user", "email") != bob || !own && in.Code != 400 {
				t.Errorf("%+q: registering is answered %d, signing in %s", spelling, made.Code, in.Raw)
			}
		}
		tagged := registered(t, s, "bob+x@acme-corp.com")
		if email, _ := tagged.address(); email != "bob+x@acme-corp.com" {
			t.Errorf("the tag is lost: %s", email)
		}
	})
}

// LG-08: what a request says of where it comes from counts for nothing, and
// behind a proxy only what the proxy adds.
func TestAClaimedAddressChangesNothing(t *testing.T) {
	t.Parallel()
	claims := []string{"198.51.100.%d", "x", "", "1.2.3.4:80, x", "fe80::%d%%eth0", "::ffff:198.51.100.%d", "203.0.113.9, 198.51.100.%d"}
	for proxies, c := range map[string]struct{ added, want string }{
		"":             {"", "127.0.0.1"},
		"10.0.0.0/8":   {"", "127.0.0.1"},
		"127.0.0.1/32": {"192.0.2.77", "192.0.2.77"},
	} {
		s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
			c.RateLimit.Enabled = true
			if proxies != "" {
				c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix(proxies)}
			}
		}})
		evaluated := 0
		for i := range 21 {
			claim := strings.ReplaceAll(claims[i%len(claims)], "%d", fmt.Sprint(i))
			header := []string{"X-Forwarded-For", strings.Trim(claim+", "+c.added, ", ")}
			for _, name := range []string{"X-Real-IP", "Forwarded", "True-Client-IP", "CF-Connecting-IP", "X-Client-IP"} {
				header = append(header, name, claim)
			}
			o := caller{t: t, s: s}.call("POST", loginPath, object{"email": bob, "password": "wrong"}, header...)
			if o.Code == 401 {
				evaluated++
			}
		}
		if evaluated != 10 {
			t.Errorf("trusting %q: %d guesses were looked at, want 10", proxies, evaluated)
		}
		events, err := s.DB.Events(t.Context(), 21)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Action == "user.login" && e.IPAddress != c.want {
				t.Errorf("trusting %q: an attempt is recorded from %q, want %q", proxies, e.IPAddress, c.want)
			}
		}
	}
}

// LG-12: every character of a password counts, also behind the 72nd byte.
func TestEveryCharacterOfAPasswordCounts(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		a := strings.Repeat("Ab", 36)
		emoji := strings.Repeat("🌵🦔", 32) // 64 characters, 256 bytes
		for i, c := range []struct {
			password string
			wrong    []string
		}{
			{a + "right", []string{a + "wrong", a, a[:71], a + "righ", a + "rightt", a + "right "}},
			{emoji, []string{emoji[:252], emoji + "🌵", strings.Repeat("🌵🦔", 9)}},
		} {
			p, email := caller{t: t, s: s}, fmt.Sprintf("long%d@example.com", i)
			p.token = p.call("POST", registerPath, object{"email": email, "password": c.password, "password_confirm": c.password}).
				succeeded(201, "Registration successful").text("token")
			for _, wrong := range c.wrong {
				p.call("POST", loginPath, object{"email": email, "password": wrong}).failed(401, "AUTHENTICATION_ERROR", "")
				p.changePassword(wrong, newer).failed(401, "AUTHENTICATION_ERROR", "Current password is incorrect")
			}
			logIn(t, s, email, c.password)
			other := c.password[4:] + "zwei"
			p.changePassword(c.password, other).succeeded(200, "Password changed successfully")
			p.call("POST", loginPath, object{"email": email, "password": c.password}).failed(401, "AUTHENTICATION_ERROR", "")
			logIn(t, s, email, other)
		}
	})
}

// LG-14: what is longer than any password is refused before it is hashed.
func TestALongPasswordIsNotHashed(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Empty: true, Configure: func(c *config.Config) { c.Security.BcryptCost = 13 }})
	const email = "mallory@example.com"
	began := time.Now()
	p := registered(t, s, email)
	hashing := time.Since(began)
	long := strings.Repeat("x", 1_000_000)
	for name, send := range map[string]func() outcome{
		"login": func() outcome { return p.call("POST", loginPath, object{"email": email, "password": long}) },
		"register": func() outcome {
			return p.call("POST", registerPath, object{"email": "x@example.com", "password": long, "password_confirm": ""})
		},
		"the current one": func() outcome { return p.changePassword(long, newer) },
		"a new one":       func() outcome { return p.changePassword(passphrase, long[:400_000]) },
		"deletion":        func() outcome { return p.call("DELETE", mePath, object{"password": long}) },
		"a factor":        func() outcome { return p.call("POST", "/api/v1/auth/totp/enroll", object{"password": long}) },
	} {
		least := time.Hour
		for range 3 {
			began := time.Now()
			send().failed(400, "VALIDATION_ERROR", "")
			least = min(least, time.Since(began))
		}
		if least > hashing/2 {
			t.Errorf("%s: a long password takes %v, a hash %v", name, least, hashing)
		}
	}
	v := newVisitor(t, s)
	for _, n := range []int{60_000, 100_000} {
		if page := v.post("/sign-in", "email", email, "password", long[:n]); page.Response.StatusCode != 400 {
			t.Errorf("the page answers %d characters with %d", n, page.Response.StatusCode)
		}
	}
	p.me(true)
}

// LG-19: one address makes one account, however it is spelled and on which node.
func TestManyNodesMakeOneAccount(t *testing.T) {
	t.Parallel()
	database := storagetest.Migrated(t, "postgres")
	nodes := []*servertest.Server{
		servertest.Start(t, servertest.Options{DatabaseURL: database, Empty: true}),
		servertest.Start(t, servertest.Options{DatabaseURL: database, Empty: true}),
	}
	for round := range 5 {
		var next, made atomic.Int64
		for _, o := range atOnce(20, func() outcome {
			i := int(next.Add(1))
			email := []string{"race%d@example.com", "Race%d@Example.com", " RACE%d@example.com"}[i%3]
			return caller{t: t, s: nodes[i%2]}.call("POST", registerPath, object{
				"email": fmt.Sprintf(email, round), "password": passphrase, "password_confirm": passphrase,
			})
		}) {
			switch o.Code {
			case 201:
				made.Add(1)
			case 409:
			default:
				t.Errorf("register: %s", o.Raw)
			}
		}
		if made.Load() != 1 {
			t.Errorf("round %d: %d accounts", round, made.Load())
		}
	}
}

// LG-24: signed out on one node is signed out on all, and no page is kept.
func TestSigningOutCountsOnEveryNode(t *testing.T) {
	t.Parallel()
	database := storagetest.Migrated(t, "postgres")
	one := servertest.Start(t, servertest.Options{DatabaseURL: database})
	two := servertest.Start(t, servertest.Options{DatabaseURL: database, Empty: true})
	p, v := logIn(t, one, bob, bobPass), newVisitor(t, one)
	v.s.SignIn(t, v.browser, bob, bobPass)
	cookie := v.cookie("authy_session")
	there, elsewhere := caller{t, two, p.token}, newVisitor(t, two)
	elsewhere.setCookie("authy_session", cookie)
	there.me(true)
	elsewhere.signedIn(true)
	for _, path := range []string{"/account", "/sign-in"} {
		if got := v.get(path).Response.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s may be kept: %q", path, got)
		}
	}
	p.call("POST", "/api/v1/auth/logout", nil).succeeded(200, "Logout successful")
	v.leads(v.post("/sign-out"), "/signed-out")
	heardOf(t, "signing out counts on the other node", func() bool {
		return there.call("GET", "/api/v1/auth/me", nil).Code == 401
	})
	elsewhere.setCookie("authy_session", cookie)
	heardOf(t, "so does the browser's", func() bool {
		return elsewhere.get("/account").Response.StatusCode == http.StatusSeeOther
	})
	p.me(false)
}

// LG-34: sessions end in real time, the one that is left alone first.
func TestSessionsEndInRealTime(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.Session.Idle.Duration, c.Session.Lifetime.Duration = 5*time.Second, 9*time.Second
	}})
	alone, busy, v := logIn(t, s, bob, bobPass), logIn(t, s, bob, bobPass), newVisitor(t, s)
	remembered := caller{t: t, s: s}
	remembered.token = remembered.call("POST", loginPath, object{"email": bob, "password": bobPass, "remember_me": true}).text("token")
	v.s.SignIn(t, v.browser, bob, bobPass)
	began := time.Now()
	for time.Since(began) < 6500*time.Millisecond {
		busy.me(true)
		time.Sleep(500 * time.Millisecond)
	}
	if list := busy.sessions(); len(list) != 1 {
		t.Errorf("%d sessions are listed, want the one in use", len(list))
	}
	for _, p := range []caller{alone, remembered} {
		p.call("GET", "/api/v1/auth/me", nil).failed(401, "SESSION_INACTIVE", "Session is no longer active")
	}
	v.signedIn(false)
	for time.Since(began) < 9100*time.Millisecond {
		busy.call("GET", "/api/v1/auth/me", nil)
		time.Sleep(200 * time.Millisecond)
	}
	busy.call("GET", "/api/v1/auth/me", nil).failed(401, "SESSION_INACTIVE", "Session is no longer active")
}

// LG-39: what can be guessed is refused with a reason, what is long is not.
func TestAPasswordThatCanBeGuessedIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for password, good := range map[string]bool{
		"7 chars": false, "password1": false, "Password123!": false, "mallory@example.com": false, "mallory2026": false,
		"Mallory!!": false, "authy2026": false, "example2026": false, "aaaaaaaaaaaa": false, "12345678": false,
		"qwertyuiop": false, strings.Repeat("x ", 65): false,
		"thequickbrownfoxjumpsoverthelazydogandrunsawayintothedeepforests": true,
		"a cactus 🌵 and a hedgehog":                                        true, "orchid lantern": true, " leading and trailing ": true,
	} {
		o := caller{t: t, s: s}.call("POST", registerPath, object{
			"email": "mallory@example.com", "password": password, "password_confirm": password,
		})
		switch {
		case !good:
			o.failed(400, "VALIDATION_ERROR", "")
			if o.Problem == nil || len(o.Problem.Details["password"]) == 0 {
				t.Errorf("%q is refused without a reason: %s", password, o.Raw)
			}
		default:
			p := caller{t, s, o.succeeded(201, "Registration successful").text("token")}
			logIn(t, s, "mallory@example.com", password)
			p.call("DELETE", mePath, object{"password": password}).succeeded(200, "Account deleted successfully")
		}
	}
}

// LG-42: however many sessions a user has, the answers stay small and fast.
func TestTenThousandSessionsOfOneUser(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p, v, user := logIn(t, s, bob, bobPass), newVisitor(t, s), userID(t, s, bob)
	v.s.SignIn(t, v.browser, bob, bobPass)
	many := servertest.Often(10_000, 1000)
	now := storage.At(time.Now())
	err := s.DB.Update(t.Context(), func(tx *storage.Tx) (err error) {
		for i := 0; i < many && err == nil; i++ {
			id := storage.NewID()
			err = tx.InsertSession(t.Context(), &storage.Session{
				ID: id, UserID: user, Kind: storage.APISession, TokenHash: storage.Hash(id), IPAddress: fmt.Sprintf("10.0.%d.%d", i/250, i%250),
				AuthenticatedAt: now, CreatedAt: now, UpdatedAt: now, LastActivityAt: now, ExpiresAt: storage.At(now.Add(time.Hour)),
			})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var took []time.Duration
	for range 20 {
		began := time.Now()
		o := p.call("GET", "/api/v1/auth/sessions", nil).succeeded(200, "Sessions retrieved successfully")
		took = append(took, time.Since(began))
		if o.at("count") != 50.0 || nextOf(t, o) == "" {
			t.Fatalf("a page has %v sessions, and then %q", o.at("count"), nextOf(t, o))
		}
	}
	slices.Sort(took)
	if took[18] > 200*time.Millisecond {
		t.Errorf("a page takes %v", took)
	}
	page := v.get("/account/sessions")
	if len(page.Body) > 200_000 || !strings.Contains(page.Body, `id="next-page"`) || !strings.Contains(page.Body, "This device") {
		t.Errorf("the account page has %d bytes", len(page.Body))
	}
	began := time.Now()
	o := p.call("DELETE", "/api/v1/auth/sessions", nil).succeeded(200, "Other sessions revoked successfully")
	if o.at("revoked") != float64(many+1) || time.Since(began) > 2*time.Second {
		t.Errorf("%v were ended in %v", o.at("revoked"), time.Since(began))
	}
	if list := p.sessions(); len(list) != 1 {
		t.Errorf("%d sessions are left", len(list))
	}
}

// LG-35: a restart takes nothing away: neither what was given nor what was
// under way.
func TestWhatIsUnderWaySurvivesARestart(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			database := storagetest.Migrated(t, engine)
			var got tokens
			var code, verifier, pending, dead string
			var a *authenticator
			t.Run("before", func(t *testing.T) {
				s := servertest.Start(t, servertest.Options{DatabaseURL: database})
				browser := servertest.Browser(t)
				got = acmePortal.tokens(t, s, browser)
				dead = acmePortal.tokens(t, s, browser).Refresh
				acmePortal.post(t, s, revokePath, url.Values{"token": {dead}})
				code, verifier = acmePortal.code(t, s, browser)
				a = enrolled(t, logIn(t, s, bob, bobPass))
				pending = half(t, s)
			})
			s := servertest.Start(t, servertest.Options{DatabaseURL: database, Empty: true})
			acmePortal.refresh(t, s, got.Refresh).tokens(t)
			acmePortal.redeem(t, s, code, verifier)
			acmePortal.refresh(t, s, dead).refused(t, http.StatusBadRequest, "invalid_grant")
			verify(t, s, pending, a.recovery[0], "is_backup_code", true).succeeded(200, "TOTP verification successful")
			verify(t, s, pending, a.recovery[1], "is_backup_code", true).failed(401, "AUTHENTICATION_ERROR", noPending)
		})
	}
}
