package limit

import (
	"sync"
	"time"
)

// tallyEvery is how often what happens again and again is recorded: each record is a
// durable write that is kept for good.
const tallyEvery = time.Minute

// tallies is how many are counted at once.
const tallies = 10_000

// Tally counts what need not be recorded one by one.
type Tally struct {
	mu     sync.Mutex
	counts map[string]tallied
}

type tallied struct {
	at   time.Time // of the last record
	more int       // since then
}

// Note counts something at now, and says whether it is to be recorded, with how
// many have come since the last record.
func (t *Tally) Note(key string, now time.Time) (more int, record bool) {
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

// Forget has the next one recorded: the last was not, after all.
func (t *Tally) Forget(key string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.counts, key)
}
