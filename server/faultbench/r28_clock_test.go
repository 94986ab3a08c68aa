//go:build faults

package faultbench

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/servertest"
	"authy/storage/storagetest"
)

const (
	// aWhile is how long a server has run that is not taken to have started with a wrong clock.
	aWhile = 12 * time.Minute
	// codeLife28 and sessionLife28 are so short that they can be waited for.
	codeLife28, sessionLife28 = 5 * time.Second, 15 * time.Second
)

var jumps = []time.Duration{-time.Second, -time.Hour, -24 * time.Hour, time.Hour, 24 * time.Hour}

func settings28() map[string]string {
	return map[string]string{
		"openid.code_lifetime": codeLife28.String(), "session.lifetime": sessionLife28.String(),
	}
}

// aged is a server that has run for a while, whose clock is right.
func aged(t *testing.T, engine string, set map[string]string) *jumper {
	t.Helper()
	j := withClock(t, setup{engine: engine, set: set}, -aWhile)
	j.launch()
	j.ready(readyLimit)
	j.put(0, aWhile)
	return j
}

// whatever the clock does, nothing lives longer than it was to, what was ended, used or
// locked stays so, and who signs in can.
func TestR28NothingLivesLongerWhenTheClockJumps(t *testing.T) {
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			j := aged(t, engine, settings28())
			b := newBench(t, j.process)
			for _, jump := range jumps {
				t.Run(jump.String(), func(t *testing.T) {
					own := *b
					own.t = t
					own.jump(j, jump)
				})
			}
			j.unhurt()
		})
	}
}

// unhurt wants that nothing has gone wrong within the server.
func (j *jumper) unhurt() {
	j.t.Helper()
	text, err := os.ReadFile(j.logPath())
	if err != nil {
		j.t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.Contains(line, "panic") || strings.Contains(line, "status=500") {
			j.t.Errorf("the server says: %s", line)
		}
	}
}

// traces are what somebody has left who was there before a jump.
type traces struct {
	w           *worker
	gone        string // the token of a session that was ended
	used        string // a code that was used
	short       string // the token of a session that lives for sessionLife28
	code        string // lives for codeLife28
	shortEnds   time.Time
	codeEnds    time.Time
	factor      call // a sign-in that waits, with a code of an authenticator that was used
	usedRefresh string
}

// trace leaves them. Authenticators show the codes of the machine's clock, so that there are none
// by a clock that is ahead.
func (b *bench) trace(ahead bool) *traces {
	b.t.Helper()
	ctx, s := b.t.Context(), &traces{w: b.worker(int(b.people.Add(1)))}
	w := s.w
	root, err := w.do(ctx, w.login(rootEmail, rootPassword))
	if err != nil {
		b.t.Fatal(err)
	}
	b.admin = root.text("token")
	steps := []func(context.Context) error{
		w.furnish, s.staying, w.again,
		func(ctx context.Context) error {
			s.gone = w.me.sessions[len(w.me.sessions)-1]
			return w.endSession(ctx)
		},
		func(ctx context.Context) (err error) {
			if s.used, err = w.consent(ctx); err == nil {
				_, err = w.exchange(ctx, s.used)
			}
			return err
		},
		func(ctx context.Context) error { s.usedRefresh = w.me.refresh[0]; return w.useRefresh(ctx) },
	}
	if !ahead {
		steps = append(steps, s.factors)
	}
	steps = append(steps, s.shortLived)
	for i, step := range steps {
		if err := step(ctx); err != nil {
			b.t.Fatalf("trace %d: %v", i, err)
		}
	}
	return s
}

// staying has somebody signed in for longer than sessionLife28.
func (s *traces) staying(ctx context.Context) error {
	c := s.w.login(s.w.me.email, s.w.me.password)
	c.body = object{"email": s.w.me.email, "password": s.w.me.password, "remember_me": true}
	a, err := s.w.do(ctx, c)
	s.w.me.sessions = []string{a.text("token")}
	return err
}

