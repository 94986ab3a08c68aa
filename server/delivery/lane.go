package delivery

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// look is how often a queue is looked at, for what other nodes and commands have put
	// there and for what was to be tried again.
	look = time.Second
	// batch is how many pieces are looked up at once.
	batch = 50
)

// Queue is what a lane works on: pieces of a kind.
type Queue[T any] struct {
	// Name is what a piece is called in the log.
	Name string
	// Slots are how many attempts are made at once, Share how many of them at one receiver.
	Slots, Share int
	// Due returns at most limit pieces that are to be tried now, but those for the full
	// receivers.
	Due func(ctx context.Context, full []string, limit int) ([]T, error)
	// Names returns the id of a piece, and that of its receiver.
	Names func(piece *T) (id, receiver string)
	// Take makes a piece the caller's for as long as an attempt may take; nil if it is
	// somebody else's.
	Take func(ctx context.Context, due T) (*T, error)
	// Try makes an attempt, and notes what became of it.
	Try func(ctx context.Context, taken *T)
}

// Lane is where attempts are made.
type Lane[T any] struct {
	queue  Queue[T]
	slots  chan struct{}
	wake   chan struct{}
	trying sync.WaitGroup
	mu     sync.Mutex
	busy   map[string]int // attempts under way, by receiver
}

// NewLane returns a lane that works on a queue once it runs.
func NewLane[T any](q Queue[T]) *Lane[T] {
	return &Lane[T]{queue: q, slots: make(chan struct{}, q.Slots), wake: make(chan struct{}, 1), busy: map[string]int{}}
}

// Nudge has the queue looked at now.
func (l *Lane[T]) Nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it will be, anyway
	}
}

// Run works on the queue until ctx ends, and waits for the attempts that are under way.
func (l *Lane[T]) Run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	defer l.trying.Wait()
	for {
		l.round(ctx)
		select {
		case <-tick.C:
		case <-l.wake:
		case <-ctx.Done():
			return
		}
	}
}

// round begins an attempt for whatever is due and finds a place.
func (l *Lane[T]) round(ctx context.Context) {
	due, err := l.queue.Due(ctx, l.full(), batch)
	if err != nil {
		if ctx.Err() == nil {
			slog.WarnContext(ctx, "queue not read, trying again", "of", l.queue.Name, "err", err)
		}
		return
	}
	for i := range due {
		id, receiver := l.queue.Names(&due[i])
		if !l.enter(ctx, receiver) {
			continue // ctx has ended, or the receiver has enough to do
		}
		taken, err := l.queue.Take(ctx, due[i])
		if taken == nil {
			l.leave(receiver)
			if err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "piece of a queue not seen to, trying again", l.queue.Name, id, "err", err)
			}
			continue
		}
		l.trying.Go(func() {
			defer l.Nudge() // what found no place
			defer l.leave(receiver)
			l.queue.Try(ctx, taken)
		})
	}
}

// enter takes a place for an attempt at a receiver, which [Lane.leave] gives back. It is
// false if the receiver has its share, or ctx ends.
func (l *Lane[T]) enter(ctx context.Context, receiver string) bool {
	l.mu.Lock()
	has := l.busy[receiver] < l.queue.Share
	if has {
		l.busy[receiver]++
	}
	l.mu.Unlock()
	if !has {
		return false
	}
	select {
	case l.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		l.done(receiver)
		return false
	}
}

func (l *Lane[T]) leave(receiver string) {
	<-l.slots
	l.done(receiver)
}

func (l *Lane[T]) done(receiver string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[receiver]--; l.busy[receiver] == 0 {
		delete(l.busy, receiver)
	}
}

// full returns the receivers that have their share.
func (l *Lane[T]) full() (receivers []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for receiver, n := range l.busy {
		if n >= l.queue.Share {
			receivers = append(receivers, receiver)
		}
	}
	return receivers
}
