//go:build unix

package faultbench

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"authy/storage/storagetest"
)

// a server that was stopped for a while, as a laptop that slept or a machine that was moved,
// honours nothing that expired meanwhile, not even once, and goes on with the rest at once.
func TestR08NothingExpiredIsHonouredAfterAStop(t *testing.T) {
	t.Parallel()
	engines := storagetest.Engines[:1]
	if long {
		engines = storagetest.Engines
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			stops := []time.Duration{6 * time.Second}
			if long {
				stops = []time.Duration{6 * time.Second, 10 * time.Second, time.Minute}
			}
			b := newBench(t, start(t, setup{engine: engine, set: map[string]string{
				"openid.code_lifetime": "5s", "session.idle": "5s",
			}}))
			for _, span := range stops {
				b.stopFor(span)
			}
		})
	}
}

// stopFor stops the server for so long that a session and a code end, and asks for them as soon as
// it goes on.
func (b *bench) stopFor(span time.Duration) {
	b.t.Helper()
	ctx := b.t.Context()
	w := b.worker(0)
	root, err := w.do(ctx, w.login(rootEmail, rootPassword)) // whose last session was idle, too
	if err != nil {
		b.t.Fatal(err)
	}
	b.admin = root.text("token")
	if err := w.furnish(ctx); err != nil {
		b.t.Fatal(err)
	}
	code, err := w.consent(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	refresh := w.me.refresh[0]
	me := call{kind: "me", method: "GET", path: api + "/auth/me", token: w.me.token()}
	if _, err := w.do(ctx, me); err != nil {
		b.t.Fatal(err)
	}

	b.node.signal(syscall.SIGSTOP)
	<-time.After(span)
	b.node.signal(syscall.SIGCONT)

	went := time.Now()
	me.fails = true
	if _, err := w.do(ctx, me); err != nil {
		b.t.Errorf("a session that was idle for %s: %v", span, err)
	}
	late := w.redeem(code)
	late.fails, late.facts, late.event, late.makes, late.told = true, nil, false, nil, nil
	if _, err := w.do(ctx, late); err != nil {
		b.t.Errorf("a code that expired during %s: %v", span, err)
	}
	if _, err := w.do(ctx, w.renew(refresh)); err != nil {
		b.t.Errorf("a refresh token that is good: %v", err)
	}
	if _, err := w.do(ctx, w.login(w.me.email, w.me.password)); err != nil {
		b.t.Errorf("a sign-in: %v", err)
	}
	if took := time.Since(went); took > 2*time.Second {
		b.t.Errorf("the first four answers took %s", took)
	}
}

// R-08 on two nodes: one that stood still honours none of what the other has ended meanwhile. The
// requests wait for it in the kernel, so that it has them before the news.
func TestR08ANodeThatStoodStillHonoursNothingThatWasEnded(t *testing.T) {
	t.Parallel()
	spans, many := []time.Duration{3 * time.Second}, 20
	if long {
		spans, many = []time.Duration{3 * time.Second, 10 * time.Second, time.Minute}, 80
	}
	database := storagetest.Migrated(t, "postgres")
	b := newBench(t, start(t, setup{engine: "postgres", database: database}))
	still := start(t, setup{engine: "postgres", database: database, publicURL: b.node.url})
	for _, span := range spans {
		b.endMeanwhile(still, span, many)
	}
}

// endMeanwhile ends sessions that another node remembers while it is stopped.
func (b *bench) endMeanwhile(still *process, span time.Duration, many int) {
	b.t.Helper()
	w := b.worker(0)
	if err := w.register(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	mine := make([]call, many)
	for i := range mine {
		a, err := w.do(b.t.Context(), w.login(w.me.email, w.me.password))
		if err != nil {
			b.t.Fatal(err)
		}
		w.me.sessions = append(w.me.sessions, a.text("token"))
		mine[i] = call{kind: "me there", method: "GET", path: still.url + api + "/auth/me", token: a.text("token")}
		for range 2 { // the second is answered from memory
			if _, err := w.do(b.t.Context(), mine[i]); err != nil {
				b.t.Fatal(err)
			}
		}
	}

	still.signal(syscall.SIGSTOP)
	var asked sync.WaitGroup
	for range mine {
		if err := w.logout(b.t.Context()); err != nil {
			b.t.Error(err)
		}
	}
	<-time.After(span - time.Second)
	for _, me := range mine {
		asked.Go(func() {
			me.fails = true
			if _, err := w.do(b.t.Context(), me); err != nil {
				b.t.Errorf("a session that was ended while its node stood still for %s: %v", span, err)
			}
		})
	}
	<-time.After(time.Second)
	still.signal(syscall.SIGCONT)
	asked.Wait()
	if _, err := w.do(b.t.Context(), call{
		kind: "me there", method: "GET", path: still.url + api + "/auth/me", token: w.me.token(),
	}); err != nil {
		b.t.Errorf("a session that goes on: %v", err)
	}
}
