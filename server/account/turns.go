package account

import (
	"context"
	"slices"
	"sync"
	"time"

	"authy/server/steady"
)

// turns shares a number of slots among those who wait for one, in two lanes: who
// is known goes before who is not, and has some slots more, so as not to wait for
// strangers even until one of them is done. In a lane the networks that they come from
// have their turns one after the other, and none may fill it: whoever sends very much
// waits behind themselves.
type turns struct {
	slots int // for all
	spare int // and for who is known
	most  int // that wait in a lane; half as many of one network

	mu    sync.Mutex
	load  Load
	busy  int
	known lane
	other lane
}

// lane is those who wait, by their networks.
type lane struct {
	waiting int
	lines   map[string][]chan struct{} // none of them empty
	order   []string                   // the networks of lines, the next one first
}

func newTurns(slots, spare, most int) *turns {
	return &turns{
		slots: slots, spare: spare, most: most,
		known: lane{lines: map[string][]chan struct{}{}}, other: lane{lines: map[string][]chan struct{}{}},
	}
}

// take waits for a slot, which the caller gives back by leave. [ErrBusy] if too
// many wait.
func (t *turns) take(ctx context.Context, network string, known bool) error {
	l, slots := &t.other, t.slots
	if known {
		l, slots = &t.known, t.slots+t.spare
	}
	turn, err := t.line(l, slots, network)
	if turn == nil || err != nil {
		return err
	}
	began := steady.Now()
	defer func() { t.waited(steady.Since(began)) }()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	waited := l.quit(network, turn)
	t.mu.Unlock()
	if !waited {
		t.leave() // the turn has come all the same
	}
	return ctx.Err()
}

// line lines up; it returns nil if there is one of the slots at once.
func (t *turns) line(l *lane, slots int, network string) (chan struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.busy < slots:
		t.load.Turns++
		t.busy++
		return nil, nil
	case l.waiting >= t.most, len(l.lines[network]) >= max(1, t.most/2):
		t.load.Refused++
		return nil, ErrBusy
	}
	t.load.Turns++
	t.load.Waits++
	return l.add(network), nil
}

// leave gives a slot to who is next.
func (t *turns) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.known.waiting > 0:
		t.known.call()
	case t.other.waiting > 0 && t.busy <= t.slots:
		t.other.call()
	default:
		t.busy--
	}
}

func (l *lane) add(network string) chan struct{} {
	if len(l.lines[network]) == 0 {
		l.order = append(l.order, network)
	}
	turn := make(chan struct{})
	l.lines[network] = append(l.lines[network], turn)
	l.waiting++
	return turn
}

// call ends the wait of who is next; their network is the last one then.
func (l *lane) call() {
	network := l.order[0]
	l.order = l.order[1:]
	line := l.lines[network]
	close(line[0])
	l.waiting--
	if len(line) == 1 {
		delete(l.lines, network)
		return
	}
	l.lines[network] = line[1:]
	l.order = append(l.order, network)
}

// quit says whether turn was still waiting, and waits no longer.
func (l *lane) quit(network string, turn chan struct{}) bool {
	at := slices.Index(l.lines[network], turn)
	if at < 0 {
		return false
	}
	l.waiting--
	l.lines[network] = slices.Delete(l.lines[network], at, at+1)
	if len(l.lines[network]) == 0 {
		delete(l.lines, network)
		l.order = slices.DeleteFunc(l.order, func(other string) bool { return other == network })
	}
	return true
}

// Load is how much the hashing of passwords has to do.
type Load struct {
	Slots, Busy, Waiting  int
	Turns, Waits, Refused int64         // in all: asked for, not had at once, not had at all
	Waited                time.Duration // in all
}

// now returns the load of t.
func (t *turns) now() Load {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.load
	l.Slots, l.Busy, l.Waiting = t.slots+t.spare, t.busy, t.known.waiting+t.other.waiting
	return l
}

// waited notes how long somebody has waited for their turn.
func (t *turns) waited(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.load.Waited += d
}
