package faultbench

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage/storagetest"
)

// a flood of requests that nobody has signed in for, from many networks, leaves no more rows
// than are documented, unlocks no account, and stops neither those who sign in meanwhile nor who
// was half way before it began. The long form sends AUTHY_FAULTS_FLOOD of each kind.
func TestR27AFloodLeavesNoMoreThanIsDocumented(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			f := &flood{size: 700, networks: 20, most: 250}
			if long {
				f = &flood{size: amount(t, "AUTHY_FAULTS_FLOOD", 1_000_000), networks: 1000, most: 50_000}
			}
			f.begin(t, engine)
			locked, halfWay := f.lock(), f.goHalfWay()
			before := f.memory()
			real, guesser := f.realUsers(), f.guess(locked)
			f.pour()
			real.stop()
			guesser.stop()
			rows := f.settled()
			if guesser.failed.Load() > 0 {
				t.Errorf("%d of %d guesses were let through, the first: %v", guesser.failed.Load(), guesser.done.Load(), guesser.first)
			}
			if a := f.tryLocked(locked); a.status != http.StatusTooManyRequests {
				t.Errorf("the locked account after the flood: %d %s", a.status, a.body)
			}
			if a, err := halfWay(); err != nil || a.location().Path != "/consent" {
				t.Errorf("the sign-in that was half way: %d, to %s, %v", a.status, a.location(), err)
			}
			if real.failed.Load()*1000 > real.done.Load() {
				t.Errorf("of %d sign-ins of others %d failed, the first: %v", real.done.Load(), real.failed.Load(), real.first)
			}
			t.Logf("R-27: %s, %d of each of %d kinds from %d networks, answered: %v; rows after it: %v, of %d at most; "+
				"others: %d sign-ins, %d failed, the slowest %s; memory %d MB before, %d MB after", engine, f.size, len(f.kinds()),
				f.networks, f.tally(), rows, f.most, real.done.Load(), real.failed.Load(),
				time.Duration(real.slowest.Load()).Round(time.Millisecond), before>>20, f.memory()>>20)
			if used := f.memory(); used > 600<<20 {
				t.Errorf("the server takes %d MB after the flood", used>>20)
			}
		})
	}
}

// flood is a server and what is poured over it.
type flood struct {
	*bench
	size, networks, most int

	mu       sync.Mutex
	statuses map[string]int
}

const floodClient = "flood"

// givenBack is a little less than what it takes until an account that is locked can be tried again,
// once.
const givenBack = 80 * time.Second

// floodTables are where strangers can leave something behind.
var floodTables = []string{"flows", "departures", "ceremonies", "pushed_requests", "device_codes"}

func (f *flood) begin(t *testing.T, engine string) {
	p := prepare(t, setup{engine: engine, set: map[string]string{
		"rate_limit.enabled": "true", "rate_limit.unfinished": strconv.Itoa(f.most), "trusted_proxies": "127.0.0.0/8",
		"log.level": "error",
	}})
	provider := "[provider.github]\nclient_id = 'authy'\nclient_secret = 'a secret of its own'\n"
	if err := os.WriteFile(filepath.Join(p.dir, "authy.toml"), []byte(provider), 0o600); err != nil {
		t.Fatal(err)
	}
	p.launch()
	p.ready(readyLimit)
	f.bench, f.statuses = newBench(t, p), map[string]int{}
	p.run("", "client", "create", "--id", floodClient, "--name", "Flood", "--public", "--redirect-uri", callback,
		"--grant", "authorization_code", "--grant", deviceGrant)
}

// kinds are the requests of the flood, each from an address.
func (f *flood) kinds() map[string]func(i int) call {
	query := f.node.authorizeQuery(floodClient)
	query.Set("scope", "openid")
	return map[string]func(i int) call{
		"authorize": func(int) call { return call{method: "GET", path: "/oidc/authorize?" + query.Encode()} },
		"push":      func(int) call { return call{method: "POST", path: "/oidc/par", body: query} },
		"device": func(int) call {
			return call{method: "POST", path: "/oidc/device_authorization", body: url.Values{
				"client_id": {floodClient}, "scope": {"openid"},
			}}
		},
		"departure": func(int) call {
			return call{method: "POST", path: "/external/github/start", body: url.Values{}}
		},
		"passkey": func(int) call {
			return call{method: "POST", path: api + "/auth/webauthn/login/begin", body: object{}}
		},
		"login": func(i int) call {
			return call{method: "POST", path: api + "/auth/login", body: object{
				"email": fmt.Sprintf("nobody%d@bench.example", i), "password": "not the password",
			}}
		},
	}
}

// pour sends it all.
func (f *flood) pour() {
	var all sync.WaitGroup
	for kind, of := range f.kinds() {
		for part := range 2 {
			all.Go(func() {
				for i := part; i < f.size; i += 2 {
					c := of(i)
					c.from = fmt.Sprintf("10.%d.%d.1", i/2%f.networks>>8, i/2%f.networks&255)
					a, err := f.worker(0).send(f.t.Context(), "", c)
					if err != nil {
						f.t.Errorf("%s: %v", kind, err)
						return
					}
					f.mu.Lock()
					f.statuses[fmt.Sprintf("%s %d", kind, a.status)]++
					f.mu.Unlock()
				}
			})
		}
	}
	all.Wait()
}

