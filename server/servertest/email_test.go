package servertest_test

import (
	"strings"
	"testing"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

const (
	verifyPath  = "/api/v1/auth/verify-email"
	confirmPath = "/api/v1/auth/confirm-email"
	robert      = "robert@acme-corp.com"
)

func follow(t *testing.T, s *servertest.Server, path, token string) outcome {
	t.Helper()
	return caller{t: t, s: s}.call("POST", path, object{"token": token})
}

// profileOf returns what a user's profile says of their address.
func (p caller) address() (email string, verified bool) {
	p.t.Helper()
	o := p.call("GET", mePath, nil).succeeded(200, "User profile retrieved successfully")
	return o.text("user", "email"), o.at("user", "email_verified") == true
}

// registered makes an account, whose address is not verified.
func registered(t *testing.T, s *servertest.Server, email string) caller {
	t.Helper()
	o := caller{t: t, s: s}.call("POST", "/api/v1/auth/register",
		object{"email": email, "password": passphrase, "password_confirm": passphrase}).
		succeeded(201, "Registration successful")
	return caller{t: t, s: s, token: o.text("token")}
}

func TestANewAccountsAddressIsVerifiedByMail(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		const mallory = "mallory@example.com"
		p := registered(t, s, mallory)
		first := box.Next(t, mallory, "Confirm your address").Token()
		p.call("POST", mePath+"/verify-email", nil).succeeded(202, "A link to confirm your address is on its way to it.")
		token := box.Next(t, mallory, "Confirm your address").Token()
		dead(t, follow(t, s, verifyPath, first)) // another was asked for
		dead(t, follow(t, s, confirmPath, token))
		dead(t, reset(t, s, token, newer))
		if _, verified := p.address(); verified {
			t.Fatal("verified without a link")
		}
		tr := newTrail(t, s)
		follow(t, s, verifyPath, token).succeeded(200, "Email address verified successfully")
		tr.wants("verifying", "user.email_verified success by user to user")
		if _, verified := p.address(); !verified {
			t.Error("not verified by its link")
		}
		dead(t, follow(t, s, verifyPath, token))
		p.call("POST", mePath+"/verify-email", nil).failed(409, "CONFLICT", account.ErrVerified.Message)
	})
}

// LG-43: a link proves only the address it was sent to.
func TestALinkDoesNotOutliveItsAddress(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		const mallory = "mallory@example.com"
		registered(t, s, mallory)
		verify := box.Next(t, mallory, "Confirm your address").Token()
		forgot(t, s, mallory)
		resetting := box.Next(t, mallory, "Choose").Token()
		err := s.Accounts.SetEmail(t.Context(), audit.Shell(), userID(t, s, mallory), "ceo@acme-corp.com")
		if err != nil {
			t.Fatal(err)
		}
		box.Next(t, mallory, "Your address was changed")
		dead(t, follow(t, s, verifyPath, verify))
		dead(t, reset(t, s, resetting, newer))
	})
}

func TestAnAddressIsChangedByMailToBoth(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		p := logIn(t, s, bob, bobPass)
		v := newVisitor(t, s)
		s.SignIn(t, v.browser, bob, bobPass)
		portal := newPortal(t, s, "acme-portal-001", "acme_secret_portal_2024", callback)
		a := newAttempt()
		page, _ := s.Visit(t, v.browser, portal.url(a), bob, bobPass)
		access, _ := portal.exchange(t, s, a, page.Location())

		tr := newTrail(t, s)
		const asked = "Confirm the new address by the link that is on its way to it."
		p.call("POST", mePath+"/email", object{"email": "Robert@acme-corp.com "}).succeeded(202, asked)
		tr.wants("asking", "user.email_change_requested success by user to user")
		token := box.Next(t, robert, "Confirm your new address").Token()
		if l := box.Next(t, bob, "Another address was asked for"); !strings.Contains(l.Text, robert) || l.Link() != "" {
			t.Errorf("the old address is told\n%s", l.Text)
		}
		if email, _ := p.address(); email != bob {
			t.Fatalf("changed to %s before it was confirmed", email)
		}
		dead(t, follow(t, s, verifyPath, token))
		follow(t, s, confirmPath, token).succeeded(200, "Email address changed successfully")
		tr.wants("confirming", "user.email_change success by user to user")
		dead(t, follow(t, s, confirmPath, token))
		if email, verified := p.address(); email != robert || !verified {
			t.Errorf("the address is %s, verified %v", email, verified)
		}
		if info := userinfo(t, s, access.AccessToken).fields; info["email"] != robert || info["email_verified"] != true {
			t.Errorf("applications are told %v", info)
		}
		box.Next(t, bob, "Your address was changed")
		logIn(t, s, robert, bobPass)
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).
			failed(401, "AUTHENTICATION_ERROR", "")
	})
}

