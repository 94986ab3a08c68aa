package server

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"authy/server/metric"
	"authy/storage/storagetest"
)

// Three nodes take turns; when the one that works stops, another goes on.
func TestAJobIsDoneByOneNodeAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := storagetest.Memory(t)
		var did [3]atomic.Int32
		var stop [3]context.CancelFunc
		var working atomic.Int32
		for n := range stop {
			var ctx context.Context
			ctx, stop[n] = context.WithCancel(t.Context())
			defer stop[n]()
			s := &Services{kept: store}
			go s.inTurn("sweep", time.Minute, func(ctx context.Context) {
				if working.Add(1) > 1 {
					t.Error("two nodes do it at once")
				}
				defer working.Add(-1)
				did[n].Add(1)
				select {
				case <-ctx.Done():
				case <-time.After(150 * time.Second): // longer than a step
				}
			})(ctx)
			time.Sleep(time.Second)
		}
		all := func() int32 { return did[0].Load() + did[1].Load() + did[2].Load() }
		time.Sleep(30 * time.Minute)
		if n := all(); n < 7 || n > 13 {
			t.Errorf("in half an hour it was done %d times, want about 10", n)
		}
		for n := range 2 {
			stop[n]()
		}
		time.Sleep(5 * time.Minute)
		before := all()
		time.Sleep(30 * time.Minute)
		if n := all() - before; n < 7 {
			t.Errorf("with one node left it was done %d times in half an hour, want about 10", n)
		}
	})
}

func TestWhatJobsComplainOfIsCounted(t *testing.T) {
	t.Parallel()
	var l jobLog
	broken := l.noted("broken", func(ctx context.Context) { NoteTrouble(ctx); NoteTrouble(ctx) })
	broken(t.Context())
	broken(t.Context())
	l.noted("well", func(context.Context) {})(t.Context())
	l.noted("never", func(context.Context) {})
	l.left("never", nil)
	l.left("never", context.DeadlineExceeded)
	NoteTrouble(t.Context()) // of no job
	var out strings.Builder
	w := metric.NewWriter(&out)
	l.write(w)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`authy_job_failures_total{job="broken"} 2`, `authy_job_failures_total{job="well"} 0`,
		`authy_job_runs_total{job="broken"} 2`, `authy_job_runs_total{job="never"} 0`,
		`authy_job_elsewhere_total{job="never"} 1`, `authy_job_lease_failures_total{job="never"} 1`,
		`authy_job_last_end_timestamp_seconds{job="well"} `,
	} {
		if !strings.Contains(out.String(), "\n"+want) {
			t.Errorf("%s is missing in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), `last_end_timestamp_seconds{job="never"}`) {
		t.Error("what has never run has ended")
	}
}