func (f *flood) tally() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	for answered := range f.statuses {
		if strings.HasSuffix(answered, " 500") {
			f.t.Errorf("%d answers of %s", f.statuses[answered], answered)
		}
	}
	return f.statuses
}

// settled waits until no table has more rows than it may, and returns how many they have.
func (f *flood) settled() map[string]int {
	f.t.Helper()
	db := f.node.look()
	defer db.Close() //nolint:errcheck // only read from
	rows := map[string]int{}
	for range 100 {
		over := false
		for _, table := range floodTables {
			each(f.t, db, "SELECT COUNT(*) FROM "+table+" WHERE network <> ''", func(r *sql.Rows) error {
				var n int
				err := r.Scan(&n)
				rows[table], over = n, over || n > f.most
				return err
			})
		}
		if !over {
			return rows
		}
		<-time.After(100 * time.Millisecond)
	}
	f.t.Errorf("tables hold more than %d rows ten seconds after the flood: %v", f.most, rows)
	return rows
}

// lock makes an account and tries it too often.
func (f *flood) lock() *person {
	f.t.Helper()
	w := f.worker(1)
	if err := w.register(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	c := w.login(w.me.email, "not the password")
	c.from = "192.0.2.9"
	for range 11 {
		if _, err := w.send(f.t.Context(), "", c); err != nil {
			f.t.Fatal(err)
		}
	}
	if a := f.tryLocked(w.me); a.status != http.StatusTooManyRequests {
		f.t.Fatalf("an account that was tried too often: %d %s", a.status, a.body)
	}
	return w.me
}

// tryLocked tries the right password from where too many were wrong.
// A wrong one before it takes the guess that may just have been given back.
func (f *flood) tryLocked(p *person) (a answer) {
	f.t.Helper()
	w := f.worker(1)
	for _, password := range []string{"not the password", p.password} {
		c := w.login(p.email, password)
		c.from = "192.0.2.9"
		var err error
		if a, err = w.send(f.t.Context(), "", c); err != nil {
			f.t.Fatal(err)
		}
	}
	return a
}

// goHalfWay has somebody come from an application to the page that asks for a password, and returns
// what goes on from there.
func (f *flood) goHalfWay() func() (answer, error) {
	f.t.Helper()
	w, ctx := f.worker(2), f.t.Context()
	if err := w.register(ctx); err != nil {
		f.t.Fatal(err)
	}
	w.client = w.me.browser
	query := f.node.authorizeQuery(floodClient)
	query.Set("scope", "openid")
	a, err := w.do(ctx, call{kind: "authorize", method: "GET", path: "/oidc/authorize?" + query.Encode()})
	if err != nil {
		f.t.Fatal(err)
	}
	page, err := w.do(ctx, call{kind: "page", method: "GET", path: resolve(f.node.url, a.location())})
	if err != nil {
		f.t.Fatal(err)
	}
	return func() (answer, error) { return w.do(ctx, w.signIn(page.hidden())) }
}

// realUsers are people who sign in all the time, each from where they always do.
type realUsers struct {
	done, failed, slowest atomic.Int64
	first                 error // that failed
	cancel                context.CancelFunc
	all                   sync.WaitGroup
}

func (f *flood) realUsers() *realUsers {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	r := &realUsers{cancel: cancel}
	for i := range 3 {
		w := f.worker(3 + i)
		if err := w.register(ctx); err != nil {
			f.t.Fatal(err)
		}
		c := w.login(w.me.email, w.me.password)
		c.from = fmt.Sprintf("198.51.%d.7", i)
		r.all.Go(func() {
			tick := time.NewTicker(50 * time.Millisecond)
			defer tick.Stop()
			for {
				began := time.Now()
				a, err := w.send(ctx, "", c)
				if ctx.Err() != nil {
					return
				}
				r.done.Add(1)
				if err != nil || a.status != http.StatusOK {
					if r.failed.Add(1) == 1 {
						r.first = fmt.Errorf("%w: %d %s", err, a.status, a.body)
					}
				}
				r.slowest.Store(max(r.slowest.Load(), int64(time.Since(began))))
				<-tick.C
			}
		})
	}
	return r
}

// guess goes on guessing at a locked account, oftener than a guess is given back: a flood may last
// for longer than the lock, and one that was forgotten lets ten guesses through at once.
func (f *flood) guess(p *person) *realUsers {
	ctx, cancel := context.WithCancel(f.t.Context())
	r := &realUsers{cancel: cancel}
	w := f.worker(2)
	c := w.login(p.email, "not the password")
	c.from = "192.0.2.9"
	r.all.Go(func() {
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for back := time.Now(); ; {
			a, err := w.send(ctx, "", c)
			if ctx.Err() != nil {
				return
			}
			r.done.Add(1)
			if refused := err == nil && a.status == http.StatusTooManyRequests; !refused && time.Since(back) < givenBack {
				if r.failed.Add(1) == 1 {
					r.first = fmt.Errorf("%w: %d %s", err, a.status, a.body)
				}
			} else if !refused {
				back = time.Now()
			}
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
	})
	return r
}

func (r *realUsers) stop() {
	r.cancel()
	r.all.Wait()
}

// memory is what the server takes of the machine's, in bytes.
func (f *flood) memory() int {
	f.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", f.node.cmd.Process.Pid))
	if err != nil {
		f.t.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	if err != nil {
		f.t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
