package kv

import (
	"errors"
	"time"
)

var errRate = errors.New("a rate needs a burst and a time that are positive")

// Rate is how often something may be done: Burst times at once, and once more after each
// Every. Used evenly, that is Burst times in any stretch of Burst × Every.
type Rate struct {
	Burst int64
	Every time.Duration
}

// usable is errRate for a rate that allows nothing or everything. Redis counts in
// microseconds.
func (r Rate) usable() error {
	if r.Burst <= 0 || r.Every < time.Microsecond {
		return errRate
	}
	return nil
}

// Budget is what is left of a rate.
type Budget struct {
	// OK says that what was asked for was taken.
	OK bool
	// Left is how often it may be done at once.
	Left int64
	// Wait is how long until it may be done again, 0 if it may now.
	Wait time.Duration
	// Full is how long until all of the burst may be used again.
	Full time.Duration
}

// spend is the generic cell rate algorithm: all there is to remember is the moment at which
// the budget will be full, here as debt, its distance from now. It returns the debt after n
// more. What is refused costs nothing.
func (r Rate) spend(debt time.Duration, n int64) (time.Duration, bool) {
	after := max(0, debt) + time.Duration(n)*r.Every
	if n > 0 && after > time.Duration(r.Burst)*r.Every {
		return max(0, debt), false
	}
	return max(0, after), true
}

// budget is what a debt leaves of the rate.
func (r Rate) budget(debt time.Duration, ok bool) Budget {
	room := time.Duration(r.Burst)*r.Every - debt
	b := Budget{OK: ok, Left: max(0, int64(room/r.Every)), Full: debt}
	if room < r.Every {
		b.Wait = r.Every - room
	}
	return b
}