func TestSomebodyElsesAddressIsNotTaken(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		p := logIn(t, s, bob, bobPass)
		const carol = "carol@acme-corp.com"
		free := p.call("POST", mePath+"/email", object{"email": robert})
		taken := p.call("POST", mePath+"/email", object{"email": carol})
		if strings.ReplaceAll(free.Raw, free.RequestID, "") != strings.ReplaceAll(taken.Raw, taken.RequestID, "") || taken.Code != 202 {
			t.Errorf("a free address is answered %s, a taken one %s", free.Raw, taken.Raw)
		}
		if l := box.Next(t, carol, "Your address was asked for"); l.Link() != "" {
			t.Errorf("carol is sent the link %s", l.Link())
		}
		older := box.Next(t, robert, "Confirm").Token()
		dead(t, follow(t, s, confirmPath, older)) // another was asked for

		// Taken between the question and the answer.
		p.call("POST", mePath+"/email", object{"email": robert}).succeeded(202, taken.Message)
		token := box.Next(t, robert, "Confirm").Token()
		_, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{Email: robert, Password: passphrase})
		if err != nil {
			t.Fatal(err)
		}
		follow(t, s, confirmPath, token).failed(409, "CONFLICT", account.ErrEmailTaken.Message)
		if email, _ := p.address(); email != bob {
			t.Errorf("the address is %s", email)
		}
		p.call("POST", mePath+"/email", object{"email": bob}).failed(400, "VALIDATION_ERROR", "")
		p.call("POST", mePath+"/email", object{"email": "x"}).failed(400, "VALIDATION_ERROR", "")
		caller{t: t, s: s}.call("POST", mePath+"/email", object{"email": robert}).failed(401, "AUTH_REQUIRED", "")
	})
}

func TestChangingTheAddressNeedsTheSecondFactor(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	p := logIn(t, s, bob, bobPass)
	a := enrolled(t, p)
	p.call("POST", mePath+"/email", object{"email": robert}).failed(403, "CODE_REQUIRED", "")
	p.call("POST", mePath+"/email", object{"email": robert, "code": "000000"}).failed(401, "AUTHENTICATION_ERROR", wrongCode)
	p.call("POST", mePath+"/email", object{"email": robert, "password": "a guess", "code": a.code(0)}).
		failed(401, "AUTHENTICATION_ERROR", "Invalid password")
	p.call("POST", mePath+"/email", object{"email": robert, "code": a.code(0)}).
		succeeded(202, "Confirm the new address by the link that is on its way to it.")
	box.Next(t, robert, "Confirm")
}

// A password that was changed stops a change of address that somebody asked for.
func TestANewPasswordStopsAChangeOfAddress(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	p := logIn(t, s, bob, bobPass)
	p.call("POST", mePath+"/email", object{"email": robert})
	token := box.Next(t, robert, "Confirm").Token()
	p.changePassword(bobPass, newer).succeeded(200, "Password changed successfully")
	dead(t, follow(t, s, confirmPath, token))
}

func uniform(c *config.Config) { c.Registration.Uniform = true }

