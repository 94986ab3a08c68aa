// Package steady tells the time to whatever begins or ends by it: [Now] is the machine's clock,
// except that it does not go back while the server runs. By a clock that is put back by an hour a
// code that is good for a minute would live an hour longer, and somebody who has signed out
// everywhere could not sign in for an hour.
//
// It refuses to know what is done with the time, and which of two clocks is right: it notices that
// less time is shown than has passed, goes on by what has passed, and says by how much that is more
// ([Held]). Whoever knows better, as server/clock.go does, has it [Follow] the clock again, or
// [Lead] the machine to another one.
//
// What has passed is told by the monotonic clock, which time.Time carries and nobody puts back. A
// clock that is put forward is followed at once, for a machine that slept looks the same. Only a
// process that serves [Watch]es: commands and tests have the machine's clock. Read anchor.due.
package steady

import (
	"sync"
	"sync/atomic"
	"time"
)

// slack is by how much less may be shown than has passed: clocks are adjusted by less all the time.
const slack = 500 * time.Millisecond

var (
	// ours is the anchor of this process, nil where nobody watches.
	ours atomic.Pointer[anchor]
	// changing is held to replace it.
	changing sync.Mutex
)

// anchor is what was shown at an instant, and by what it goes on from there.
type anchor struct {
	at    time.Time     // with a monotonic reading
	shown time.Time     // without one
	lead  time.Duration // by how much the clock to go by is ahead of the machine's
	since time.Time     // when it was first more than that clock shows; zero if it is not
}

// Now is the time that everything begins and ends by.
func Now() time.Time {
	t := time.Now()
	if a := ours.Load(); a != nil {
		return a.now(t)
	}
	return t
}

// Since is how long ago an instant of [Now] or of the database was.
func Since(t time.Time) time.Duration { return Now().Sub(t) }

// Until is how long it is to an instant of [Now] or of the database.
func Until(t time.Time) time.Duration { return t.Sub(Now()) }

// now is what is shown at t. Where that is not t it has no monotonic reading, which would disagree.
func (a *anchor) now(t time.Time) time.Time {
	due, behind := a.due(t)
	switch {
	case behind >= slack:
		return due
	case a.lead != 0:
		return due.Add(-behind)
	}
	return t
}

// due is what was shown and what has passed since, and by how much the clock shows less.
func (a *anchor) due(t time.Time) (due time.Time, behind time.Duration) {
	due = a.shown.Add(t.Sub(a.at))
	return due, due.Sub(t.Round(0).Add(a.lead))
}

// follow is an anchor that shows what the clock does.
func follow(t time.Time, lead time.Duration) *anchor {
	return &anchor{at: t, shown: t.Round(0).Add(lead), lead: lead}
}

// replace puts another anchor in the place of that there is, if there is one.
func replace(with func(a *anchor, t time.Time) *anchor) {
	changing.Lock()
	defer changing.Unlock()
	if a := ours.Load(); a != nil {
		ours.Store(with(a, time.Now()))
	}
}

// Watch has [Now] not go back from here on, and not be before notBefore, until stop is called.
func Watch(notBefore time.Time) (stop func()) {
	t := time.Now()
	a := follow(t, 0)
	if notBefore.After(t) {
		a.shown, a.since = notBefore.Round(0), t
	}
	ours.Store(a)
	return func() { ours.Store(nil) }
}

// Held is how far [Now] is ahead of the clock, because that was put back, and for how long it has
// been. The zero Held is that it is not.
type Held struct{ By, For time.Duration }

// Look tells whether [Now] is held, and has later ones compare with this instant. It is to be
// called each second or so: only against the last look a clock is seen to be put back.
func Look() (held Held) {
	replace(func(a *anchor, t time.Time) (next *anchor) {
		next, held = a.look(t)
		return next
	})
	return held
}

func (a *anchor) look(t time.Time) (*anchor, Held) {
	due, behind := a.due(t)
	if behind < slack {
		return follow(t, a.lead), Held{}
	}
	since := a.since
	if since.IsZero() {
		since = t
	}
	return &anchor{at: t, shown: due, lead: a.lead, since: since}, Held{By: behind, For: t.Sub(since)}
}

// Ahead is how far [Now] is ahead of the clock, 0 if [Look] has not seen that it is.
func Ahead() (by time.Duration) {
	if a := ours.Load(); a != nil && !a.since.IsZero() {
		_, by = a.due(time.Now())
	}
	return max(0, by)
}

// Follow has [Now] show what the clock does, however much earlier that is.
func Follow() {
	replace(func(a *anchor, t time.Time) *anchor { return follow(t, a.lead) })
}

// Lead has [Now] go by a clock that is so much ahead of the machine's, or behind it. What was shown
// is not taken back: if the clock shows less, [Now] is held.
func Lead(by time.Duration) {
	replace(func(a *anchor, t time.Time) *anchor {
		next := *a
		next.at, next.shown, next.lead = t, a.now(t).Round(0), by
		return &next
	})
}
