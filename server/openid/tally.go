package openid

import (
	"sync"
	"time"
)

// tallyEvery is how often tokens that a client gets for itself, from one
// address, are recorded: each would be a durable write, and a client that does
// its work gets them all day.
const tallyEvery = time.Minute

// tallies is how many are counted at once.
const tallies = 10_000

// tally counts what need not be recorded one by one.
type tally struct {
	mu     sync.Mutex
	counts map[string]tallied
}

type tallied struct {
	at   time.Time // of the last record
	more int       // since then
}

// note counts something at now, and says whether it is to be recorded, with how
// many have come since the last record.
func (t *tally) note(key string, now time.Time) (more int, record bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, counted := t.counts[key]
	if counted && now.Sub(known.at) < tallyEvery {
		known.more++
		t.counts[key] = known
		return 0, false
	}
	if !counted && len(t.counts) >= tallies || t.counts == nil {
		t.counts = map[string]tallied{} // everybody is recorded again
	}
	t.counts[key] = tallied{at: now}
	return known.more, true
}

// forget has the next one recorded: the last was not, after all.
func (t *tally) forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.counts, key)
}
