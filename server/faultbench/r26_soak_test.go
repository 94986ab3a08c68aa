//go:build faults

package faultbench

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage/storagetest"
)

// a day of a steady load, with lifetimes so short that all that expires does so over and
// over. Nothing grows but what is kept by rule, and nothing fails. AUTHY_FAULTS_SOAK is how long
// ("10m"), AUTHY_FAULTS_ENGINE one of the databases, AUTHY_FAULTS_RATE the requests a second.
func TestR26NothingGrowsInADay(t *testing.T) {
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			if only := os.Getenv("AUTHY_FAULTS_ENGINE"); only != "" && only != engine {
				t.Skipf("AUTHY_FAULTS_ENGINE is %s", only)
			}
			t.Parallel()
			s := &soak{lasts: 24 * time.Hour, tick: time.Second / time.Duration(amount(t, "AUTHY_FAULTS_RATE", 20))}
			if text := os.Getenv("AUTHY_FAULTS_SOAK"); text != "" {
				var err error
				if s.lasts, err = time.ParseDuration(text); err != nil {
					t.Fatalf("AUTHY_FAULTS_SOAK: %v", err)
				}
			}
			s.bench = newBench(t, start(t, setup{engine: engine, set: map[string]string{
				"openid.code_lifetime": "10s", "openid.max_grant_lifetime": grantLife.String(), "session.idle": "5m",
			}}))
			s.run()
			s.judge(engine)
		})
	}
}

// soak is a server under a steady load, and what was seen of it.
type soak struct {
	*bench
	lasts, tick time.Duration

	done, failed atomic.Int64
	mu           sync.Mutex
	problems     []string
	samples      []sample
}

// grantLife is how long what an application gets lasts; it is let in anew before that.
const grantLife = time.Minute

// sample is what there was at a moment.
type sample struct {
	at      time.Time
	amounts map[string]float64
	overdue map[string]int // rows that ought to be gone
}

// run has four people at work, and looks every few seconds.
func (s *soak) run() {
	ctx, cancel := context.WithTimeout(s.t.Context(), s.lasts)
	defer cancel()
	var all sync.WaitGroup
	for i := range 4 {
		w := s.worker(i)
		all.Go(func() { s.live(ctx, w, 4*s.tick) })
	}
	look := time.NewTicker(max(5*time.Second, s.lasts/2000))
	defer look.Stop()
	for ctx.Err() == nil {
		select {
		case <-look.C:
			s.samples = append(s.samples, s.sample())
		case <-ctx.Done():
		}
	}
	all.Wait()
}

