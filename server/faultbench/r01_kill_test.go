package faultbench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"authy/storage/storagetest"
)

// the server is killed while many write, over and over. What was acknowledged is there.
func TestR01WhatWasAcknowledgedSurvivesKills(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			writers, rounds := []int{16}, 3
			if long {
				writers, rounds = []int{1, 8, 128, 32}, 50
			}
			written := 0
			for i, n := range writers {
				enough := 0
				if long && i == len(writers)-1 {
					enough = 100_000 - written
				}
				t.Run(fmt.Sprint(n), func(t *testing.T) { written += killRounds(t, engine, n, rounds, enough) })
			}
		})
	}
}

// killRounds lets so many clients write, kills the server and looks what is left, so many times
// and until so much was written. It returns how much that was.
func killRounds(t *testing.T, engine string, writers, rounds, enough int) (written int) {
	began := time.Now()
	b := newBench(t, start(t, setup{engine: engine}))
	b.node.terminate(time.Minute)
	clean := b.node.restart()
	workers := b.workers(writers)
	r := result{id: "R-01", database: engine, store: "in-process", nodes: 1, seed: b.seed, began: began}
	for round := 0; round < rounds || written < enough; round++ {
		b.killOnce(workers)
		r.recovery = max(r.recovery, b.node.restart())
		r.findings = b.look()
		written = r.writes
		if long && round%10 == 9 {
			t.Logf("after %d rounds: %s", round+1, r)
		}
		if t.Failed() || r.bad() > 0 {
			break
		}
	}
	b.passwords(t.Context())
	if limit := max(soon, 2*clean); long && r.recovery > limit {
		t.Errorf("after a kill it took %s to be ready, want %s at most; after SIGTERM %s", r.recovery, limit, clean)
	}
	report(t, r)
	return written
}

// killOnce kills the server while clients are at work, and returns when all have noticed. In the
// short form that is after so many answers, in the long one after so much time.
func (b *bench) killOnce(workers []*worker) {
	done := b.run(workers, make(chan struct{}))
	if long {
		<-time.After(500*time.Millisecond + time.Duration(b.rnd.Int64N(int64(4500*time.Millisecond))))
	} else {
		b.ledger.wait(50+b.rnd.IntN(200), 5*time.Second)
	}
	b.node.kill()
	done.Wait()
}

// look checks the ledger against the database, and the database in itself.
func (b *bench) look() *findings {
	b.t.Helper()
	b.node.intact()
	f := check(b.ledger.entries(b.t), b.node.state(), time.Now())
	for _, half := range b.node.halves() {
		f.problem(&f.half, "half: %s", half)
	}
	return f
}

// passwords asks the server for what the database does not tell: the passwords that were set open
// their accounts, and those before them do not.
func (b *bench) passwords(ctx context.Context) {
	b.t.Helper()
	type set struct{ password, before string }
	last := map[string]set{}
	for _, e := range b.ledger.entries(b.t) {
		for _, f := range e.Facts {
			email, ok := strings.CutPrefix(f.Key, "password/")
			switch {
			case !ok || e.Outcome == refused:
			case e.Outcome == pending:
				delete(last, email)
			default:
				last[email] = set{f.Value, last[email].password}
			}
		}
	}
	w, asked := b.worker(-2), 0
	for email, s := range last {
		if asked++; asked > 300 {
			break
		}
		c := w.login(email, s.password)
		c.event = false // with a second factor it is not over
		if _, err := w.do(ctx, c); err != nil {
			b.t.Errorf("lost: the password of %s: %v", email, err)
		}
		if s.before == "" {
			continue
		}
		c = w.login(email, s.before)
		c.fails, c.event = true, false
		if _, err := w.do(ctx, c); err != nil {
			b.t.Errorf("zombie: the old password of %s: %v", email, err)
		}
	}
}
