package delivery_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"authy/server/delivery"
)

// piece is something that a receiver is to be told.
type piece struct{ id, receiver string }

// queue keeps pieces until they are taken.
type queue struct {
	mu      sync.Mutex
	pieces  []piece
	broken  bool
	tried   []string
	now     map[string]int // attempts under way, by receiver
	most    map[string]int
	hanging chan struct{} // attempts at "hangs" wait for it
}

func newQueue(pieces ...piece) *queue {
	return &queue{pieces: pieces, now: map[string]int{}, most: map[string]int{}, hanging: make(chan struct{})}
}

func (q *queue) lane(slots, share int) *delivery.Lane[piece] {
	return delivery.NewLane(delivery.Queue[piece]{
		Name: "piece", Slots: slots, Share: share,
		Due: func(_ context.Context, full []string, limit int) (due []piece, err error) {
			q.mu.Lock()
			defer q.mu.Unlock()
			if q.broken {
				return nil, errors.New("broken")
			}
			for _, p := range q.pieces {
				if len(due) < limit && !slices.Contains(full, p.receiver) {
					due = append(due, p)
				}
			}
			return due, nil
		},
		Names: func(p *piece) (id, receiver string) { return p.id, p.receiver },
		Take:  q.take, Try: q.try,
	})
}

func (q *queue) take(_ context.Context, due piece) (*piece, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	at := slices.Index(q.pieces, due)
	if at < 0 || due.id == "theirs" {
		return nil, nil //nolint:nilnil // it is somebody else's
	}
	q.pieces = slices.Delete(q.pieces, at, at+1)
	q.now[due.receiver]++
	q.most[due.receiver] = max(q.most[due.receiver], q.now[due.receiver])
	return &due, nil
}

func (q *queue) try(_ context.Context, p *piece) {
	if p.receiver == "hangs" {
		<-q.hanging
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.now[p.receiver]--
	q.tried = append(q.tried, p.id)
}

func (q *queue) has() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.tried)
}

func TestOneThatHangsHasItsShareAndHoldsNoOtherUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(piece{"theirs", "good"})
		for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
			q.pieces = append(q.pieces, piece{id + "1", "hangs"}, piece{id + "2", "good"})
		}
		l := q.lane(4, 2)
		ctx, cancel := context.WithCancel(t.Context())
		var done atomic.Bool
		go func() { l.Run(ctx); done.Store(true) }()
		time.Sleep(3 * time.Second)
		if got := q.has(); len(got) != 6 || slices.ContainsFunc(got, func(id string) bool { return id[1] != '2' }) {
			t.Errorf("told %v, want all of the good one", got)
		}
		if q.most["hangs"] != 2 || q.most["good"] > 2 {
			t.Errorf("at once %v, want a share of two", q.most)
		}
		cancel()
		synctest.Wait()
		if done.Load() {
			t.Error("it ends while attempts are under way")
		}
		close(q.hanging)
		synctest.Wait()
		if !done.Load() || len(q.has()) != 8 {
			t.Errorf("it has ended: %v, with %v told", done.Load(), q.has())
		}
	})
}

func TestAQueueThatCannotBeReadIsReadLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue(piece{"a1", "good"})
		q.broken = true
		l := q.lane(1, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go l.Run(ctx)
		time.Sleep(1500 * time.Millisecond)
		q.mu.Lock()
		q.broken = false
		q.mu.Unlock()
		l.Nudge() // and it need not wait
		synctest.Wait()
		if got := q.has(); !slices.Equal(got, []string{"a1"}) {
			t.Errorf("told %v", got)
		}
		cancel()
		synctest.Wait()
	})
}

func TestAnAttemptMayEndALittleAfterTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		longer, release := delivery.Linger(ctx)
		defer release()
		cancel()
		synctest.Wait()
		if longer.Err() != nil {
			t.Error("it ends with the server")
		}
		time.Sleep(6 * time.Second)
		if longer.Err() == nil {
			t.Error("it goes on without end")
		}
	})
}

func TestTheLastWaitIsRepeatedAndSpread(t *testing.T) {
	t.Parallel()
	w := delivery.Waits{time.Second, time.Minute}
	for attempts, want := range map[int64]time.Duration{-1: time.Second, 0: time.Second, 1: time.Second, 2: time.Minute, 9: time.Minute} {
		if got := w.After(attempts); got != want {
			t.Errorf("After(%d) = %v, want %v", attempts, got, want)
		}
	}
	for range 100 {
		if got := delivery.Spread(time.Hour); got < time.Hour || got >= time.Hour+6*time.Minute {
			t.Errorf("Spread(1h) = %v", got)
		}
	}
	if got := delivery.Spread(3); got != 3 {
		t.Errorf("Spread(3ns) = %v", got)
	}
}
