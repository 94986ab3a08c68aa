package servertest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/logout"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/server/session"
	"authy/storage"
	"authy/storage/storagetest"
)

// loopback lets a server ask the relying parties of tests.
func loopback(c *config.Config) {
	c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// loopbackIdle also ends sessions that nobody uses.
func loopbackIdle(c *config.Config) {
	loopback(c)
	c.Session.Idle = config.Duration{Duration: 24 * time.Hour}
}

// told is a logout token as a relying party has understood it.
type told struct {
	Subject, SessionID, ID, Raw string
	Lifetime                    time.Duration
}

// party is a relying party that is told of logouts, and reads logout tokens with
// coreos/go-oidc.
type party struct {
	app
	t        *testing.T
	url      string
	verifier *oidc.IDTokenVerifier
	requests atomic.Int64
	mu       sync.Mutex
	answers  []int // to the next requests; 200 when there are none left
	got      []told
}

// newParty registers a relying party at s.
func newParty(t *testing.T, s *servertest.Server, clientID string) *party {
	t.Helper()
	p := &party{t: t}
	provider, err := oidc.NewProvider(t.Context(), s.URL)
	if err != nil {
		t.Fatal(err)
	}
	p.verifier = provider.VerifierContext(context.WithoutCancel(t.Context()), &oidc.Config{ClientID: clientID})
	stub := httptest.NewServer(p)
	t.Cleanup(stub.Close)
	p.url = stub.URL + "/backchannel"
	p.app = register(t, s, registry.Registration{
		ClientID: clientID, Secret: letters(30), Name: "Party", PostLogoutRedirectURIs: []string{home},
		Options: storage.ClientOptions{BackChannelURI: p.url, BackChannelSession: true},
	})
	return p
}

// ServeHTTP implements [http.Handler].
func (p *party) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.requests.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.answers) > 0 {
		status := p.answers[0]
		p.answers = p.answers[1:]
		w.WriteHeader(status)
		return
	}
	one, err := p.read(r)
	if err != nil {
		p.t.Errorf("a logout token that is none: %v", err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.got = append(p.got, one)
}

// read checks a logout request as a relying party must
// (OpenID Connect Back-Channel Logout 1.0, sections 2.5 and 2.6).
func (p *party) read(r *http.Request) (told, error) {
	text := r.PostFormValue("logout_token")
	if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || len(r.PostForm) != 1 {
		return told{}, fmt.Errorf("%s with %v", r.Method, r.PostForm)
	}
	token, err := p.verifier.Verify(r.Context(), text)
	if err != nil {
		return told{}, err
	}
	var claims struct {
		Subject string                    `json:"sub"`
		SID     string                    `json:"sid"`
		ID      string                    `json:"jti"`
		Nonce   *string                   `json:"nonce"`
		Events  map[string]map[string]any `json:"events"`
	}
	if err := token.Claims(&claims); err != nil {
		return told{}, err
	}
	event, about := claims.Events["http://schemas.openid.net/event/backchannel-logout"]
	header, _ := claimsOf(p.t, text)
	switch {
	case claims.Nonce != nil || token.Nonce != "":
		return told{}, errors.New("it has a nonce")
	case !about || event == nil || len(claims.Events) != 1:
		return told{}, fmt.Errorf("events are %v", claims.Events)
	case claims.ID == "" || claims.SID == "" || claims.Subject == "":
		return told{}, fmt.Errorf("jti, sid, sub = %q, %q, %q", claims.ID, claims.SID, claims.Subject)
	case header["typ"] != "logout+jwt":
		return told{}, fmt.Errorf("typ = %v", header["typ"])
	}
	return told{claims.Subject, claims.SID, claims.ID, text, token.Expiry.Sub(token.IssuedAt)}, nil
}

// refuses has the next requests answered by statuses.
func (p *party) refuses(statuses ...int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answers = statuses
}

// heard is what the party was told of a session.
func (p *party) heard(sid string) (all []told) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.got {
		if one.SessionID == sid {
			all = append(all, one)
		}
	}
	return all
}

