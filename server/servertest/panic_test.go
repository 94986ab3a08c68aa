package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/login"
	"authy/server/org"
	"authy/server/servertest"
)

// possessions is one of each thing that lets somebody in to bob's account.
type possessions struct {
	t         *testing.T
	s         *servertest.Server
	browser   visitor
	program   caller
	personal  caller
	had       tokens
	code      string
	verifier  string
	tv        app
	device    string // allowed, and not asked for yet
	resetLink string
	pending   string
	app       *authenticator
}

func possess(t *testing.T, s *servertest.Server) *possessions {
	t.Helper()
	p := &possessions{t: t, s: s, browser: newVisitor(t, s), program: logIn(t, s, bob, bobPass), tv: newTV(t, s, "living-room")}
	p.personal, _ = p.program.makeToken(tokensPath, "profile:read")
	p.had = acmePortal.tokens(t, s, p.browser.browser)
	codes := p.tv.device(t, s, allScopes)
	decideOn(t, s, p.browser.browser, typeCode(t, s, p.browser.browser, codes.text("user_code")), "allow")
	p.device = codes.text("device_code")
	p.code, p.verifier = acmePortal.code(t, s, p.browser.browser)
	link, err := s.Accounts.NewResetLink(t.Context(), audit.Shell(), bob)
	if err != nil {
		t.Fatal(err)
	}
	_, p.resetLink, _ = strings.Cut(link.Path, "token=")
	o, err := s.Orgs.BySlug(t.Context(), "tech-startup")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Orgs.Invite(t.Context(), audit.Shell(), o.ID, bob, org.Member); err != nil {
		t.Fatal(err)
	}
	p.app = enrolled(t, p.program)
	p.pending = half(t, s)
	p.browser.signedIn(true)
	p.program.me(true)
	p.personal.call("GET", mePath, nil).wantOneOf(200)
	alive(t, s, p.had.Access, true)
	return p
}

// useless wants all of it to be refused.
func (p *possessions) useless() {
	p.t.Helper()
	t, s := p.t, p.s
	p.browser.signedIn(false)
	p.program.me(false)
	p.personal.dead()
	alive(t, s, p.had.Access, false)
	acmePortal.refresh(t, s, p.had.Refresh).refused(t, http.StatusBadRequest, "invalid_grant")
	acmePortal.post(t, s, tokenPath, acmePortal.redemption(p.code, p.verifier)).refused(t, http.StatusBadRequest, "invalid_grant")
	p.tv.poll(t, s, p.device).refused(t, http.StatusBadRequest, "invalid_grant", "expired_token", "access_denied")
	dead(t, reset(t, s, p.resetLink, passphrase))
	caller{t: t, s: s}.call("POST", "/api/v1/auth/totp/verify", object{"pending_token": p.pending, "code": p.app.code(0)}).
		failed(401, "AUTHENTICATION_ERROR", noPending)
	if left, err := s.DB.InvitationsTo(t.Context(), bob); err != nil || len(left) > 0 {
		t.Errorf("invitations that are left: %v, %v", left, err)
	}
	if apps, err := s.DB.Consents(t.Context(), userID(t, s, bob)); err != nil || len(apps) > 0 {
		t.Errorf("apps that are left: %v, %v", apps, err)
	}
}

const allEnded = "Everything that was open in your account has ended"

func TestPanicEndsAllThatIsOpen(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		rp, browser := newParty(t, s, "party"), servertest.Browser(t)
		sid, _, _ := rp.visit(s, browser, bob, bobPass)
		p := possess(t, s)
		tr, id := newTrail(t, s), userID(t, s, bob)
		if err := s.Accounts.Panic(t.Context(), audit.Shell(), id, false); err != nil {
			t.Fatal(err)
		}
		events := tr.wants("panic", "user.panic success by operator to user")
		if len(events) == 1 && (events[0].TargetID != id || events[0].Details != "") {
			t.Errorf("recorded as %+v", events[0])
		}
		p.useless()
		heardOf(t, "the end of the session", func() bool { return len(rp.heard(sid)) == 1 })
		if l := box.Next(t, bob, allEnded); !strings.Contains(l.Text, "sign in again as before") || !strings.Contains(l.Text, "the operator of this server") {
			t.Errorf("the mail says %s", l.Text)
		}
		// How bob signs in has stayed.
		o := caller{t: t, s: s}.call("POST", "/api/v1/auth/totp/verify", object{"pending_token": half(t, s), "code": p.app.code(0)})
		o.wantOneOf(200)
		// What somebody else has is untouched.
		logIn(t, s, "carol@acme-corp.com", bobPass).me(true)
	}, loopback)
}

