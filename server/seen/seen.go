// Package seen remembers when records were last used until that is written, so
// that nobody waits for it. It refuses to know what the records are.
package seen

import (
	"context"
	"log/slog"
	"maps"
	"sync"
	"time"
)

const (
	// Grain is how exactly the last use of a record is known, unless it must be
	// known better: one in steady use is written once in that time.
	Grain = time.Minute
	// Flush is how often what was seen is written, at least.
	Flush = 5 * time.Second
	// Limit bounds what waits to be written; more is forgotten, and noted at the
	// next use.
	Limit = 50_000
)

// Uses holds the last use of records until it is written.
type Uses struct {
	what  string
	grain time.Duration
	flush time.Duration
	write func(ctx context.Context, used map[string]time.Time) error
	mu    sync.Mutex
	at    map[string]time.Time // by id
}

// New returns the uses of records, which the log calls what; write writes them
// by id.
func New(what string, write func(ctx context.Context, used map[string]time.Time) error) *Uses {
	return &Uses{what: what, grain: Grain, flush: Flush, write: write, at: map[string]time.Time{}}
}

// Tighten has the last use known to within d, and written within as much again.
// It is called before the uses are used.
func (u *Uses) Tighten(d time.Duration) { u.grain, u.flush = min(u.grain, d), min(u.flush, d) }

// Lag is how much later a record may have been used than is written.
func (u *Uses) Lag() time.Duration { return u.grain + u.flush }

// Note remembers that a record was used at now, if that is worth writing after
// the use that is written.
func (u *Uses) Note(id string, written, now time.Time) {
	if now.Sub(written) < u.grain {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, known := u.at[id]; known || len(u.at) < Limit {
		u.at[id] = now
	}
}

// Latest returns when a record was last used as far as this node knows, written
// or not.
func (u *Uses) Latest(id string, written time.Time) time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	if at, ok := u.at[id]; ok && at.After(written) {
		return at
	}
	return written
}

// Take returns what waits to be written, and forgets it.
func (u *Uses) Take() map[string]time.Time {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.at) == 0 {
		return nil
	}
	taken := maps.Clone(u.at)
	clear(u.at)
	return taken
}

// Run writes what was seen until ctx ends, and once more then.
func (u *Uses) Run(ctx context.Context) {
	tick := time.NewTicker(u.flush)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			u.Flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), Flush)
			defer cancel()
			u.Flush(last)
			return
		}
	}
}

// Flush writes what was seen.
func (u *Uses) Flush(ctx context.Context) {
	used := u.Take()
	if len(used) == 0 {
		return
	}
	if err := u.write(ctx, used); err != nil {
		slog.WarnContext(ctx, "last use not written", "of", u.what, "count", len(used), "err", err)
	}
}
