package faultbench

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"authy/storage/storagetest"
)

// PostgreSQL's primary is killed under load and its standby takes over. With a synchronous
// standby nothing acknowledged is lost; with an asynchronous one it is counted. A server that takes
// no writes is never said to have written.
func TestR11AStandbyTakesOver(t *testing.T) {
	t.Parallel()
	modes := []bool{true}
	if long {
		modes = append(modes, false)
	}
	for _, synchronous := range modes {
		t.Run(fmt.Sprintf("synchronous=%t", synchronous), func(t *testing.T) {
			t.Parallel()
			pair := storagetest.NewPair(t, synchronous)
			began := time.Now()
			b := newBench(t, start(t, setup{engine: "postgres", database: pair.URL()}))
			before := time.Second
			if long {
				before = 30 * time.Second
			}
			stop := make(chan struct{})
			done := b.run(b.workers(8), stop)
			end := sync.OnceFunc(func() { close(stop); done.Wait() })
			defer end()
			<-time.After(before)
			b.takesNoWrites(pair)
			<-time.After(before / 2)
			pair.Kill(pair.Primary)
			gone := time.Now()
			if !synchronous {
				end() // what people know may not be true any more
			}
			pair.Promote()
			b.writable()
			recovery := time.Since(gone)
			<-time.After(before)
			end()
			r := result{
				id: "R-11", database: "postgres", store: "in-process", nodes: 1, seed: b.seed, began: began,
				recovery: recovery, findings: b.look(),
			}
			if synchronous {
				report(t, r)
				return
			}
			t.Logf("asynchronous, where the last moments may be lost, each change with its event: %s", r)
			if halves := b.node.halves(); len(halves) > 0 || r.x5 > 0 || r.phantom > 0 {
				t.Errorf("halves %q, 5xx %d, phantoms %d", halves, r.x5, r.phantom)
			}
		})
	}
}

// takesNoWrites has the primary take no writes for a while, as a standby does.
func (b *bench) takesNoWrites(pair *storagetest.Pair) {
	b.t.Helper()
	pair.Set(pair.Primary, "default_transaction_read_only", "on")
	w := b.worker(-3)
	refused := 0
	for range 20 {
		_, err := w.do(b.t.Context(), w.login(rootEmail, rootPassword))
		switch {
		case errors.Is(err, errBusy):
			refused++
		case refused > 0 || err != nil:
			b.t.Errorf("PostgreSQL takes no writes, and a sign-in is not answered with 503: %v", err)
		}
		<-time.After(25 * time.Millisecond) // the setting takes a moment to arrive
	}
	if refused == 0 {
		b.t.Error("PostgreSQL takes no writes, and sign-ins succeed")
	}
	if b.node.isReady(b.t.Context()) {
		b.t.Error("PostgreSQL takes no writes, and the server says that it is ready")
	}
	pair.Exec(pair.Primary, "ALTER SYSTEM RESET default_transaction_read_only")
	pair.Exec(pair.Primary, "SELECT pg_reload_conf()")
	b.writable()
}

// writable waits until somebody can sign in.
func (b *bench) writable() {
	b.t.Helper()
	w, began := b.worker(-3), time.Now()
	for {
		_, err := w.do(b.t.Context(), w.login(rootEmail, rootPassword))
		if err == nil {
			return
		}
		if time.Since(began) > readyLimit {
			b.t.Fatalf("nobody can sign in after %s: %v", readyLimit, err)
		}
		<-time.After(20 * time.Millisecond)
	}
}
