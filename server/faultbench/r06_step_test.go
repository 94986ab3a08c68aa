package faultbench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"authy/server/config"
	"authy/server/servertest"
	"authy/storage"
	"authy/storage/storagetest"
)

// each write of a flow fails in its turn, and the commit after them. Nothing of the flow is
// left then, what it was to use up is still good, and the same request succeeds when it is sent
// again.
func TestR06AFailureAtAnyStepLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			b, pts := inProcess(t, engine)
			total := 0
			for _, f := range flows {
				if !long && (!f.short || engine == "postgres" && f.name != "code exchange") {
					continue
				}
				n := b.failEverywhere(pts, f.name, f.ready)
				t.Logf("%s: %d points", f.name, n)
				if n < 2 {
					t.Errorf("%s has %d points, want its writes and a commit", f.name, n)
				}
				total += n
			}
			r := result{
				id: "R-06", database: engine, store: "in-process", nodes: 1, seed: b.seed, began: began, findings: b.look(),
			}
			r.x5 = 0 // which are what was asked for
			report(t, r)
			t.Logf("R-06: %d points failed, one after another", total)
		})
	}
}

// inProcess starts a server in this process, whose writes can be made to fail.
func inProcess(t *testing.T, engine string) (*bench, points) {
	t.Helper()
	p := prepare(t, setup{engine: engine, database: storagetest.Migrated(t, engine)})
	pts := pointsOf(t, p)
	s := servertest.Start(t, servertest.Options{DatabaseURL: p.database, Empty: true, Configure: func(c *config.Config) {
		c.Security.SecretKey, p.listen, p.url = secretKey, c.Listen, c.PublicURL
		c.OpenID.RefreshGrace.Duration = 0
	}})
	if s.URL != p.url {
		t.Fatalf("the server is at %s, want %s", s.URL, p.url)
	}
	p.ended = make(chan struct{})
	p.ready(readyLimit)
	return newBench(t, p), pts
}

// failEverywhere lets a flow fail at each of its points in turn, and returns how many it has.
func (b *bench) failEverywhere(pts points, name string, ready func(*worker, context.Context) (call, error)) int {
	b.t.Helper()
	ctx := b.t.Context()
	for n := 1; n < 200; n++ {
		w := b.worker(n)
		if err := w.furnish(ctx); err != nil {
			b.t.Fatalf("%s: %v", name, err)
		}
		c, err := ready(w, ctx)
		if err != nil {
			b.t.Fatalf("%s: %v", name, err)
		}
		pts.arm(n)
		failing := c
		failing.fails = true
		a, err := w.do(ctx, failing)
		at := pts.fired()
		pts.arm(0)
		if at == "" {
			if a.status >= 400 {
				b.t.Errorf("%s: %v", name, err)
			}
			return n - 1
		}
		if err != nil || a.status < 500 {
			b.t.Errorf("%s, %s (point %d) failed: %d %s", name, at, n, a.status, a.body)
		}
		if strings.Contains(string(a.body), "planted") {
			b.t.Errorf("%s tells what went wrong inside: %s", name, a.body)
		}
		if f := b.look(); f.bad() > 0 {
			b.t.Errorf("%s, after %s (point %d) failed: %q", name, at, n, f.problems)
			return n
		}
		if _, err := w.do(ctx, c); err != nil {
			b.t.Errorf("%s, after %s (point %d) failed, again: %v", name, at, n, err)
		}
	}
	b.t.Errorf("%s does not come to its end", name)
	return 0
}

// flows are what is tried: each is a call that is ready to be sent.
var flows = []struct {
	name  string
	short bool // whether the short form has it
	ready func(*worker, context.Context) (call, error)
}{
	{"register", false, func(w *worker, _ context.Context) (call, error) {
		email := fmt.Sprintf("r%d@bench.example", w.people.Add(1))
		return call{
			kind: "register", method: "POST", path: api + "/auth/register", event: true,
			body: object{
				"email": email, "password": "velvet harpoon six", "password_confirm": "velvet harpoon six",
			},
			facts: []fact{{"user/" + email, "alive"}}, makes: []string{"session"}, told: sessionTold,
		}, nil
	}},
	{"login", false, func(w *worker, _ context.Context) (call, error) { return w.login(w.me.email, w.me.password), nil }},
	{"second factor", false, func(w *worker, ctx context.Context) (call, error) {
		u, err := onceRecovery(w, ctx, nil)
		return u.first, err
	}},
	{"password change", false, func(w *worker, _ context.Context) (call, error) {
		return call{
			kind: "password change", method: "POST", path: api + "/users/me/password", token: w.me.token(), event: true,
			body: object{
				"current_password": w.me.password, "new_password": "orchid lantern", "new_password_confirm": "orchid lantern",
			},
			facts: []fact{
				{"password/" + w.me.email, "orchid lantern"},
				{"refresh/" + storage.Hash(w.me.refresh[0]), "dead"},
				sessionGone(w.me.web),
			},
		}, nil
	}},
	{"consent", false, func(w *worker, ctx context.Context) (call, error) {
		c, err := w.toConsent(ctx)
		w.client = w.me.browser
		return c, err
	}},
	{"code exchange", true, func(w *worker, ctx context.Context) (call, error) {
		code, err := w.consent(ctx)
		return w.redeem(code), err
	}},
	{"refresh", false, func(w *worker, _ context.Context) (call, error) { return w.renew(w.me.refresh[0]), nil }},
	{"revoke", false, func(w *worker, _ context.Context) (call, error) { return w.revocation(w.me.refresh[0]), nil }},
	{"accept an invitation", true, func(w *worker, ctx context.Context) (call, error) {
		u, err := onceInvitation(w, ctx, nil)
		return u.first, err
	}},
	{"reset", false, func(w *worker, ctx context.Context) (call, error) {
		u, err := onceReset(w, ctx, nil)
		return u.first, err
	}},
	{"rotate a client's secret", false, func(w *worker, _ context.Context) (call, error) {
		c := w.me.client
		return call{
			kind: "client rotate", method: "POST", token: w.me.token(), event: true,
			path: api + "/organizations/" + w.me.house.id + "/clients/" + c.id + "/secret",
			body: object{"overlap": 0}, facts: []fact{{"secret/" + c.id, anything}},
			told: func(a answer) []fact { return []fact{{"secret/" + c.id, w.secretMAC(a.text("client_secret"))}} },
		}, nil
	}},
	{"rotate a key", false, func(w *worker, _ context.Context) (call, error) {
		return call{
			kind: "key rotate", method: "POST", path: api + "/admin/keys/rotate", token: w.admin, event: true,
			body: object{"algorithm": "ES256", "now": true},
		}, nil
	}},
	{"delete an organization", false, func(w *worker, _ context.Context) (call, error) {
		h := w.me.house
		return call{
			kind: "org delete", method: "DELETE", path: api + "/organizations/" + h.id, token: w.me.token(), event: true,
			facts: []fact{
				{"org/" + h.slug, ""},
				w.place(h.slug, w.me.email, ""),
				{"client/" + w.me.client.id, ""},
				{"secret/" + w.me.client.id, ""},
				{"consent/" + w.me.email + "/" + w.me.client.id, ""},
				{"refresh/" + storage.Hash(w.me.refresh[0]), ""},
			},
		}, nil
	}},
}
