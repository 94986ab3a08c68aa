package servertest_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
	"authy/storage"
)

// trail is the audit log since a moment.
type trail struct {
	t    *testing.T
	s    *servertest.Server
	seen map[string]bool
}

func newTrail(t *testing.T, s *servertest.Server) *trail {
	t.Helper()
	tr := &trail{t, s, map[string]bool{}}
	tr.news()
	return tr
}

// news are the events since the last call, the oldest first.
func (tr *trail) news() []storage.Event {
	tr.t.Helper()
	events, err := tr.s.DB.Events(tr.t.Context(), 10_000)
	if err != nil {
		tr.t.Fatal(err)
	}
	var out []storage.Event
	for _, e := range slices.Backward(events) {
		if !tr.seen[e.ID] && e.Action != "key.create" { // keys are made whenever they are ready
			tr.seen[e.ID] = true
			out = append(out, e)
		}
	}
	return out
}

// line is an event in a line: what, how, why, by whom, to what.
func line(e storage.Event) string {
	return strings.Join(strings.Fields(strings.Join([]string{
		e.Action, e.Outcome, e.Reason, "by", e.ActorKind, "to", e.TargetKind,
	}, " ")), " ")
}

// wants wants exactly these events, in any order: those of one transaction
// have the same time.
func (tr *trail) wants(what string, want ...string) []storage.Event {
	tr.t.Helper()
	events := tr.news()
	got := make([]string, len(events))
	for i, e := range events {
		got[i] = line(e)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		tr.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
	return events
}

func TestEachSecurityEventLeavesOneRow(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		tr, p := newTrail(t, s), caller{t: t, s: s}
		register := object{"email": "mallory@example.com", "password": passphrase, "password_confirm": passphrase}
		p.call("POST", "/api/v1/auth/register", register).succeeded(201, "Registration successful")
		tr.wants("registering", "user.register success by anonymous to user", "user.login success by user to user",
			"session.create success by user to session")
		p.call("POST", "/api/v1/auth/register", register).failed(409, "CONFLICT", "")
		tr.wants("an address in use")
		p = logIn(t, s, bob, bobPass)
		tr.wants("signing in", "user.login success by user to user", "session.create success by user to session")
		p.call("GET", "/api/v1/auth/me", nil)
		p.call("GET", "/api/v1/auth/sessions", nil)
		tr.wants("reading")
		logIn(t, s, bob, bobPass)
		tr.wants("signing in", "user.login success by user to user", "session.create success by user to session")
		p.call("DELETE", "/api/v1/auth/sessions", nil)
		tr.wants("ending the others", "session.revoke_others success by user to user")
		other := logIn(t, s, bob, bobPass)
		tr.news()
		p.call("DELETE", "/api/v1/auth/sessions/"+other.current(), nil)
		tr.wants("ending one", "session.revoke success Revoked by user by user to session")
		p.call("DELETE", "/api/v1/auth/sessions/"+storage.NewID(), nil)
		tr.wants("ending none")
		p.call("POST", "/api/v1/auth/logout", nil)
		tr.wants("logging out", "user.logout success User logout by user to session")
		p.call("GET", "/api/v1/auth/me", nil)
		tr.wants("a dead token")
	})
}

func TestRefusedSignInsLeaveOneRow(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.RateLimit.Enabled = true }})
	suspend(t, s, "carol@acme-corp.com")
	tr := newTrail(t, s)
	for name, c := range map[string]struct{ email, password, want, target string }{
		"a wrong password":    {bob, "wrong", "user.login failure wrong_credentials by anonymous to user", userID(t, s, bob)},
		"an unknown address":  {"nobody@example.com", "wrong", "user.login failure wrong_credentials by anonymous to user", ""},
		"a suspended account": {"carol@acme-corp.com", bobPass, "user.login failure suspended by anonymous to user", userID(t, s, "carol@acme-corp.com")},
	} {
		in := object{"email": c.email, "password": c.password}
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", in, "X-Request-ID", "request-for-trail", "User-Agent", "agent").wantOneOf(401, 403)
		events := tr.wants(name, c.want)
		if len(events) == 1 && (events[0].TargetID != c.target || events[0].RequestID != "request-for-trail") {
			t.Errorf("%s: target %q, request %q", name, events[0].TargetID, events[0].RequestID)
		}
		newVisitor(t, s).post("/sign-in", "email", c.email, "password", c.password)
		tr.wants(name+" on the page", c.want)
	}
	for range 12 {
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": "eve@acme-corp.com", "password": "wrong"})
	}
	var want []string
	for range 10 {
		want = append(want, "user.login failure wrong_credentials by anonymous to user")
	}
	want = append(want, "user.login failure throttled by anonymous to user") // the first of a minute
	tr.wants("too many", want...)
}

