//go:build faults

package faultbench

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage/storagetest"
)

// firstShared is the first step of the schema that servers of two versions bear together: see
// docs/decisions/0012-upgrades.md.
const firstShared = "embed/migrations/20261203000011_holds.postgres.tx.up.sql"

// older builds the program as it was before firstShared, or at the commit that AUTHY_FAULTS_OLDER
// names, from the history of the repository. Without that the test is skipped.
func older(t *testing.T) string {
	t.Helper()
	git := func(args ...string) string {
		out, err := exec.Command("git", args...).Output()
		if err != nil {
			t.Skipf("the program of before is built from the history, which is not here: git %s: %v", args[0], err)
		}
		return strings.TrimSpace(string(out))
	}
	root := git("rev-parse", "--show-toplevel")
	added := strings.Fields(git("-C", root, "log", "--diff-filter=A", "--format=%H", "--", firstShared))
	commit := os.Getenv("AUTHY_FAULTS_OLDER")
	if commit == "" && len(added) == 0 {
		t.Skipf("the history does not go back to %s", firstShared)
	}
	if commit == "" {
		commit = git("-C", root, "rev-parse", added[len(added)-1]+"^")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "authy-older")
	script := fmt.Sprintf("git -C %q archive %q | tar -x -C %q && cd %q && go build -trimpath -ldflags='-s -w' -o %q authy",
		root, commit, dir, dir, path)
	build := exec.Command("bash", "-o", "pipefail", "-c", script) //nolint:gosec // ours
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build authy of %s: %v\n%s", commit, err, out)
	}
	t.Logf("R-12: the older program is of %s", commit)
	return path
}

// R-12c: a server of before and one of now serve together behind a proxy, while the one of before
// is replaced. Everything that one has begun goes on with the other; nobody is signed out, and no
// request fails. AUTHY_FAULTS_TOGETHER is for how long they serve together.
func TestR12TwoVersionsServeTogether(t *testing.T) {
	before := older(t)
	together := 10 * time.Minute
	if text := os.Getenv("AUTHY_FAULTS_TOGETHER"); text != "" {
		var err error
		if together, err = time.ParseDuration(text); err != nil {
			t.Fatalf("AUTHY_FAULTS_TOGETHER: %v", err)
		}
	}
	proxy := newProxy(t)
	node := func(binary, database string) *process {
		set := map[string]string{}
		if binary == "" { // which knows it
			set["server.drain_delay"] = "2s"
		}
		p := prepare(t, setup{engine: "postgres", database: database, publicURL: proxy.url, set: set})
		p.binary = binary
		p.launch()
		p.ready(readyLimit)
		return p
	}
	began := time.Now()
	old := node(before, storagetest.URL(t, "postgres")) // which makes its own schema
	proxy.add(old)
	front := *old
	front.url, front.listen, front.cmd = proxy.url, strings.TrimPrefix(proxy.url, "http://"), nil
	b := newBench(t, &front)
	b.heard = 2 * time.Second // the server of before refuses a secret that it has not heard of
	stop := make(chan struct{})
	done := b.run(b.workers(6), stop)
	b.ledger.wait(200, time.Minute)

	now := node("", old.database) // which migrates under the load
	proxy.add(now)
	front.binary = ""
	alone := b.crossings(old, now, together)
	proxy.remove(old)
	if state := old.terminate(time.Minute); state.ExitCode() != 0 {
		t.Errorf("the server of before ended with %v", state)
	}
	b.ledger.wait(200, time.Minute)
	last := node("", old.database)
	proxy.add(last)
	proxy.leave(now) // it drains while it is asked: the proxy sees that it is not ready
	b.ledger.wait(200, time.Minute)
	close(stop)
	done.Wait()
	b.node = last
	r := result{
		id: "R-12", database: "postgres", store: "in-process", nodes: 2, seed: b.seed, began: began, findings: b.look(),
	}
	report(t, r)
	t.Logf("R-12: %d crossings, each of %d things, %d failed; the proxy passed %d requests on, and %d failed there",
		alone.rounds, crossed, alone.failures, proxy.passed.Load(), proxy.failed.Load())
	if n := proxy.failed.Load(); n > 0 {
		t.Errorf("%d requests were dropped: %v", n, proxy.why.Load())
	}
}

// crossed is how many things of one node are used on the other, in a crossing.
const crossed = 9

// tally is how many crossings there were.
type tally struct{ rounds, failures int }

// crossings has each of two nodes begin things that the other goes on with, for so long.
func (b *bench) crossings(first, second *process, long time.Duration) (n tally) {
	b.t.Helper()
	for end := time.Now().Add(long); time.Now().Before(end); n.rounds++ {
		one, two := *b, *b
		one.node, two.node = first, second
		if n.rounds%2 == 1 {
			one.node, two.node = second, first
		}
		if err := across(b.t.Context(), one.worker(1000+n.rounds), two.worker(1000+n.rounds)); err != nil {
			n.failures++
			b.t.Errorf("crossing %d: %v", n.rounds, err)
		}
	}
	return n
}

// proxy passes requests on to its servers in turn, as long as they say that they are ready. It
// tries none a second time.
type proxy struct {
	t   testing.TB
	url string

	mu      sync.Mutex
	servers []*process
	turn    int

	passed, failed atomic.Int64
	why            atomic.Value
}

func newProxy(t testing.TB) *proxy {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, url: "http://" + l.Addr().String()}
	p.why.Store("")
	relay := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			to := p.next()
			r.SetURL(&url.URL{Scheme: "http", Host: to})
			r.Out.Host = r.In.Host
		},
		// Each request has a connection of its own: one that is kept may be closed by a server
		// that stops just when it is used again.
		Transport: &http.Transport{DisableKeepAlives: true},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			p.failed.Add(1)
			p.why.Store(err.Error())
			w.WriteHeader(http.StatusBadGateway)
		},
		ModifyResponse: func(*http.Response) error { p.passed.Add(1); return nil },
	}
	hs := &http.Server{Handler: relay, ReadHeaderTimeout: time.Minute}
	go func() { _ = hs.Serve(l) }() // until it is closed
	t.Cleanup(func() {
		if err := hs.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// next is the address of whose turn it is.
func (p *proxy) next() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.servers) == 0 {
		return "127.0.0.1:1"
	}
	p.turn++
	return p.servers[p.turn%len(p.servers)].listen
}

func (p *proxy) add(s *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.servers = append(p.servers, s)
}

func (p *proxy) remove(s *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.servers = without(p.servers, s)
}

func without(list []*process, gone *process) (left []*process) {
	for _, s := range list {
		if s != gone {
			left = append(left, s)
		}
	}
	return left
}

// leave stops a server while it is asked, and stops asking it when it says that it is not ready,
// as a balancer does.
func (p *proxy) leave(s *process) {
	p.t.Helper()
	ended := make(chan *os.ProcessState)
	go func() { ended <- s.terminate(time.Minute) }()
	for s.isReady(p.t.Context()) {
		<-time.After(100 * time.Millisecond)
	}
	p.remove(s)
	if state := <-ended; state.ExitCode() != 0 {
		p.t.Errorf("the server that was replaced ended with %v", state)
	}
}