// factors uses a code of an authenticator.
func (s *traces) factors(ctx context.Context) error {
	w := s.w
	own := *w
	own.me = &person{email: w.me.house.friends[0].email, password: w.me.house.friends[0].password}
	a, err := own.do(ctx, own.login(own.me.email, own.me.password))
	if err != nil {
		return err
	}
	own.me.sessions = []string{a.text("token")}
	if err := own.enrol(ctx); err != nil {
		return err
	}
	at := time.Unix((own.me.step+1)*30, 0)
	if wait := time.Until(at); wait > 0 {
		<-time.After(wait)
	}
	code := servertest.TOTP(own.me.totp, at)
	first, err := own.secondFactor(ctx, code, false)
	if err != nil {
		return err
	}
	if _, err := own.do(ctx, first); err != nil {
		return err
	}
	s.factor, err = own.secondFactor(ctx, code, false)
	return err
}

// shortLived makes what is waited for.
func (s *traces) shortLived(ctx context.Context) (err error) {
	w := s.w
	if s.code, err = w.consent(ctx); err != nil {
		return err
	}
	s.codeEnds = time.Now().Add(codeLife28)
	a, err := w.do(ctx, w.login(w.me.email, w.me.password))
	s.short, s.shortEnds = a.text("token"), time.Now().Add(sessionLife28)
	return err
}

// over wants that what is over is refused; late also what was to live until now.
func (s *traces) over(late bool) {
	t, ctx := s.w.t, s.w.t.Context()
	t.Helper()
	type one struct {
		name string
		call call
	}
	me := func(token string) call { return call{method: "GET", path: api + "/auth/me", token: token} }
	all := []one{{"a session that was ended", me(s.gone)}}
	if s.factor.path != "" {
		all = append(all, one{"an authenticator's code that was used", s.factor})
	}
	if late {
		all = append(all,
			one{"a session that has expired", me(s.short)}, one{"a code that has expired", s.w.redeem(s.code)},
			// A second use ends what the first was given: these come last.
			one{"a code that was used", s.w.redeem(s.used)}, one{"a refresh token that was used", s.w.renew(s.usedRefresh)})
	}
	for _, o := range all {
		if s.w.good(ctx, o.call) {
			t.Errorf("%s is good", o.name)
		}
	}
}

// lives wants that somebody who is signed in stays so, and that everything can be done; what is
// signed is of no later than ahead from now.
func (s *traces) lives(signedIn bool, ahead time.Duration) {
	w, t := s.w, s.w.t
	t.Helper()
	ctx := t.Context()
	if signedIn && !w.good(ctx, call{method: "GET", path: api + "/auth/me", token: w.me.token()}) {
		t.Error("somebody is signed out")
	}
	if _, err := w.do(ctx, w.login(w.me.email, w.me.password)); err != nil {
		t.Errorf("nobody can sign in: %v", err)
	}
	code, err := w.consent(ctx)
	if err != nil {
		t.Errorf("nobody is let in: %v", err)
		return
	}
	a, err := w.do(ctx, w.redeem(code))
	if err != nil {
		t.Errorf("a code that is fresh: %v", err)
		return
	}
	if at := issuedAt(t, a.text("id_token")); time.Until(at) > ahead+time.Minute {
		t.Errorf("a token is signed at %s, which is in %s", at, time.Until(at))
	}
	if !w.good(ctx, call{method: "GET", path: "/oidc/userinfo", token: a.text("access_token")}) {
		t.Error("a token that is fresh is refused")
	}
}

// issuedAt is when a JWT says that it was signed.
func issuedAt(t testing.TB, token string) time.Time {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		IssuedAt int64 `json:"iat"`
	}
	if err != nil || json.Unmarshal(text, &claims) != nil {
		t.Fatalf("the claims of %q: %v", token, err)
	}
	return time.Unix(claims.IssuedAt, 0)
}