func TestPagesLeaveTheSameRows(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		tr, v := newTrail(t, s), newVisitor(t, s)
		s.SignIn(t, v.browser, bob, bobPass)
		tr.wants("signing in", "user.login success by user to user", "session.create success by user to session")
		s.SignIn(t, v.browser, bob, bobPass)
		tr.wants("again", "user.login success by user to user", "session.renew success by user to session")
		s.SignIn(t, v.browser, "eve@acme-corp.com", bobPass)
		tr.wants("as someone else", "session.revoke success another user signed in by user to session",
			"user.login success by user to user", "session.create success by user to session")
		v.get("/account")
		tr.wants("reading")
		v.post("/sign-out")
		tr.wants("signing out", "user.logout success User logout by user to session")
		v.post("/sign-out")
		tr.wants("signing out twice")
		link, err := s.Accounts.NewSetupLink(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		v.post("/setup", "token", link, "email", "root@example.com", "full_name", "Root", "password", passphrase, "password_confirm", passphrase)
		tr.wants("setting up", "user.register success by anonymous to user", "user.login success by user to user",
			"session.create success by user to session")
	})
}

func TestAFlowLeavesItsRows(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p := newPortal(t, s, "acme-portal-001", "acme_secret_portal_2024", callback)
		tr, browser, a := newTrail(t, s), servertest.Browser(t), newAttempt()
		page, _ := s.Visit(t, browser, p.url(a), bob, bobPass)
		tr.wants("a first visit", "user.login success by user to user", "session.create success by user to session",
			"consent.given success by user to client", "authorize.granted success by user to client")
		token, _ := p.exchange(t, s, a, page.Location())
		tr.wants("a code", "code.exchanged success by client to user")
		refresh(t, p, token)
		tr.wants("a refresh", "token.refreshed success by client to user")
		s.Visit(t, browser, p.url(newAttempt()), bob, bobPass)
		tr.wants("a second visit", "authorize.granted success by user to client")
	})
}

func TestOperatorsLeaveRowsToo(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		tr, ctx := newTrail(t, s), t.Context()
		id := userID(t, s, "eve@acme-corp.com")
		for _, c := range []struct {
			want string
			do   func(ctx context.Context, by audit.Actor) error
		}{
			{"user.suspend", func(ctx context.Context, by audit.Actor) error { return s.Accounts.Suspend(ctx, by, id) }},
			{"user.activate", func(ctx context.Context, by audit.Actor) error { return s.Accounts.Activate(ctx, by, id) }},
			{"session.revoke_all", func(ctx context.Context, by audit.Actor) error { return s.Accounts.SignOut(ctx, by, id) }},
			{"user.password_change", func(ctx context.Context, by audit.Actor) error {
				return s.Accounts.SetPassword(ctx, by, id, passphrase)
			}},
			{"user.delete", func(ctx context.Context, by audit.Actor) error { return s.Accounts.Delete(ctx, by, id) }},
			{"user.register", func(ctx context.Context, by audit.Actor) error {
				_, err := s.Accounts.Create(ctx, by, account.NewUser{Email: "eve@acme-corp.com", Password: passphrase})
				return err
			}},
		} {
			if err := c.do(ctx, audit.Shell()); err != nil {
				t.Fatal(err)
			}
			events := tr.wants(c.want, c.want+" success by operator to user")
			if len(events) == 1 && (events[0].ActorID != "cli" || events[0].TargetID == "") {
				t.Errorf("%s: %+v", c.want, events[0])
			}
		}
	})
}

func TestARowSaysWhoAndFromWhere(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		tr, p := newTrail(t, s), caller{t: t, s: s}
		long := "agent " + strings.Repeat("é", 300)
		o := p.call("POST", "/api/v1/auth/login", object{"email": bob, "password": bobPass},
			"User-Agent", long, "X-Request-ID", "request-for-trail", "X-Forwarded-For", "198.51.100.7")
		for _, e := range tr.news() {
			if e.ActorID != o.text("user", "id") || e.IPAddress != "127.0.0.1" || e.RequestID != "request-for-trail" ||
				len(e.UserAgent) > 256 || !strings.HasPrefix(long, e.UserAgent) || e.UserAgent == "" || e.TargetID == "" || e.At.IsZero() {
				t.Errorf("%s: %+v", e.Action, e)
			}
		}
		p.token = o.text("token")
		id := p.current()
		p.call("POST", "/api/v1/auth/logout", nil)
		events := tr.news()
		if len(events) != 1 || events[0].SessionID != id || events[0].TargetID != id {
			t.Errorf("logout of %s: %+v", id, events)
		}
	})
}
