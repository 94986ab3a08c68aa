package faultbench

import (
	"context"
	"slices"
	"strings"
	"testing"

	"authy/storage"
	"authy/storage/storagetest"
)

// A checker that finds nothing may be blind. What is planted into a real run it finds: a loss, a
// zombie, a half, a phantom and a double.
func TestTheCheckerFindsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, start(t, setup{engine: engine}))
			s := play(t, b)
			if f := b.look(); f.bad() > 0 {
				t.Fatalf("before anything is planted: %q", f.problems)
			}
			b.node.kill()
			plant(t, b.node, s)
			b.node.restart()
			w := b.worker(2)
			w.me = s.me
			if _, err := w.exchange(t.Context(), s.used); err != nil {
				t.Fatal(err)
			}
			f := b.look()
			got := []int{f.lost, f.zombie, f.half, f.phantom, f.double}
			if !slices.Equal(got, []int{1, 1, 1, 1, 1}) {
				t.Errorf("lost, zombie, half, phantom, double = %v, want one of each: %q", got, f.problems)
			}
		})
	}
}

// scene is what a short story has left.
type scene struct {
	me    *person
	ended string // the token of a session that was ended
	used  string // a code that was used
}

// play has one person do a little of everything.
func play(t *testing.T, b *bench) *scene {
	t.Helper()
	w, s := b.worker(1), &scene{}
	steps := []func(context.Context) error{
		w.register, w.again, w.again, w.endSession, w.build, w.befriend, w.befriend, w.addMember, w.changeRole,
		w.invite, w.accept, w.registerClient, w.rotate, w.authorize, w.useRefresh,
		func(ctx context.Context) (err error) {
			if s.used, err = w.consent(ctx); err == nil {
				_, err = w.exchange(ctx, s.used)
			}
			return err
		},
	}
	for i, step := range steps {
		if i == 3 {
			s.ended = w.me.sessions[2]
		}
		if err := step(t.Context()); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	s.me = w.me
	return s
}

// plant damages a database that no server uses.
func plant(t *testing.T, p *process, s *scene) {
	t.Helper()
	db := p.meddle()
	defer db.Close() //nolint:errcheck // what it wrote is seen
	quote := func(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
	for _, one := range []struct{ name, statement string }{
		{"a loss", `DELETE FROM consents`},
		{"a zombie", `UPDATE sessions SET revoked_at = NULL, revoked_reason = ''
			WHERE token_hash = ` + quote(storage.Hash(s.ended))},
		{"a half", `DELETE FROM passwords WHERE user_id = (SELECT MAX(id) FROM users WHERE email LIKE 'f%')`},
		{"a phantom", `INSERT INTO invitations (id, hash, organization_id, email, role, created_at, expires_at)
			SELECT 'x', 'nobodys', id, 'x@bench.example', 'guest', 0, 9999999999999 FROM organizations`},
		{"a double", `UPDATE codes SET used_at = NULL WHERE hash = ` + quote(storage.Hash(s.used))},
	} {
		res, err := db.ExecContext(t.Context(), one.statement)
		if err != nil {
			t.Fatalf("plant %s: %v", one.name, err)
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			t.Fatalf("plant %s: %d rows, %v", one.name, n, err)
		}
	}
}

// An answer takes the place of what was noted before it, and tells the facts that were open.
func TestTheLedgerIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	first := l.begin(entry{Kind: "one", Facts: []fact{{"secret/a", anything}}})
	l.begin(entry{Kind: "two"})
	l.end(first, 200, fact{"secret/a", "told"})
	list := l.entries(t)
	if len(list) != 2 || list[0].Outcome != acked || list[1].Outcome != pending {
		t.Fatalf("entries = %+v", list)
	}
	if want := []fact{{"secret/a", "told"}}; !slices.Equal(list[0].Facts, want) {
		t.Errorf("facts = %v, want %v", list[0].Facts, want)
	}
}