// jump has the clock jump and come back.
func (b *bench) jump(j *jumper, by time.Duration) {
	b.t.Helper()
	before := b.trace(false)
	j.put(by, aWhile)
	<-time.After(2 * time.Second) // a step is noticed within a second
	before.over(false)
	back := by < 0
	ahead := max(0, by)
	before.lives(back, ahead)
	if ahead > 0 { // who was there before may have been signed out
		if err := before.w.browse(); err != nil {
			b.t.Fatal(err)
		}
	}
	<-time.After(time.Until(before.codeEnds.Add(time.Second)))
	<-time.After(time.Until(before.shortEnds.Add(time.Second)))
	before.over(true)

	there := b.trace(by > 0)
	j.put(0, aWhile)
	<-time.After(2 * time.Second)
	there.over(false)
	there.lives(back, ahead)
	<-time.After(time.Until(there.codeEnds.Add(time.Second)))
	<-time.After(time.Until(there.shortEnds.Add(time.Second)))
	there.over(true)
	before.over(true)
	if ahead == 0 {
		return
	}
	// Whoever knows that the clock is right starts the server anew. What was made by the clock that
	// was ahead lives until that time then: see docs/decisions/0016-clock.md.
	j.terminate(time.Minute)
	j.put(-aWhile, 0)
	j.restart()
	j.put(0, aWhile)
	there.over(false)
	before.over(true)
	root, err := there.w.do(b.t.Context(), there.w.login(rootEmail, rootPassword))
	if err != nil {
		b.t.Fatalf("after a restart nobody can sign in: %v", err)
	}
	b.admin = root.text("token")
}

// A machine without a battery starts in 1970, and hears of the time later.
func TestR28AMachineStartsIn1970(t *testing.T) {
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			j := aged(t, engine, settings28())
			b := newBench(t, j.process)
			before := b.trace(false)
			<-time.After(time.Until(before.shortEnds.Add(time.Second)))
			// This is the newest record.
			if _, err := before.w.do(t.Context(), before.w.login(rootEmail, rootPassword)); err != nil {
				t.Fatal(err)
			}
			j.kill()
			j.put(-time.Duration(time.Now().UnixNano()), 0)
			j.restart()
			before.over(false)
			before.lives(true, 0)
			j.put(0, 0)
			<-time.After(2 * time.Second)
			before.lives(true, 0)
			before.over(true)
			j.unhurt()
		})
	}
}

// What was locked stays locked, whatever the clock does.
func TestR28AForwardStepOpensNothing(t *testing.T) {
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			j := aged(t, engine, map[string]string{"rate_limit.enabled": "true"})
			b := newBench(t, j.process)
			w := b.worker(0)
			locked := func() bool {
				a, err := w.send(t.Context(), "", w.login(rootEmail, "not the password"))
				if err != nil {
					t.Fatal(err)
				}
				return a.status == 429
			}
			for range 30 {
				if locked() {
					break
				}
			}
			for _, by := range []time.Duration{0, time.Hour, 24 * time.Hour, 0, -24 * time.Hour, 0} {
				j.put(by, aWhile)
				for range 3 {
					if !locked() {
						t.Errorf("at %s what was locked is open", by)
					}
				}
			}
		})
	}
}

// A second is smeared over ten while people are at work: nothing fails.
func TestR28ASmearedSecondHurtsNobody(t *testing.T) {
	j := aged(t, "sqlite", nil)
	b := newBench(t, j.process)
	began, stop := time.Now(), make(chan struct{})
	done := b.run(b.workers(4), stop)
	for i := range 200 {
		j.put(-time.Duration(min(i, 200-i))*10*time.Millisecond, aWhile)
	}
	close(stop)
	done.Wait()
	report(t, result{
		id: "R-28 smear", database: "sqlite", store: "in-process", nodes: 1, seed: b.seed, began: began, findings: b.look(),
	})
}

