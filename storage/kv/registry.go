package kv

import (
	"context"
	"sync"
)

// registry knows the running subscriptions of a store, so that Close can end them and wait.
// The zero value is ready.
type registry struct {
	mu      sync.Mutex
	closed  bool
	last    int
	ends    map[int]context.CancelFunc
	running sync.WaitGroup
}

// start runs run on its own goroutine until the returned function or close ends its context.
// The end of ctx does not: it belongs to whoever subscribed.
func (g *registry) start(ctx context.Context, run func(context.Context)) (context.CancelFunc, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, errClosed
	}
	if g.ends == nil {
		g.ends = make(map[int]context.CancelFunc)
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	g.last++
	id := g.last
	g.ends[id] = end
	g.running.Go(func() {
		defer g.forget(id)
		run(life)
	})
	return end, nil
}

func (g *registry) forget(id int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ends[id]()
	delete(g.ends, id)
}

// close ends everything started and waits for it.
func (g *registry) close() {
	g.mu.Lock()
	g.closed = true
	for _, end := range g.ends {
		end()
	}
	g.mu.Unlock()
	g.running.Wait()
}