// visit has somebody sign in at the party and returns what it was told of them.
func (p *party) visit(s *servertest.Server, browser *http.Client, email, password string) (sid, sub string, got tokens) {
	p.t.Helper()
	a := newAttempt()
	page, steps := s.Visit(p.t, browser, authorizeURL(s, p.request(a.verifier)), email, password)
	if !gotCode(page) {
		p.t.Fatalf("no code after %v: %d", steps, page.Response.StatusCode)
	}
	got = p.redeem(p.t, s, page.Location().Query().Get("code"), a.verifier)
	if _, err := p.verifier.Verify(p.t.Context(), got.ID); err != nil {
		p.t.Fatal(err)
	}
	_, claims := claimsOf(p.t, got.ID)
	sid, _ = claims["sid"].(string)
	sub, _ = claims["sub"].(string)
	return sid, sub, got
}

// ending is somebody who is signed in at a party, in a session that is about to end.
type ending struct {
	t       *testing.T
	s       *servertest.Server
	browser *http.Client
	user    *storage.User
	sid     string
	idToken string
}

// elsewhere is another browser of the same person.
func (e *ending) elsewhere() *http.Client {
	browser := servertest.Browser(e.t)
	e.s.SignIn(e.t, browser, e.user.Email, passphrase)
	return browser
}

func (e *ending) do(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

func (e *ending) post(browser *http.Client, path string, pairs ...string) {
	e.t.Helper()
	page := servertest.Post(e.t, browser, e.s.URL+path, with(url.Values{}, pairs...))
	if page.Response.StatusCode >= 400 {
		e.t.Fatalf("POST %s: status %d: %s", path, page.Response.StatusCode, page.Body)
	}
}

// aged changes the session and lets time end it, as the server does every 20 seconds.
func (e *ending) aged(how func(*storage.Session)) {
	e.t.Helper()
	change(e.t, e.s, func(ctx context.Context, tx *storage.Tx) error {
		one, err := tx.Session(ctx, e.sid)
		if err != nil {
			return err
		}
		how(one)
		return tx.SaveSession(ctx, one)
	})
	e.s.Sessions.Expire(e.t.Context())
}

// sessionState is what a session is to those who administer the server.
func sessionState(t *testing.T, s *servertest.Server, id string) string {
	t.Helper()
	all, _, err := s.Sessions.All(t.Context(), audit.Shell(), session.Filter{}, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if one.Session.ID == id {
			return one.State
		}
	}
	return ""
}

// ways are all the ways in which a session ends.
var ways = map[string]func(e *ending){
	"RP-initiated": func(e *ending) {
		servertest.Get(e.t, e.browser, logoutURL(e.s, "id_token_hint", e.idToken))
	},
	"RP-initiated, confirmed": func(e *ending) { e.post(e.browser, logoutPath, "confirm", "yes") },
	"the button in the head":  func(e *ending) { e.post(e.browser, "/sign-out") },
	"the account page":        func(e *ending) { e.post(e.elsewhere(), "/account/sessions/end", "id", e.sid) },
	"everywhere else":         func(e *ending) { e.post(e.elsewhere(), "/account/sessions/end-others") },
	"a new password": func(e *ending) {
		e.post(e.elsewhere(), "/account/password", "current_password", passphrase, "password", "plum harbour", "password_confirm", "plum harbour")
	},
	"the API": func(e *ending) {
		logIn(e.t, e.s, e.user.Email, passphrase).call("DELETE", "/api/v1/auth/sessions/"+e.sid, nil).succeeded(200, "Session revoked successfully")
	},
	"the API, all others": func(e *ending) {
		logIn(e.t, e.s, e.user.Email, passphrase).call("DELETE", "/api/v1/auth/sessions", nil).
			succeeded(200, "Other sessions revoked successfully")
	},
	"an administrator": func(e *ending) { e.do(e.s.Sessions.Revoke(e.t.Context(), audit.Shell(), e.sid)) },
	"an administrator, all": func(e *ending) {
		_, err := e.s.Sessions.RevokeAll(e.t.Context(), audit.Shell(), e.user.ID)
		e.do(err)
	},
	"signed out everywhere": func(e *ending) { e.do(e.s.Accounts.SignOut(e.t.Context(), audit.Shell(), e.user.ID)) },
	"suspension":            func(e *ending) { e.do(e.s.Accounts.Suspend(e.t.Context(), audit.Shell(), e.user.ID)) },
	"a password that was set": func(e *ending) {
		e.do(e.s.Accounts.SetPassword(e.t.Context(), audit.Shell(), e.user.ID, "plum harbour"))
	},
	"a reset link": func(e *ending) {
		link, err := e.s.Accounts.NewResetLink(e.t.Context(), audit.Shell(), e.user.Email)
		e.do(err)
		_, token, _ := strings.Cut(link.Path, "token=")
		e.post(servertest.Browser(e.t), "/reset-password", "token", token, "password", "plum harbour", "password_confirm", "plum harbour")
	},
	"panic":         func(e *ending) { e.do(e.s.Accounts.Panic(e.t.Context(), audit.Shell(), e.user.ID, true)) },
	"panic by self": func(e *ending) { e.post(e.elsewhere(), "/account/security/end-all") },
	"a second factor that was reset": func(e *ending) {
		registerKey(logIn(e.t, e.s, e.user.Email, passphrase), newKey(e.t, e.s, servertest.ES256))
		e.do(e.s.Accounts.ResetPasskeys(e.t.Context(), audit.Shell(), e.user.ID))
	},
	"its lifetime": func(e *ending) {
		e.aged(func(one *storage.Session) { one.ExpiresAt = storage.At(time.Now()) })
		if state := sessionState(e.t, e.s, e.sid); state != session.Expired {
			e.t.Errorf("a session whose lifetime is over is %s", state)
		}
	},
	"not being used": func(e *ending) {
		e.aged(func(one *storage.Session) { one.LastActivityAt = storage.At(time.Now().Add(-25 * time.Hour)) })
		if state := sessionState(e.t, e.s, e.sid); state != session.Expired {
			e.t.Errorf("a session that is not used any more is %s", state)
		}
	},
	"deletion":         func(e *ending) { e.do(e.s.Accounts.Delete(e.t.Context(), audit.Shell(), e.user.ID)) },
	"deletion by self": func(e *ending) { e.do(e.s.Accounts.DeleteSelf(e.t.Context(), audit.Actor{}.As(e.user.ID))) },
	"somebody else signs in": func(e *ending) {
		e.s.SignIn(e.t, e.browser, "carol@acme-corp.com", bobPass)
	},
}

func TestAnApplicationHearsOfTheEndOfASessionHoweverItEnds(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine), Configure: loopbackIdle})
			p, v := newParty(t, s, "party"), newSOAPService(t, s)
			for way, end := range ways {
				e := &ending{t: t, s: s, browser: servertest.Browser(t)}
				var err error
				e.user, err = s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{
					Email: letters(10) + "@example.com", Password: passphrase, EmailVerified: true,
				})
				e.do(err)
				var sub string
				var got tokens
				e.sid, sub, got = p.visit(s, e.browser, e.user.Email, passphrase)
				e.idToken = got.ID
				index := v.in(e.browser)
				end(e)
				heardOf(t, "SAML, "+way, func() bool { return v.knows(index) == 1 })
				heardOf(t, way, func() bool { return len(p.heard(e.sid)) > 0 })
				if all := p.heard(e.sid); len(all) != 1 || all[0].Subject != sub {
					t.Errorf("%s: told %v, want once, of %s", way, all, sub)
				}
			}
		})
	}
}