// Two nodes whose clocks are a minute apart are one server; whose are further apart are warned.
func TestR28TwoNodesWithClocksApart(t *testing.T) {
	database := storagetest.Migrated(t, "postgres")
	first := withClock(t, setup{engine: "postgres", database: database}, 30*time.Second)
	first.launch()
	first.ready(readyLimit)
	second := withClock(t, setup{engine: "postgres", database: database, publicURL: first.url}, -30*time.Second)
	second.launch()
	second.ready(readyLimit)
	b := newBench(t, first.process)
	failures, rounds := 0, amount(t, "AUTHY_FAULTS_ROUNDS", 50)
	for i := range rounds {
		here, there := b.worker(i+1), b.worker(i+1)
		other := *b
		here.bench, there.bench = &other, b
		other.node = second.process
		if i%2 == 1 {
			here.bench, there.bench = there.bench, here.bench
		}
		if err := across(t.Context(), here, there); err != nil {
			failures++
			t.Errorf("round %d: %v", i, err)
		}
	}
	t.Logf("R-28: a minute apart, %d rounds of what one node made and the other was asked for, %d failures", rounds, failures)
	first.put(10*time.Minute, 0)
	second.put(-10*time.Minute, 0)
	for _, j := range []*jumper{first, second} {
		if !b.warned(j) {
			t.Errorf("%s is ten minutes off, and nobody is told", j.url)
		}
		j.unhurt()
	}
}

// across has one node make all sorts of things, and the other use them.
func across(ctx context.Context, here, there *worker) error {
	if err := here.furnish(ctx); err != nil {
		return fmt.Errorf("here: %w", err)
	}
	there.me = here.me
	code, err := here.consent(ctx)
	if err != nil {
		return fmt.Errorf("here: %w", err)
	}
	a, err := there.do(ctx, there.redeem(code))
	if err != nil {
		return fmt.Errorf("there: %w", err)
	}
	for _, w := range []*worker{here, there} {
		if !w.good(ctx, call{method: "GET", path: "/oidc/userinfo", token: a.text("access_token")}) {
			return fmt.Errorf("%w: a token is refused at %s", errOdd, w.node.url)
		}
	}
	for _, step := range []func(context.Context) error{there.useRefresh, there.again, there.endSession, here.enrol, there.useRecovery} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	waiting, err := here.pending(ctx)
	if err != nil {
		return err
	}
	at := time.Now()
	if at.Unix()/30 <= here.me.step {
		at = time.Unix((here.me.step+1)*30, 0)
		<-time.After(time.Until(at))
	}
	_, err = there.do(ctx, call{
		kind: "totp use", method: "POST", path: api + "/auth/totp/verify",
		body:  object{"pending_token": waiting, "code": servertest.TOTP(here.me.totp, at)},
		facts: []fact{{"step/" + here.me.email, fmt.Sprint(at.Unix() / 30)}}, makes: []string{"session"}, told: sessionTold, event: true,
	})
	return err
}

// warned says whether a node has its administrators told of its clock, within two minutes.
func (b *bench) warned(j *jumper) bool {
	b.t.Helper()
	own := *b
	own.node = j.process
	w := own.worker(-4)
	for range 120 {
		root, err := w.do(b.t.Context(), w.login(rootEmail, rootPassword))
		if err != nil {
			b.t.Fatal(err)
		}
		a, err := w.do(b.t.Context(), call{kind: "overview", method: "GET", path: api + "/admin/overview", token: root.text("token")})
		if err != nil {
			b.t.Fatal(err)
		}
		list, _ := a.data["attention"].([]any)
		if slices.ContainsFunc(list, func(one any) bool { m, _ := one.(map[string]any); return m["code"] == "clock_off" }) {
			return true
		}
		<-time.After(time.Second)
	}
	return false
}
