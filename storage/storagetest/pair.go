package storagetest

import (
	"context"
	"errors"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Pair is a PostgreSQL server and a standby that follows it, for tests that lose the first.
// Both keep their sockets in directories of their own.
type Pair struct {
	t        testing.TB
	programs string
	as       account
	// Primary and Standby are the directories of the two.
	Primary, Standby string
}

// pairDatabase is the database of a pair.
const pairDatabase = "authy"

// child runs a server for as long as its own input is open, however the tests end.
const child = `"$@" & cat >/dev/null; kill -QUIT "$!" 2>/dev/null; wait`

// NewPair starts a server and its standby; without PostgreSQL's programs t is skipped. A
// commit on the first waits for the standby if synchronous says so.
func NewPair(t testing.TB, synchronous bool) *Pair {
	t.Helper()
	p := newPrimary(t)
	p.run("pg_basebackup", "--host="+p.Primary, "--username=postgres", "--pgdata="+p.Standby+"/data",
		"--write-recovery-conf", "--wal-method=stream", "--checkpoint=fast", "--no-sync")
	p.serve(p.Standby)
	if synchronous {
		p.Set(p.Primary, "synchronous_standby_names", "*")
	}
	p.follows(synchronous)
	return p
}

// newPrimary starts the first server of a pair.
func newPrimary(t testing.TB) *Pair {
	t.Helper()
	programs, err := findPrograms()
	if errors.Is(err, errNoPrograms) && !required("postgres") {
		t.Skipf("skipped: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "authy-pair-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	p := &Pair{t: t, programs: programs, Primary: filepath.Join(dir, "a"), Standby: filepath.Join(dir, "b")}
	if p.as, err = unprivileged(dir); err != nil {
		t.Fatal(err)
	}
	for _, home := range []string{p.Primary, p.Standby} {
		if err := os.Mkdir(home, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := unprivileged(home); err != nil {
			t.Fatal(err)
		}
	}
	p.run("initdb", "--pgdata="+p.Primary+"/data", "--username=postgres", "--auth=trust", "--encoding=UTF8",
		"--locale=C", "--no-sync", "--no-instructions")
	p.serve(p.Primary)
	p.Exec(p.Primary, "CREATE DATABASE "+pairDatabase)
	return p
}

// URL names both servers, of which the one is used that takes writes.
func (p *Pair) URL() string {
	return "postgres://postgres@/" + pairDatabase + "?target_session_attrs=read-write&host=" +
		url.QueryEscape(p.Primary+","+p.Standby)
}

// Exec runs a statement on the server of a directory.
func (p *Pair) Exec(home, statement string) {
	p.t.Helper()
	if err := (&server{dir: home}).exec(context.WithoutCancel(p.t.Context()), statement); err != nil {
		p.t.Fatalf("%s: %v", statement, err)
	}
}

// Set changes a setting of the server of a directory, now and for later.
func (p *Pair) Set(home, name, value string) {
	p.t.Helper()
	p.Exec(home, "ALTER SYSTEM SET "+name+" = '"+value+"'")
	p.Exec(home, "SELECT pg_reload_conf()")
}

// Kill ends the server of a directory without a word.
func (p *Pair) Kill(home string) {
	p.t.Helper()
	p.signal(p.pid(home), syscall.SIGKILL)
}

// pid is that of the server of a directory.
func (p *Pair) pid(home string) int {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(home, "data", "postmaster.pid"))
	if err != nil {
		p.t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.Fields(string(text))[0])
	if err != nil {
		p.t.Fatal(err)
	}
	return pid
}

func (p *Pair) signal(pid int, s syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Fatal(err)
	}
}

// Promote has the standby take writes.
func (p *Pair) Promote() {
	p.t.Helper()
	p.Exec(p.Standby, "SELECT pg_promote(true, 60)")
}

// follows waits until the standby has all that the first server has, in the way that is wanted.
func (p *Pair) follows(synchronous bool) {
	p.t.Helper()
	want := "async"
	if synchronous {
		want = "sync"
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), startLimit)
	defer cancel()
	conn, err := pgx.Connect(ctx, (&server{dir: p.Primary}).url("postgres"))
	if err != nil {
		p.t.Fatal(err)
	}
	defer conn.Close(ctx) //nolint:errcheck // only read from
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var n int
		err := conn.QueryRow(ctx, `SELECT COUNT(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = $1
			AND replay_lsn >= pg_current_wal_lsn()`, want).Scan(&n)
		if err != nil {
			p.t.Fatalf("the standby does not follow: %v", err)
		}
		if n > 0 {
			return
		}
		<-tick.C
	}
}

// serve starts the server of a directory and waits until it answers.
func (p *Pair) serve(home string) {
	p.t.Helper()
	cmd := p.command("sh", "-c", child, "sh", filepath.Join(p.programs, "postgres"), "-D", home+"/data", "-k", home,
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "max_connections=100")
	cmd.SysProcAttr.Setpgid = true
	log, err := os.OpenFile(filepath.Join(home, "log"), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close() //nolint:errcheck // the server has its own
	cmd.Stdout, cmd.Stderr = log, log
	var life io.Closer
	if life, err = cmd.StdinPipe(); err != nil {
		p.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		_ = life.Close() // which ends it
		_ = cmd.Wait()   // however it ended
	})
	if err := (&server{dir: home, life: life}).wait(); err != nil {
		p.t.Fatalf("start PostgreSQL: %v", err)
	}
}

func (p *Pair) run(program string, args ...string) {
	p.t.Helper()
	if out, err := p.command(filepath.Join(p.programs, program), args...).CombinedOutput(); err != nil {
		p.t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func (p *Pair) command(program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.WithoutCancel(p.t.Context()), program, args...) //nolint:gosec // ours
	cmd.Dir = p.Primary
	runAs(cmd, p.as, false)
	return cmd
}