// TK-43, and the module oidcc-backchannel-rp-initiated-logout.
func TestAnApplicationIsToldBeforeTheBrowserGoesOn(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: loopback})
	p, browser := newParty(t, s, "party"), servertest.Browser(t)
	tr := newTrail(t, s)
	sid, sub, got := p.visit(s, browser, bob, bobPass)
	tr.news()
	page := servertest.Get(t, browser, logoutURL(s, "id_token_hint", got.ID, "post_logout_redirect_uri", home, "state", "x"))
	all := p.heard(sid)
	if to := page.Response.Header.Get("Location"); to != home+"?state=x" || len(all) != 1 {
		t.Fatalf("TK-43: to %q, and %d were told", to, len(all))
	}
	if all[0].Subject != sub || all[0].Lifetime != 2*time.Minute {
		t.Errorf("TK-43: told %+v, want of %s for two minutes", all[0], sub)
	}
	tr.wants("logout", "user.logout success RP-initiated logout by user to session", "logout.backchannel success by system to client")
	if r := userinfo(t, s, all[0].Raw); r.status != http.StatusUnauthorized {
		t.Errorf("TK-43: a logout token is an access token: %d", r.status)
	}
	if page := servertest.Get(t, browser, logoutURL(s, "id_token_hint", all[0].Raw)); page.Response.StatusCode != http.StatusBadRequest {
		t.Errorf("TK-43: a logout token is a hint: %d", page.Response.StatusCode)
	}
	// Section 2.7: what was granted offline_access goes on.
	p.refresh(t, s, got.Refresh).tokens(t)
	again, _, _ := p.visit(s, browser, bob, bobPass)
	if servertest.Get(t, browser, logoutURL(s, "id_token_hint", p.tokens(t, s, browser).ID)); len(p.heard(again)) != 1 {
		t.Errorf("two sign-ins of one session: told %v", p.heard(again))
	}
	if p.heard(again)[0].ID == all[0].ID {
		t.Error("TK-43: two tokens have one jti")
	}
}

