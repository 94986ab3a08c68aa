package storagetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"authy/storage/disk"
)

const (
	// serverPrefix begins the name of each server's directory.
	serverPrefix = "authy-postgres-"
	// socketName is what PostgreSQL calls its socket.
	socketName = ".s.PGSQL.5432"
	// startLimit is how long a server may take to answer.
	startLimit = time.Minute
)

// keeper makes a cluster, runs its server for as long as its own input is open, and removes both.
// The input is a pipe from the tests: it closes when they end, however they end. Nothing is
// flushed to the disk, which tests have no use for, unless AUTHY_TEST_FSYNC is "on".
const keeper = `
flush=${AUTHY_TEST_FSYNC:-off}
log=256MB
test "$flush" = off || log=1GB
"$1/initdb" --pgdata="$2/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C \
	--no-sync --no-instructions >"$2/log" 2>&1 && {
	"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c max_connections=400 \
		-c "fsync=$flush" -c "synchronous_commit=$flush" -c "full_page_writes=$flush" -c shared_buffers=32MB \
		-c "max_wal_size=$log" \
		>>"$2/log" 2>&1 &
}
cat >/dev/null
kill -QUIT "$!" 2>/dev/null
wait
rm -rf "$2"
`

// errNoPrograms says that PostgreSQL is not installed.
var errNoPrograms = errors.New(
	"PostgreSQL's initdb and postgres are neither in /usr/lib/postgresql nor in PATH")

// server is a running PostgreSQL. It listens on a socket in its own directory, so that tests which
// run at the same time never want the same port.
type server struct {
	dir  string
	life io.Closer // the server ends when this closes, at the latest with the process
}

// shared is the server of this process, started when it is first asked for.
var shared = sync.OnceValues(startServer)

// running is the shared server; without its programs t is skipped.
func running(t testing.TB) *server {
	t.Helper()
	s, err := shared()
	if errors.Is(err, errNoPrograms) && !required("postgres") {
		t.Skipf("skipped on PostgreSQL: %v", err)
	}
	if err != nil {
		t.Fatalf("start PostgreSQL: %v", err)
	}
	return s
}

// postgresURL makes a database on the shared server, as a copy of another.
func postgresURL(t testing.TB, template string) string {
	t.Helper()
	s := running(t)
	name, err := s.create(t.Context(), template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.exec(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop database: %v", err)
		}
	})
	return s.url(name)
}

// create makes a database that is a copy of another, and returns its name.
func (s *server) create(ctx context.Context, template string) (string, error) {
	name := "test_" + strings.ToLower(rand.Text())
	if err := s.exec(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		return "", fmt.Errorf("create database: %w", err)
	}
	return name, nil
}

// required says whether AUTHY_TEST_REQUIRE, a list with commas, names what must not be skipped.
func required(name string) bool {
	return slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), name)
}

func (s *server) url(database string) string {
	return "postgres://postgres@/" + database + "?host=" + url.QueryEscape(s.dir)
}

func (s *server) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

func startServer() (*server, error) {
	programs, err := findPrograms()
	if err != nil {
		return nil, err
	}
	removeStale()
	dir, err := os.MkdirTemp(quickDir(), serverPrefix)
	if err != nil {
		return nil, err
	}
	as, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("sh", "-c", keeper, "sh", programs, dir) //nolint:gosec,noctx // ours; it outlives
	cmd.Dir = dir
	// A group of its own keeps Ctrl-C from ending the keeper before its work is done.
	runAs(cmd, as, true)
	life, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{dir: dir, life: life}
	return s, s.wait()
}

// wait returns when the server answers.
func (s *server) wait() error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := s.exec(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(s.dir, "log")) // without it the error still says enough
			return errors.Join(fmt.Errorf("it does not answer: %w\n%s", err, log), s.life.Close())
		}
	}
}

// quickDir is where servers keep their files: in memory where that has plenty of room, since each
// test makes a database of hundreds of files and drops it; on the disk where AUTHY_TEST_FSYNC is
// "on", as it is for who wants to know what a disk costs.
func quickDir() string {
	const memory, plenty = "/dev/shm", 4 << 30
	if os.Getenv("AUTHY_TEST_FSYNC") == "on" || disk.SpaceAt(memory).Free < plenty {
		return os.TempDir()
	}
	return memory
}

// findPrograms returns the directory of initdb and postgres: that which AUTHY_TEST_POSTGRES
// names, or that of the newest.
func findPrograms() (string, error) {
	if dir := os.Getenv("AUTHY_TEST_POSTGRES"); dir != "" {
		_, err := exec.LookPath(filepath.Join(dir, "initdb"))
		return dir, err
	}
	versions, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(versions) > 0 {
		return filepath.Dir(slices.MaxFunc(versions, byVersion)), nil
	}
	initdb, err := exec.LookPath("initdb")
	if err != nil {
		return "", errNoPrograms
	}
	return filepath.Dir(initdb), nil
}

// byVersion orders /usr/lib/postgresql/9.6/… before /usr/lib/postgresql/17/….
func byVersion(a, b string) int {
	number := func(path string) float64 {
		n, _ := strconv.ParseFloat(strings.Split(path, "/")[4], 64) // what is no number is the oldest
		return n
	}
	return int(10 * (number(a) - number(b)))
}

// removeStale removes what servers left behind whose keepers were killed. A keeper that lives needs
// no help, and one that has only begun is left alone.
func removeStale() {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	dirs, _ := filepath.Glob(filepath.Join(quickDir(), serverPrefix+"*")) // the pattern is sound
	for _, dir := range dirs {
		info, err := os.Stat(dir)
		if err != nil || time.Since(info.ModTime()) < 2*startLimit {
			continue
		}
		conn, err := new(net.Dialer).DialContext(ctx, "unix", filepath.Join(dir, socketName))
		if err == nil {
			_ = conn.Close() // it was opened only to see whether someone answers
			continue
		}
		_ = os.RemoveAll(dir) // it may belong to somebody else; then it is theirs to remove
	}
}
