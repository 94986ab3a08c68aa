package limit

import (
	"fmt"
	"testing"
	"time"
)

func TestATallyRecordsTheFirstOfEachMinute(t *testing.T) {
	t.Parallel()
	var all Tally
	begun := time.Date(2026, time.March, 4, 5, 6, 7, 0, time.UTC)
	for i, c := range []struct {
		key    string
		after  time.Duration
		more   int
		record bool
	}{
		{"a", 0, 0, true},
		{"a", time.Second, 0, false},
		{"b", time.Second, 0, true}, // another address is recorded at once
		{"a", 59 * time.Second, 0, false},
		{"a", tallyEvery, 2, true},
		{"a", tallyEvery + time.Second, 0, false},
		{"b", time.Hour, 0, true},
	} {
		more, record := all.Note(c.key, begun.Add(c.after))
		if more != c.more || record != c.record {
			t.Errorf("%d: Note() = %d, %v, want %d, %v", i, more, record, c.more, c.record)
		}
	}
	all.Forget("b")
	if _, record := all.Note("b", begun.Add(time.Hour)); !record {
		t.Error("what was forgotten is not recorded")
	}
	for i := range 3 * tallies {
		all.Note(fmt.Sprint(i), begun)
	}
	if len(all.counts) > tallies {
		t.Errorf("%d are counted, want %d at most", len(all.counts), tallies)
	}
}