// receiptOf is what became of telling p of a session.
func receiptOf(t *testing.T, s *servertest.Server, sid string) logout.Receipt {
	t.Helper()
	all, _, err := s.Logouts.List(t.Context(), audit.Shell(), logout.Filter{}, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range all {
		if one.SessionID == sid {
			return one
		}
	}
	t.Fatalf("there is no receipt for session %s", sid)
	return logout.Receipt{}
}

func TestAnApplicationThatFailsIsTriedAgainAndHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: loopback})
	p, browser := newParty(t, s, "party"), servertest.Browser(t)
	sid, _, got := p.visit(s, browser, bob, bobPass)
	p.refuses(500, 503)
	page := servertest.Get(t, browser, logoutURL(s, "id_token_hint", got.ID, "post_logout_redirect_uri", home))
	if to := page.Response.Header.Get("Location"); to != home || signedInTo(t, s, browser) {
		t.Errorf("TK-43: led to %q, want on, and bob signed out", to)
	}
	if r := receiptOf(t, s, sid); r.State != logout.Retrying || r.Attempts != 1 || r.LastError != "the application answered 500" {
		t.Errorf("after an attempt: %+v", r.Logout)
	}
	change(t, s, func(ctx context.Context, tx *storage.Tx) error { return hurry(ctx, tx, sid) })
	heardOf(t, "the second attempt", func() bool { return receiptOf(t, s, sid).Attempts == 2 })
	heardOf(t, "its end", func() bool { return receiptOf(t, s, sid).LastError == "the application answered 503" })
	change(t, s, func(ctx context.Context, tx *storage.Tx) error { return hurry(ctx, tx, sid) })
	heardOf(t, "the third attempt", func() bool { return receiptOf(t, s, sid).State == logout.Delivered })
	if r := receiptOf(t, s, sid); r.Attempts != 3 || r.LastError != "" || r.DeliveredAt.IsZero() || len(p.heard(sid)) != 1 {
		t.Errorf("in the end: %+v", r.Logout)
	}

	sid, _, got = p.visit(s, browser, bob, bobPass)
	p.refuses(400)
	page = servertest.Get(t, browser, logoutURL(s, "id_token_hint", got.ID))
	if r := receiptOf(t, s, sid); r.State != logout.Failed || !r.NextAt.IsZero() {
		t.Errorf("after 400: %+v", r.Logout)
	}
	wantText(t, page, "You are signed out", "Party", "failed")
	s.SignIn(t, browser, bob, bobPass)
	wantText(t, servertest.Get(t, browser, s.URL+"/account/apps"), "Signed out of", "Party", "failed", "delivered")
}

// wantText wants words on a page.
func wantText(t *testing.T, page *servertest.Page, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(page.Body, word) {
			t.Errorf("status %d, without %q:\n%s", page.Response.StatusCode, word, page.Body)
		}
	}
}

// hurry makes the next attempt due now.
func hurry(ctx context.Context, tx *storage.Tx, sid string) error {
	all, err := tx.LogoutsOf(ctx, sid)
	if err != nil || len(all) != 1 || all[0].NextAt.IsZero() {
		return errors.Join(err, fmt.Errorf("%d wait", len(all)))
	}
	until := all[0].NextAt.Time
	all[0].NextAt = storage.At(time.Now())
	return tx.SaveLogout(ctx, &all[0], until)
}

