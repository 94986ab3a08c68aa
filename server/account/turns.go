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
// strangers even until one of them is done. While those who are known come one after
// the other, strangers leave a slot to the next of them; and those who are known leave
// one to strangers, always. In a lane the networks that they come from have their turns
// one after the other, and none may fill it: whoever sends very much waits behind
// themselves.
type turns struct {
	slots int // for all
	spare int // and for who is known
	most  int // that wait in a lane; half as many of one network

	mu      sync.Mutex
	load    Load
	known   lane
	other   lane
	knownAt time.Time // when somebody who is known last asked
}

// keptFor is how long after one who is known strangers leave a slot to the next.
const keptFor = time.Second

// lane is those who have a slot and those who wait for one, by their networks.
type lane struct {
	busy    int
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
func (t *turns) take(ctx context.Context, network string, known bool) (leave func(), err error) {
	l := &t.other
	if known {
		l = &t.known
	}
	leave = func() { t.leave(l) }
	turn, err := t.line(l, network)
	if turn == nil || err != nil {
		return leave, err
	}
	began := steady.Now()
	defer func() { t.waited(steady.Since(began)) }()
	select {
	case <-turn:
		return leave, nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	waited := l.quit(network, turn)
	t.mu.Unlock()
	if !waited {
		leave() // the turn has come all the same
	}
	return nil, ctx.Err()
}

// line lines up; it returns nil if there is a slot at once.
func (t *turns) line(l *lane, network string) (chan struct{}, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l == &t.known {
		t.knownAt = steady.Now()
	}
	switch {
	case l.waiting == 0 && t.free(l):
		t.load.Turns++
		l.busy++
		return nil, nil
	case l.waiting >= t.most, len(l.lines[network]) >= max(1, t.most/2):
		t.load.Refused++
		return nil, ErrBusy
	}
	t.load.Turns++
	t.load.Waits++
	turn := l.add(network)
	t.share() // a slot may no longer be kept
	return turn, nil
}

// free says whether there is a slot for one of l.
func (t *turns) free(l *lane) bool {
	busy := t.known.busy + t.other.busy
	switch {
	case l == &t.known, t.known.busy > 0 && t.other.busy == 0:
		return busy < t.slots+t.spare
	case !t.knownAt.IsZero() && steady.Since(t.knownAt) < keptFor:
		return busy < t.slots && t.other.busy < max(1, t.slots-1)
	}
	return busy < t.slots
}

// leave gives the slot of one of l to who is next.
func (t *turns) leave(l *lane) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l.busy--
	t.share()
}

// share gives the slots that are free to who is next.
func (t *turns) share() {
	next := []*lane{&t.known, &t.other}
	if t.known.busy > 0 && t.other.busy == 0 {
		slices.Reverse(next)
	}
	for _, l := range next {
		for l.waiting > 0 && t.free(l) {
			l.call()
		}
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

// call gives a slot to who is next; their network is the last one then.
func (l *lane) call() {
	l.busy++
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
	l.Slots, l.Busy, l.Waiting = t.slots+t.spare, t.known.busy+t.other.busy, t.known.waiting+t.other.waiting
	return l
}

// waited notes how long somebody has waited for their turn.
func (t *turns) waited(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.load.Waited += d
}
