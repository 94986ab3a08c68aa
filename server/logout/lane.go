package logout

import (
	"context"
	"sync"
)

// lane is where attempts of a kind are made, so many at once.
type lane struct {
	state   string // of the logouts that it takes
	slots   chan struct{}
	wake    chan struct{}
	sending sync.WaitGroup
	mu      sync.Mutex
	busy    map[string]int // attempts under way, by client
}

func newLane(state string, slots int) *lane {
	return &lane{
		state: state, slots: make(chan struct{}, slots), wake: make(chan struct{}, 1), busy: map[string]int{},
	}
}

// nudge has the lane looked at now.
func (l *lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default: // it will be, anyway
	}
}

// enter takes a place for an attempt at a client, which [lane.leave] gives
// back. It is false if the client has its share, or ctx ends.
func (l *lane) enter(ctx context.Context, clientID string) bool {
	l.mu.Lock()
	has := l.busy[clientID] < perClient
	if has {
		l.busy[clientID]++
	}
	l.mu.Unlock()
	if !has {
		return false
	}
	select {
	case l.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		l.done(clientID)
		return false
	}
}

func (l *lane) leave(clientID string) {
	<-l.slots
	l.done(clientID)
}

func (l *lane) done(clientID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[clientID]--; l.busy[clientID] == 0 {
		delete(l.busy, clientID)
	}
}

// full returns the clients that have their share.
func (l *lane) full() (clients []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for client, n := range l.busy {
		if n >= perClient {
			clients = append(clients, client)
		}
	}
	return clients
}