func TestAnApplicationIsNeverToldAtAPrivateAddress(t *testing.T) {
	t.Parallel()
	s := servertest.New(t) // allows none
	for name, c := range map[string]struct{ scheme, host, why string }{
		"plain http":             {"http://", "127.0.0.1", "plain http goes only to addresses that outbound.allow permits"},
		"an address":             {"https://", "127.0.0.1", "127.0.0.1 is not a public address"},
		"a name that leads here": {"https://", "localhost", "is not a public address"},
	} {
		p, browser := newParty(t, s, "party-"+letters(5)), servertest.Browser(t)
		sid, _, got := p.visit(s, browser, bob, bobPass)
		in, err := s.Clients.Client(t.Context(), p.id)
		if err != nil {
			t.Fatal(err)
		}
		change(t, s, func(ctx context.Context, tx *storage.Tx) error {
			client := *in
			client.Options.BackChannelURI = c.scheme + strings.Replace(strings.TrimPrefix(p.url, "http://"), "127.0.0.1", c.host, 1)
			return tx.SaveClient(ctx, &client)
		})
		servertest.Get(t, browser, logoutURL(s, "id_token_hint", got.ID))
		r := receiptOf(t, s, sid)
		if r.State != logout.Failed || !strings.Contains(r.LastError, c.why) || p.requests.Load() != 0 {
			t.Errorf("%s: %s, %s after %d requests; want failed, because %s", name, r.State, r.LastError, p.requests.Load(), c.why)
		}
	}
}

func TestALogoutSurvivesARestartAndTwoNodesSendItOnce(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			database := storagetest.Migrated(t, engine)
			one := servertest.Start(t, servertest.Options{DatabaseURL: database, Configure: loopback})
			p, browser := newParty(t, one, "party"), servertest.Browser(t)
			sid, _, _ := p.visit(one, browser, bob, bobPass)
			p.refuses(500, 500, 500)
			if err := one.Sessions.Revoke(t.Context(), audit.Shell(), sid); err != nil {
				t.Fatal(err)
			}
			heardOf(t, "a first attempt", func() bool { return receiptOf(t, one, sid).State == logout.Retrying })
			p.refuses()
			if engine == "sqlite" {
				one.Stop()
			}
			two := servertest.Start(t, servertest.Options{DatabaseURL: database, Empty: true, Configure: func(c *config.Config) {
				loopback(c)
				c.PublicURL = one.URL // the node behind the same name
			}})
			heardOf(t, "what was left", func() bool { return receiptOf(t, two, sid).State == logout.Delivered })
			if n := len(p.heard(sid)); n != 1 {
				t.Errorf("told %d times", n)
			}
		})
	}
}

func TestAdministratorsSeeWhatApplicationsWereTold(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: loopback})
	makeAdmin(t, s, bob)
	p, browser := newParty(t, s, "party"), servertest.Browser(t)
	admin := logIn(t, s, bob, bobPass)
	var sids []string
	for _, status := range []int{200, 500} {
		sid, sub, got := p.visit(s, browser, bob, bobPass)
		p.refuses(status)
		servertest.Get(t, browser, logoutURL(s, "id_token_hint", got.ID))
		sids = append(sids, sid)
		o := admin.call("GET", "/api/v1/admin/logouts?limit=1&client=party&user="+sub, nil).succeeded(200, "Logouts retrieved successfully")
		one, _ := o.at("logouts").([]any)[0].(map[string]any)
		if one["client_id"] != "party" || one["user_id"] != sub || one["session_id"] != sid || one["backchannel_logout_uri"] != p.url ||
			one["attempts"] != 1.0 || (one["state"] == "delivered") != (status == 200) || (one["last_error"] == nil) != (status == 200) {
			t.Errorf("after %d: %v", status, one)
		}
	}
	all, _ := admin.call("GET", "/api/v1/admin/logouts", nil).at("logouts").([]any)
	if len(all) != len(sids) {
		t.Errorf("%d receipts, want %d", len(all), len(sids))
	}
	acmePortal.code(t, s, browser)
	p.code(t, s, browser)
	export := admin.call("GET", mePath+"/export", nil)
	for list, want := range map[string]int{"logouts": len(sids), "visits": 1} {
		if found, _ := export.at(list).([]any); len(found) != want || !strings.Contains(export.Raw, sids[0]) {
			t.Errorf("the export has %d %s, want %d", len(found), list, want)
		}
	}
	if o := admin.call("GET", "/api/v1/admin/logouts?client=nobody", nil); o.Code != 404 {
		t.Errorf("an unknown client: %s", o.Raw)
	}
	if o := logIn(t, s, "carol@acme-corp.com", bobPass).call("GET", "/api/v1/admin/logouts", nil); o.Code != 403 {
		t.Errorf("carol gets %s", o.Raw)
	}
}
