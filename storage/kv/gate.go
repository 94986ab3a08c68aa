package kv

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// tryAgain is how often a store that could not be used is tried.
const tryAgain = 250 * time.Millisecond

// gate is shut while a store cannot be used, so that nobody waits to find that out but the first.
type gate struct {
	name  string                          // of the store
	again func(ctx context.Context) error // is nil when it can be used again
	stop  chan struct{}

	mu      sync.Mutex
	cause   error // why it is shut, nil while it is open
	closed  bool
	waiting sync.WaitGroup
}

// shut says why the store is not to be asked, nil if it is.
func (g *gate) shut() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return errClosed
	case g.cause != nil:
		return fmt.Errorf("not asked, for it could not be used a moment ago: %w", g.cause)
	}
	return nil
}

// trip shuts the gate until the store can be used again.
func (g *gate) trip(ctx context.Context, cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause != nil || g.closed {
		return
	}
	g.cause = cause
	slog.WarnContext(ctx, "key-value store cannot be used, going on without it until it can", "store", g.name, "err", cause)
	ctx = context.WithoutCancel(ctx)
	g.waiting.Go(func() { g.wait(ctx) })
}

// wait opens the gate when the store can be used.
func (g *gate) wait(ctx context.Context) {
	tick := time.NewTicker(tryAgain)
	defer tick.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-tick.C:
		}
		if g.again(ctx) == nil {
			break
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.cause = nil
	slog.InfoContext(ctx, "key-value store can be used again", "store", g.name)
}

// close shuts the gate for good.
func (g *gate) close() {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.stop)
	}
	g.mu.Unlock()
	g.waiting.Wait()
}
