package storagetest

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Alone is a PostgreSQL server of a test's own, which it may restart and rob of its processes.
type Alone struct{ pair *Pair }

// NewAlone starts a server; without PostgreSQL's programs t is skipped.
func NewAlone(t testing.TB) *Alone {
	t.Helper()
	return &Alone{newPrimary(t)}
}

// URL is that of its database, which is empty at first.
func (a *Alone) URL() string { return (&server{dir: a.pair.Primary}).url(pairDatabase) }

// Stop stops it: fast ends its connections and writes everything down, otherwise it lets go of
// everything and recovers at the next start.
func (a *Alone) Stop(fast bool) {
	t := a.pair.t
	t.Helper()
	s := syscall.SIGQUIT
	if fast {
		s = syscall.SIGINT
	}
	a.pair.signal(a.pair.pid(a.pair.Primary), s)
	late := time.After(startLimit)
	for {
		_, err := os.Stat(filepath.Join(a.pair.Primary, "data", "postmaster.pid"))
		if os.IsNotExist(err) {
			return
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-late:
			t.Fatal("PostgreSQL does not stop")
		}
	}
}

// Start starts it again and waits until it answers.
func (a *Alone) Start() {
	a.pair.t.Helper()
	a.pair.serve(a.pair.Primary)
}

// Wait waits until it answers, as it does after it has recovered by itself.
func (a *Alone) Wait() {
	a.pair.t.Helper()
	if err := (&server{dir: a.pair.Primary, life: nothing{}}).wait(); err != nil {
		a.pair.t.Fatal(err)
	}
}

// nothing closes nothing.
type nothing struct{}

func (nothing) Close() error { return nil }

// Terminate has it end so many connections of its database, chosen at random, and says how many
// there were.
func (a *Alone) Terminate(most int) (n int) {
	a.pair.t.Helper()
	a.query(`SELECT COUNT(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
		WHERE datname = '`+pairDatabase+`' AND pid <> pg_backend_pid() ORDER BY random() LIMIT $1) AS chosen`, &n, most)
	return n
}

// KillBackend kills one of the processes that serve connections, without a word; the server then
// ends all of them, and recovers by itself. It says whether there was one.
func (a *Alone) KillBackend() bool {
	a.pair.t.Helper()
	var pid int
	a.query(`SELECT COALESCE((SELECT pid FROM pg_stat_activity WHERE datname = '`+pairDatabase+
		`' AND pid <> pg_backend_pid() ORDER BY random() LIMIT $1), 0)`, &pid, 1)
	if pid > 0 {
		a.pair.signal(pid, syscall.SIGKILL)
	}
	return pid > 0
}

func (a *Alone) query(query string, to *int, args ...any) {
	t := a.pair.t
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	conn, err := pgx.Connect(ctx, (&server{dir: a.pair.Primary}).url("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // only asked
	if err := conn.QueryRow(ctx, query, args...).Scan(to); err != nil {
		t.Fatal(err)
	}
}