// live is what one person does, one thing in each step of time.
func (s *soak) live(ctx context.Context, w *worker, step time.Duration) {
	tick := time.NewTicker(step)
	defer tick.Stop()
	let := time.Time{} // when the application was let in
	for {
		var err error
		switch {
		case w.me == nil:
			let, err = time.Time{}, w.furnish(ctx)
		case time.Since(let) > grantLife/2:
			w.me.refresh = nil
			if err = w.authorize(ctx); err == nil {
				let = time.Now()
			}
		default:
			err = w.steady(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		s.done.Add(1)
		if err != nil {
			s.failed.Add(1)
			s.mu.Lock()
			s.problems = append(s.problems, err.Error())
			s.mu.Unlock()
		}
		<-tick.C
	}
}

// steady does one thing of the steady mix.
func (w *worker) steady(ctx context.Context) (err error) {
	client := w.me.client
	switch n := w.rnd.IntN(100); {
	case n < 40:
		_, err = w.do(ctx, call{kind: "me", method: "GET", path: api + "/auth/me", token: w.me.token()})
	case n < 60:
		err = w.useRefresh(ctx)
	case n < 75:
		_, err = w.do(ctx, call{
			kind: "introspect", method: "POST", path: "/oidc/introspect", id: client.id, secret: client.secret,
			body: url.Values{"token": {w.me.refresh[0]}},
		})
	case n < 85:
		if err = w.again(ctx); err == nil {
			err = w.logout(ctx)
		}
	case n < 90:
		_, err = w.do(ctx, call{
			kind: "push", method: "POST", path: "/oidc/par", id: client.id, secret: client.secret,
			body: w.node.authorizeQuery(client.id),
		})
	case n < 95:
		_, err = w.do(ctx, call{kind: "keys", method: "GET", path: "/oidc/jwks"})
	default:
		err = w.rotate(ctx)
	}
	return err
}

// mortal are the tables whose rows are gone soon after they have expired.
var mortal = []string{
	"pushed_requests", "ceremonies", "first_factors", "departures", "flows", "links", "access_tokens", "revoked_tokens",
	"refresh_tokens", "grants",
}

// overdueAfter is how long what has expired may stay: it is swept once a minute.
const overdueAfter = 2 * time.Minute

func (s *soak) sample() sample {
	s.t.Helper()
	out := sample{time.Now(), map[string]float64{}, map[string]int{}}
	proc := fmt.Sprintf("/proc/%d/", s.node.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		var n float64
		name, value, _ := strings.Cut(line, ":")
		if name == "VmRSS" || name == "Threads" {
			if _, err := fmt.Sscan(value, &n); err != nil {
				s.t.Fatal(err)
			}
			out.amounts[name] = n
		}
	}
	open, err := os.ReadDir(proc + "fd")
	if err != nil {
		s.t.Fatal(err)
	}
	out.amounts["fds"] = float64(len(open))
	if s.node.engine == "sqlite" {
		for name, suffix := range map[string]string{"file bytes": "", "WAL bytes": "-wal"} {
			if info, err := os.Stat(filepath.Clean(s.node.file() + suffix)); err == nil {
				out.amounts[name] = float64(info.Size())
			}
		}
	}
	db := s.node.look()
	defer db.Close() //nolint:errcheck // only read from
	late := time.Now().Add(-overdueAfter).UnixMilli()
	for _, table := range mortal {
		counts := fmt.Sprintf("SELECT COUNT(*), COALESCE(SUM(CASE WHEN expires_at < %d THEN 1 ELSE 0 END), 0) FROM %s", late, table)
		each(s.t, db, counts, func(rows *sql.Rows) error {
			var n, overdue int
			err := rows.Scan(&n, &overdue)
			out.amounts["rows of "+table], out.overdue[table] = float64(n), overdue
			return err
		})
	}
	return out
}

// judge says what grew. Who is measured for hours is held to one percent an hour, after the first
// two of them; in less time a slope is told, and is no reason to fail.
func (s *soak) judge(engine string) {
	s.t.Helper()
	settled := min(2*time.Hour, s.lasts/3)
	from := slices.IndexFunc(s.samples, func(one sample) bool { return one.at.Sub(s.samples[0].at) > settled })
	if from < 0 || len(s.samples)-from < 10 {
		s.t.Fatalf("%d looks are too few to judge by", len(s.samples))
	}
	rest := s.samples[from:]
	var told []string
	for name := range rest[0].amounts {
		first, last, perHour := rest[0].amounts[name], rest[len(rest)-1].amounts[name], slope(rest, name)
		told = append(told, fmt.Sprintf("%s %.0f to %.0f (%+.1f %%/h)", name, first, last, 100*perHour))
		if s.lasts >= 6*time.Hour && name != "file bytes" && perHour > 0.01 { // the audit log is kept
			s.t.Errorf("%s grew by %.2f %% an hour, from %.0f to %.0f", name, 100*perHour, first, last)
		}
	}
	for _, one := range s.samples {
		for table, n := range one.overdue {
			if n > 0 {
				s.t.Errorf("%d rows of %s are there %s after they expired", n, table, overdueAfter)
			}
		}
	}
	slices.Sort(told)
	done, failed := s.done.Load(), s.failed.Load()
	if failed*10_000 > done {
		s.t.Errorf("of %d things %d failed, among them: %s", done, failed, strings.Join(s.problems[:min(5, len(s.problems))], "; "))
	}
	s.t.Logf("R-26: commit %s, %s, %s, %d things done, %d failed; from %s on: %s", commit(), engine, s.lasts, done, failed,
		settled.Round(time.Second), strings.Join(told, ", "))
}

// slope is how an amount changes in an hour, as a part of what it is on average, by least squares.
func slope(samples []sample, name string) float64 {
	var n, x, y, xx, xy float64
	for _, one := range samples {
		at, amount := one.at.Sub(samples[0].at).Hours(), one.amounts[name]
		n, x, y, xx, xy = n+1, x+at, y+amount, xx+at*at, xy+at*amount
	}
	if y == 0 {
		return 0
	}
	per := (n*xy - x*y) / (n*xx - x*x) / (y / n)
	if math.IsNaN(per) {
		return 0
	}
	return per
}
