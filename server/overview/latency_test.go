package overview_test

import (
	"sync"
	"testing"
	"time"

	"authy/server/overview"
)

func TestSpeedsAreRightWithinAQuarter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 12, 5, 0, 0, time.UTC)
	for _, unit := range []time.Duration{time.Microsecond, 10 * time.Microsecond, time.Millisecond, 100 * time.Millisecond} {
		var l overview.Latency
		for i := range 100 {
			l.Observe(overview.API, time.Duration(i+1)*unit, now)
		}
		speeds := l.Speeds(now)
		if len(speeds) != 1 || speeds[0].Class != overview.API || speeds[0].Count != 100 {
			t.Fatalf("of units of %s: %+v", unit, speeds)
		}
		s := speeds[0]
		for name, c := range map[string]struct{ got, want time.Duration }{
			"p50": {s.P50, 50 * unit}, "p95": {s.P95, 95 * unit}, "p99": {s.P99, 99 * unit},
		} {
			if c.got < c.want*3/4 || c.got > c.want*5/4 {
				t.Errorf("%s is %s, want about %s", name, c.got, c.want)
			}
		}
	}
}

func TestSpeedsAreOfTheLastHour(t *testing.T) {
	t.Parallel()
	var l overview.Latency
	now := time.Date(2026, 11, 20, 12, 5, 0, 0, time.UTC)
	l.Observe(overview.Pages, time.Millisecond, now)
	for minutes, want := range map[int]int{0: 1, 10: 1, 50: 1, 60: 0, 600: 0} {
		if got := l.Speeds(now.Add(time.Duration(minutes) * time.Minute)); len(got) != want {
			t.Errorf("%d minutes later: %+v", minutes, got)
		}
	}
	l.Observe(overview.Pages, time.Millisecond, now.Add(time.Hour)) // in the same place
	if got := l.Speeds(now.Add(time.Hour)); len(got) != 1 || got[0].Count != 1 {
		t.Errorf("an hour later one has come: %+v", got)
	}
}

func TestStrangeDurationsHaveABucket(t *testing.T) {
	t.Parallel()
	var l overview.Latency
	now := time.Now()
	for _, d := range []time.Duration{-time.Hour, 0, 1, time.Hour, 1<<63 - 1} {
		l.Observe(overview.Tokens, d, now)
	}
	if got := l.Speeds(now); got[0].Count != 5 || got[0].P50 != 0 || got[0].P99 < time.Minute {
		t.Errorf("Speeds() = %+v", got)
	}
}

func TestManyObserveAtOnce(t *testing.T) {
	t.Parallel()
	var l overview.Latency
	var all sync.WaitGroup
	now := time.Now()
	l.Observe(overview.Authorize, time.Millisecond, now) // at the turn of a window some may be lost
	for range 8 {
		all.Go(func() {
			for range 1000 {
				l.Observe(overview.Authorize, time.Millisecond, now)
			}
		})
	}
	all.Wait()
	if got := l.Speeds(now); got[0].Count != 8001 {
		t.Errorf("%d are counted of 8001", got[0].Count)
	}
}

func BenchmarkObserve(b *testing.B) {
	var l overview.Latency
	now := time.Now()
	for b.Loop() {
		l.Observe(overview.API, time.Millisecond, now)
	}
}