func TestPanicTakesCredentialsAwayIfItIsToldTo(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		p := possess(t, s)
		makeAdmin(t, s, "carol@acme-corp.com")
		carol := logIn(t, s, "carol@acme-corp.com", bobPass)
		carol.call("POST", "/api/v1/admin/users/"+userID(t, s, bob)+"/panic", object{"credentials": true}).
			succeeded(200, "Everything ended that was open in the account")
		p.useless()
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass}).failed(401, "AUTHENTICATION_ERROR", "Invalid email or password")
		has, err := s.Accounts.Safety(t.Context(), userID(t, s, bob))
		if err != nil || has != (account.Safety{}) {
			t.Errorf("bob has %+v, %v", has, err)
		}
		if l := box.Next(t, bob, allEnded); !strings.Contains(l.Text, "Its password") {
			t.Errorf("the mail says %s", l.Text)
		}
		// The way back is a link to a new password.
		forgot(t, s, bob)
		reset(t, s, box.Next(t, bob, "Choose a new password").Token(), passphrase).succeeded(200, resetAnswer)
		logIn(t, s, bob, passphrase).me(true)
		// Carol may not take the last administrator's ways in away.
		carol.call("POST", "/api/v1/admin/users/"+userID(t, s, "carol@acme-corp.com")+"/panic", object{"credentials": true}).
			failed(409, "CONFLICT", account.ErrLastAdmin.Message)
		carol.me(true)
	})
}

func TestSomebodyPanicsForThemselves(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	v, program := newVisitor(t, s), logIn(t, s, bob, bobPass)
	s.SignIn(t, v.browser, bob, bobPass)
	aged(t, s, userID(t, s, bob))
	if page := v.get("/account/security"); !strings.Contains(page.Body, `href="/account/security/end-all"`) {
		t.Error("the page of the security does not lead there")
	}
	if page := v.get("/account/security/end-all"); !strings.Contains(page.Body, `action="/account/security/end-all"`) {
		t.Errorf("the page: %d %s", page.Response.StatusCode, page.Body)
	}
	// The session alone is not enough when it is old.
	if page := v.post("/account/security/end-all"); !strings.Contains(page.Body, `id="prove"`) {
		t.Errorf("without a proof: %d", page.Response.StatusCode)
	}
	program.call("POST", mePath+"/panic", object{}).failed(403, "REAUTHENTICATION_REQUIRED", login.ErrStale.Message)
	if page := v.post("/account/security/end-all", "password", "wrong"); page.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("with a wrong password: %d", page.Response.StatusCode)
	}
	v.signedIn(true)
	tr := newTrail(t, s)
	v.leads(v.post("/account/security/end-all", "password", bobPass), "/account/ended")
	tr.wants("panic", "user.panic success by user to user")
	if page := v.get("/account/ended"); page.Response.StatusCode != http.StatusOK {
		t.Errorf("the last page: %d", page.Response.StatusCode)
	}
	v.signedIn(false)
	program.me(false)
	again := logIn(t, s, bob, bobPass)
	again.call("POST", mePath+"/panic", object{"password": bobPass}).succeeded(200, "Everything ended that was open in the account")
	again.me(false)
}

func TestAnAdministratorPanicsFromThePage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	makeAdmin(t, s, "carol@acme-corp.com")
	v := newVisitor(t, s)
	s.SignIn(t, v.browser, "carol@acme-corp.com", bobPass)
	program, id := logIn(t, s, bob, bobPass), userID(t, s, bob)
	for act, back := range map[string]string{"panic": "/sessions", "panic-credentials": "/sign-in"} {
		here := "/admin/users/" + id
		v.page(v.get(here), 200, `href="`+here+"/do/"+act+`"`)
		v.page(v.get(here+"/do/"+act), 200, "authy user panic")
		v.leads(servertest.Post(t, v.browser, s.URL+here+"/do/"+act, url.Values{}), here+back)
		program.me(false)
	}
}
