package overview

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Class is what sort of request one is.
type Class int

// The classes of requests.
const (
	Pages     Class = iota // what people see
	SignIns                // forms by which they sign in: a password takes a while by design
	Authorize              // an application sends its user
	Tokens                 // an application asks for tokens, or about them
	API                    // the JSON API
	Classes                // how many there are
)

// classNames are the classes for programs.
var classNames = [Classes]string{"pages", "sign_in", "authorize", "token", "api"}

// String returns the name of a class.
func (c Class) String() string { return classNames[c] }

const (
	// window is what a histogram is for, and windows how many there are: an hour.
	window  = 10 * time.Minute
	windows = 6
	// buckets are four for each power of two, of microseconds, up to two minutes.
	buckets = 104
)

// Latency is how long requests have taken within an hour: a histogram for each
// class and ten minutes, in this process alone. Its zero value is ready.
type Latency struct{ windows [windows]histogram }

// histogram counts requests by how long they took.
type histogram struct {
	epoch  atomic.Int64 // which ten minutes it is for
	counts [Classes][buckets]atomic.Uint32
}

// Observe notes that a request of a class ended at now and took so long. It waits
// for nobody; at the turn of a window some may be lost.
func (l *Latency) Observe(c Class, took time.Duration, now time.Time) {
	epoch := now.UnixNano() / int64(window)
	h := &l.windows[epoch%windows]
	if old := h.epoch.Load(); old != epoch && h.epoch.CompareAndSwap(old, epoch) {
		for c := range h.counts {
			for b := range h.counts[c] {
				h.counts[c][b].Store(0)
			}
		}
	}
	h.counts[c][bucketOf(took)].Add(1)
}

// bucketOf returns the bucket of a duration: what the two bits after the first one
// say, above those of all smaller powers of two.
func bucketOf(d time.Duration) int {
	v := uint64(max(d.Microseconds(), 0))
	if v < 4 {
		return int(v)
	}
	e := bits.Len64(v) - 1
	return min(4*(e-1)+int(v>>(e-2)&3), buckets-1)
}

// middleOf returns the duration in the middle of a bucket.
func middleOf(bucket int) time.Duration {
	if bucket < 4 {
		return time.Duration(bucket) * time.Microsecond
	}
	e := bucket/4 + 1
	step := time.Microsecond << (e - 2)
	return time.Duration(4+bucket%4)*step + step/2
}

// Speed is how long requests of a class have taken within an hour: so long or
// less took a half of them, nineteen of twenty, and 99 of a hundred.
type Speed struct {
	Class         Class
	Count         int64
	P50, P95, P99 time.Duration
}

// Speeds returns the speed of each class that there were requests of.
func (l *Latency) Speeds(now time.Time) (out []Speed) {
	epoch := now.UnixNano() / int64(window)
	for c := range Classes {
		var counts [buckets]int64
		var all int64
		for i := range l.windows {
			h := &l.windows[i]
			if h.epoch.Load() <= epoch-windows {
				continue
			}
			for b := range h.counts[c] {
				n := int64(h.counts[c][b].Load())
				counts[b] += n
				all += n
			}
		}
		if all == 0 {
			continue
		}
		out = append(out, Speed{
			Class: c, Count: all,
			P50: quantile(counts[:], all, 50), P95: quantile(counts[:], all, 95), P99: quantile(counts[:], all, 99),
		})
	}
	return out
}

// quantile returns what so many of a hundred took, or less.
func quantile(counts []int64, all, of int64) time.Duration {
	rank := (all*of + 99) / 100
	for b, n := range counts {
		if rank -= n; rank <= 0 {
			return middleOf(b)
		}
	}
	return middleOf(len(counts) - 1)
}
