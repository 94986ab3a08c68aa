package delivery

import (
	"math/rand/v2"
	"time"
)

// Waits are how long after each attempt comes the next; the last is repeated.
type Waits []time.Duration

// After returns how long after an attempt, counted from 1, comes the next.
func (w Waits) After(attempts int64) time.Duration {
	return w[min(max(attempts, 1), int64(len(w)))-1]
}

// Spread returns a duration that is longer than d by up to a tenth, by chance: what failed
// together is not tried again together.
func Spread(d time.Duration) time.Duration {
	if d < 10 {
		return d
	}
	return d + rand.N(d/10) //nolint:gosec // nobody gains by guessing it
}