func TestRegisteringUniformlyTellsNothing(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		ask := func(email, password string) outcome {
			t.Helper()
			return caller{t: t, s: s}.call("POST", "/api/v1/auth/register", object{
				"email": email, "password": password, "password_confirm": password, "full_name": "Ada",
			}).succeeded(202, "What comes next is in a mail on its way to the address.")
		}
		known, unknown := ask(bob, passphrase), ask("ada@example.com", passphrase)
		if strings.ReplaceAll(known.Raw, known.RequestID, "") != strings.ReplaceAll(unknown.Raw, unknown.RequestID, "") {
			t.Errorf("a known address is answered %s, an unknown one %s", known.Raw, unknown.Raw)
		}
		if l := box.Next(t, bob, "You have an account already"); l.Link() != s.URL+"/sign-in" {
			t.Errorf("bob is sent to %s", l.Link())
		}
		token := box.Next(t, "ada@example.com", "Finish your registration").Token()
		logIn(t, s, bob, bobPass)
		signIn := object{"email": "ada@example.com", "password": passphrase}
		for range 2 { // neither address can be signed in to by that password
			caller{t: t, s: s}.call("POST", "/api/v1/auth/login", signIn).failed(401, "AUTHENTICATION_ERROR", "")
			signIn["email"] = bob
		}
		ask("ada@example.com", newer)
		second := box.Next(t, "ada@example.com", "Finish your registration").Token()
		follow(t, s, verifyPath, token).succeeded(200, "Email address verified successfully")
		if email, verified := logIn(t, s, "ada@example.com", passphrase).address(); email != "ada@example.com" || !verified {
			t.Errorf("the account has %s, verified %v", email, verified)
		}
		dead(t, follow(t, s, verifyPath, token))
		follow(t, s, verifyPath, second).failed(409, "CONFLICT", account.ErrEmailTaken.Message)
		ask("ada@example.com", newer)
		box.Next(t, "ada@example.com", "You have an account already")
		caller{t: t, s: s}.call("POST", "/api/v1/auth/register", object{
			"email": "eve@example.com", "password": "password1", "password_confirm": "password1",
		}).failed(400, "VALIDATION_ERROR", "Validation failed")
	}, uniform)
}

func TestWhatIsDoneToAnAccountIsTold(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	p := logIn(t, s, bob, bobPass) // the first sign-in, of which nothing is said
	a := enrolled(t, p)
	box.Next(t, bob, "You can sign in with an authenticator app now")
	in := verify(t, s, half(t, s), a.recovery[0], "is_backup_code", true).succeeded(200, "TOTP verification successful")
	box.Next(t, bob, "A recovery code was used")
	p = caller{t: t, s: s, token: in.text("token")}
	p.call("POST", "/api/v1/auth/totp/regenerate-backup-codes", object{"password": bobPass}).
		succeeded(200, "Backup codes regenerated successfully")
	box.Next(t, bob, "You have new recovery codes")
	p.call("DELETE", "/api/v1/auth/totp/disable", object{"password": bobPass}).succeeded(200, "TOTP disabled successfully")
	box.Next(t, bob, "You cannot sign in with an authenticator app any more")

	p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}, "User-Agent", "A browser nobody has seen").
		succeeded(200, "Login successful")
	if l := box.Next(t, bob, "A sign-in from somewhere new"); !strings.Contains(l.Text, "A browser nobody has seen") {
		t.Errorf("the notice says\n%s", l.Text)
	}
	p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}, "User-Agent", "A browser nobody has seen")
	p.changePassword(bobPass, newer).succeeded(200, "Password changed successfully")
	box.Next(t, bob, "Your password was changed")
	if left := box.Subjects(); len(left) > 0 {
		t.Errorf("also sent: %q", left)
	}
}

// A mail that was queued when the server ended is sent when it is back.
func TestAMailSurvivesTheServer(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			box, there := servertest.NewOutbox(t), storagetest.Migrated(t, engine)
			c := config.Defaults()
			c.DataDir, c.Database.URL = t.TempDir(), config.Secret(there)
			c.Security.SecretKey, c.Security.BcryptCost = config.Secret(storagetest.Secret), 4
			box.Configure(c)
			// Nothing runs in this one: it ends between the commit and the sending.
			services, err := server.Open(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := services.Seed(t.Context(), audit.Shell()); err != nil {
				t.Fatal(err)
			}
			if err := services.Accounts.RequestReset(t.Context(), audit.Actor{}, bob); err != nil {
				t.Fatal(err)
			}
			if err := services.Close(); err != nil {
				t.Fatal(err)
			}
			if sent := box.Subjects(); len(sent) > 0 {
				t.Fatalf("sent before the server ran: %q", sent)
			}
			s := servertest.Start(t, servertest.Options{DatabaseURL: there, Empty: true, Configure: box.Configure})
			reset(t, s, box.Next(t, bob, "Choose").Token(), newer).succeeded(200, resetAnswer)
		})
	}
}

func TestARelayThatIsAwayHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s, box := servertest.WithMail(t)
	box.Down(true)
	forgot(t, s, bob)
	p := logIn(t, s, bob, bobPass)
	p.changePassword(bobPass, newer).succeeded(200, "Password changed successfully")
	box.Down(false)
	box.Next(t, bob, "Your password was changed")
}
