package faultbench

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkNodes is how many session checks and sign-ins one node and two on one PostgreSQL answer
// a second. Each node is held to AUTHY_BENCH_PERCENT of a processor by a control group of its own,
// which root alone may make, so that the database and the clients have what they need beside it.
func BenchmarkNodes(b *testing.B) {
	percent := amount(b, "AUTHY_BENCH_PERCENT", 20)
	one := start(b, setup{engine: "postgres", wrap: held(b, "one", percent)})
	two := start(b, setup{
		engine: "postgres", database: one.database, publicURL: one.url, wrap: held(b, "two", percent),
	})
	clients := newBench(b, one).workers(16)
	for _, w := range clients {
		if err := w.register(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	calls := map[string]func(w *worker) call{
		"check": func(w *worker) call {
			return call{method: http.MethodGet, path: api + "/auth/me", token: w.me.sessions[0]}
		},
		"sign-in": func(w *worker) call { return w.login(w.me.email, w.me.password) },
	}
	for name, c := range calls {
		b.Run(name, func(b *testing.B) {
			alone, both := 0.0, 0.0
			for b.Loop() {
				alone += perSecond(b, clients, c, one)
				both += perSecond(b, clients, c, one, two)
			}
			b.ReportMetric(alone/float64(b.N), "one/s")
			b.ReportMetric(both/float64(b.N), "two/s")
			b.ReportMetric(both/alone, "two-of-one")
		})
	}
}

// held is what runs a program with so much of a processor, in hundredths.
func held(b *testing.B, name string, percent int) []string {
	b.Helper()
	const period = 10_000 // µs
	dir, setting, value := "/sys/fs/cgroup/cpu", "cpu.cfs_quota_us", strconv.Itoa(percent*period/100)
	if _, err := os.Stat(dir); err != nil { // control groups of the second version
		dir, setting, value = "/sys/fs/cgroup", "cpu.max", fmt.Sprint(percent*period/100, " ", period)
	}
	group := filepath.Join(dir, fmt.Sprint("authy-bench-", name, "-", os.Getpid()))
	if err := os.Mkdir(group, 0o700); err != nil {
		b.Skipf("no control group can be made: %v", err)
	}
	b.Cleanup(func() {
		if err := os.Remove(group); err != nil {
			b.Log(err)
		}
	})
	settings := map[string]string{setting: value}
	if setting == "cpu.cfs_quota_us" {
		settings["cpu.cfs_period_us"] = strconv.Itoa(period)
	}
	for name, value := range settings {
		if err := os.WriteFile(filepath.Join(group, name), []byte(value), 0o600); err != nil {
			b.Skipf("no control group can be set: %v", err)
		}
	}
	return []string{"sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, group}
}

// perSecond has clients ask nodes, each always the same one, for a while, and returns how many were
// answered a second.
func perSecond(b *testing.B, clients []*worker, ask func(w *worker) call, nodes ...*process) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Second)
	defer cancel()
	var asking sync.WaitGroup
	var answered atomic.Int64
	began := time.Now()
	for i, w := range clients {
		bench, c := *w.bench, ask(w)
		bench.node = nodes[i%len(nodes)]
		client := &worker{bench: &bench, client: bench.node.client}
		asking.Go(func() {
			for ctx.Err() == nil {
				a, err := client.send(ctx, "", c)
				switch {
				case ctx.Err() != nil:
				case err != nil || a.status != http.StatusOK:
					b.Errorf("%s: %d, %v", c.path, a.status, err)
					return
				default:
					answered.Add(1)
				}
			}
		})
	}
	asking.Wait()
	return float64(answered.Load()) / time.Since(began).Seconds()
}
