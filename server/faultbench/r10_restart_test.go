package faultbench

import (
	"fmt"
	"testing"
	"time"

	"authy/storage/storagetest"
)

// PostgreSQL is restarted, robbed of a process, and ends connections, over and over, while
// many write. What was acknowledged is there; every answer is one or 503; a server without its
// database says that it is not ready, and works again within seconds. AUTHY_FAULTS_ROUNDS is how
// often.
func TestR10PostgreSQLRestartsUnderLoad(t *testing.T) {
	t.Parallel()
	rounds := len(troubles)
	if long {
		rounds = amount(t, "AUTHY_FAULTS_ROUNDS", 50)
	}
	alone := storagetest.NewAlone(t)
	began := time.Now()
	b := newBench(t, start(t, setup{engine: "postgres", database: alone.URL()}))
	stop := make(chan struct{})
	done := b.run(b.workers(8), stop)
	r := result{id: "R-10", database: "postgres", store: "in-process", nodes: 1, seed: b.seed, began: began}
	had := map[string]int{}
	for round := range rounds {
		trouble := troubles[round%len(troubles)]
		b.ledger.wait(20+b.rnd.IntN(40), 3*time.Second)
		trouble.begin(b, alone)
		over := time.Now()
		b.writable()
		took := time.Since(over)
		if took > soon {
			t.Errorf("round %d, %s: nobody could sign in for %s after PostgreSQL was back, want %s", round, trouble.name, took, soon)
		}
		r.recovery = max(r.recovery, took)
		had[trouble.name]++
		if t.Failed() {
			break
		}
	}
	b.ledger.wait(20, 3*time.Second)
	close(stop)
	done.Wait()
	r.findings = b.look()
	b.passwords(t.Context())
	t.Logf("R-10: %v", had)
	report(t, r)
}

// troubles are what may become of PostgreSQL; each returns when it answers again.
var troubles = []struct {
	name  string
	begin func(b *bench, p *storagetest.Alone)
}{
	{"stopped at once", func(b *bench, p *storagetest.Alone) { b.away(p, false) }},
	{"a process killed", func(_ *bench, p *storagetest.Alone) {
		if p.KillBackend() {
			<-time.After(20 * time.Millisecond) // until the server has noticed
		}
		p.Wait()
	}},
	{"stopped in order", func(b *bench, p *storagetest.Alone) { b.away(p, true) }},
	{"connections ended", func(b *bench, p *storagetest.Alone) { p.Terminate(1 + b.rnd.IntN(8)) }},
}

// away stops PostgreSQL, wants that the server says so, and starts it again.
func (b *bench) away(p *storagetest.Alone, fast bool) {
	b.t.Helper()
	p.Stop(fast)
	went := time.Now()
	for b.node.isReady(b.t.Context()) {
		if time.Since(went) > soon {
			b.t.Errorf("PostgreSQL is away for %s, and the server says that it is ready", time.Since(went))
			break
		}
		<-time.After(10 * time.Millisecond)
	}
	w := b.worker(-5)
	if a, err := w.send(b.t.Context(), "", w.login(rootEmail, rootPassword)); err != nil || a.status != 503 ||
		a.header.Get("Retry-After") == "" {
		b.t.Errorf("PostgreSQL is away, and a sign-in is answered: %s", fmt.Sprint(a.status, " ", a.header, " ", err))
	}
	p.Start()
}
