package faultbench

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"authy/storage/storagetest"
)

// amount is a number that the environment sets.
func amount(b testing.TB, name string, usual int) int {
	b.Helper()
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		b.Fatalf("%s is %q; give a number", name, text)
	}
	return n
}

// benchEngine is the database that AUTHY_BENCH_ENGINE names.
func benchEngine() string { return cmp.Or(os.Getenv("AUTHY_BENCH_ENGINE"), "sqlite") }

// BenchmarkStart is how long the program takes from its start until it is ready, on a small
// database and on one of AUTHY_BENCH_USERS users.
func BenchmarkStart(b *testing.B) {
	for _, users := range []int{10_000, amount(b, "AUTHY_BENCH_USERS", 20_000)} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			url := storagetest.URL(b, benchEngine())
			storagetest.Fill(b, url, storagetest.Size{Users: users, Sessions: users, Events: users})
			p := start(b, setup{engine: benchEngine(), database: url}) // which makes its keys
			p.terminate(time.Minute)
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				p.launch()
				p.ready(readyLimit)
				took = append(took, time.Since(began))
				b.StopTimer()
				p.terminate(time.Minute)
				b.StartTimer()
			}
			b.ReportMetric(float64(quantile(took, 50).Milliseconds()), "ms/start")
		})
	}
}

// BenchmarkSweep is how long a session check takes, half of them and 99 of a hundred, while
// AUTHY_BENCH_EXPIRED sessions that have expired are swept away, against before.
func BenchmarkSweep(b *testing.B) {
	n := amount(b, "AUTHY_BENCH_EXPIRED", 40_000)
	w := newBench(b, start(b, setup{engine: benchEngine()})).worker(0)
	if err := w.register(b.Context()); err != nil {
		b.Fatal(err)
	}
	for range 200 {
		if err := w.again(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	w.node.terminate(time.Minute)
	expire(b, w.node, n)
	w.node.launch()
	w.node.ready(readyLimit)
	db := w.node.look()
	defer db.Close() //nolint:errcheck // only read from
	first := oldest(b, db)
	if first == "" {
		b.Fatal("there is nothing to sweep")
	}
	quiet := w.readUntil(b, func(since time.Duration) bool { return since > 20*time.Second })
	if oldest(b, db) != first {
		b.Fatal("the sweep has begun too early")
	}
	for oldest(b, db) == first {
		<-time.After(100 * time.Millisecond)
	}
	began := time.Now()
	swept := w.readUntil(b, func(time.Duration) bool { return oldest(b, db) == "" })
	b.ReportMetric(time.Since(began).Seconds(), "s/sweep")
	b.ReportMetric(float64(quantile(quiet, 50).Microseconds()), "µs-p50-quiet")
	b.ReportMetric(float64(quantile(swept, 50).Microseconds()), "µs-p50-sweep")
	b.ReportMetric(float64(quantile(quiet, 99).Microseconds()), "µs-p99-quiet")
	b.ReportMetric(float64(quantile(swept, 99).Microseconds()), "µs-p99-sweep")
	b.ReportMetric(float64(quantile(swept, 99))/float64(quantile(quiet, 99)), "p99-ratio")
}

// longAgo is when the sessions to be swept expired: what has ended is kept for a month.
const longAgo = 1_600_000_000_000

// expire adds sessions that expired long ago to a database that no server uses.
func expire(b *testing.B, p *process, n int) {
	b.Helper()
	db := p.meddle()
	defer db.Close() //nolint:errcheck // what was written is seen
	const slice = 100_000
	for from := 0; from < n; from += slice {
		numbers := fmt.Sprintf("generate_series(%d, %d) AS n(i)", from, min(from+slice, n)-1)
		with := ""
		if p.engine == "sqlite" {
			with = fmt.Sprintf("WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d)",
				from, min(from+slice, n)-1)
			numbers = "n"
		}
		_, err := db.ExecContext(b.Context(), fmt.Sprintf(`INSERT INTO sessions (id, user_id, kind, token_hash, methods,
			ip_address, user_agent, authenticated_at, created_at, updated_at, last_activity_at, expires_at, revoked_reason)
			%s SELECT 'expired-' || i, (SELECT MIN(id) FROM users), 'api', 'expired-' || i, 'pwd', '192.0.2.1', 'bench',
			0, 0, 0, 0, %d + i, '' FROM %s`, with, longAgo, numbers))
		if err != nil {
			b.Fatal(err)
		}
	}
}

// oldest is the id of the session that expired first of those to be swept, "" for none.
func oldest(b *testing.B, db *sql.DB) (id string) {
	b.Helper()
	each(b, db, fmt.Sprintf(`SELECT id FROM sessions WHERE expires_at < %d ORDER BY expires_at, id LIMIT 1`, longAgo+10_000_000),
		func(rows *sql.Rows) error { return rows.Scan(&id) })
	return id
}

// readUntil has four clients check sessions until it is over, and returns how long each took.
func (w *worker) readUntil(b *testing.B, over func(since time.Duration) bool) (took []time.Duration) {
	b.Helper()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	began := time.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := i; ctx.Err() == nil; n += 4 {
				sent := time.Now()
				a, err := w.send(ctx, "", call{
					method: http.MethodGet, path: api + "/auth/me", token: w.me.sessions[n%len(w.me.sessions)],
				})
				if ctx.Err() != nil {
					return
				}
				if err != nil || a.status != http.StatusOK {
					b.Errorf("auth/me: %d, %v", a.status, err)
					return
				}
				mu.Lock()
				took = append(took, time.Since(sent))
				mu.Unlock()
				<-time.After(time.Millisecond) // a steady load, not the most there can be
			}
		})
	}
	for !over(time.Since(began)) {
		<-time.After(100 * time.Millisecond)
	}
	cancel()
	all.Wait()
	return took
}

// quantile is what so many of a hundred are below.
func quantile(all []time.Duration, percent int) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)*percent/100, len(all)-1)]
}
