package faultbench

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// findings are what the checker makes of a ledger.
type findings struct {
	// The writes are those that were acknowledged.
	acked, unknown, refused, writes           int
	kept, lost, zombie, half, phantom, double int
	// x5 are answers from 500 on, but for 503, which says that nothing was done, and 504, which
	// says that nobody knows.
	x5       int
	problems []string
}

// bad is how much is wrong.
func (f *findings) bad() int { return f.lost + f.zombie + f.half + f.phantom + f.double }

func (f *findings) problem(n *int, format string, args ...any) {
	*n++
	if len(f.problems) < 20 {
		f.problems = append(f.problems, fmt.Sprintf(format, args...))
	}
}

// codeLife is how long a code is looked for: the janitor deletes those that have expired.
const codeLife = 50 * time.Second

// ends are the values of what works no more.
var ends = []string{"gone", "used", "dead", ""}

// holds says whether what is there is what a fact says; what has ended may have ended more.
func holds(f fact, got string) bool {
	switch f.Value {
	case anything:
		return true
	case "used":
		return got == "used" || got == "dead" || got == "" && strings.HasPrefix(f.Key, "code/")
	}
	return f.Value == got
}

// claim is a fact with the request that makes it true.
type claim struct {
	fact
	by *entry
}

// check holds a ledger against what is there. For each key the last acknowledged fact must hold,
// or one that was asked for after it and never answered.
func check(ledger []*entry, s *state, now time.Time) *findings {
	f := &findings{}
	claims := map[string][]claim{}
	for _, e := range ledger {
		f.count(e)
		for _, one := range e.Facts {
			if e.Outcome != refused {
				claims[one.Key] = append(claims[one.Key], claim{one, e})
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(claims)) {
		f.key(key, claims[key], s, now)
	}
	for _, e := range ledger {
		f.entry(e, claims, s)
	}
	f.doubles(ledger, s)
	f.phantoms(ledger, claims, s)
	return f
}

func (f *findings) count(e *entry) {
	switch e.Outcome {
	case acked:
		f.acked++
	case refused:
		f.refused++
	default:
		f.unknown++
	}
	if e.Outcome == acked && e.Event {
		f.writes++
	}
	if e.Status >= 500 && e.Status != http.StatusServiceUnavailable && e.Status != http.StatusGatewayTimeout {
		f.x5++
	}
}

// observable says whether the state tells what is at a key: the database does not know passwords.
func (s *state) observable(key string) bool {
	_, known := s.facts[key]
	return known || !strings.HasPrefix(key, "password/")
}

// key looks at all that was claimed of one key.
func (f *findings) key(key string, all []claim, s *state, now time.Time) {
	got := s.facts[key]
	if !s.observable(key) {
		return
	}
	last := -1 // the last that was acknowledged
	for i, c := range all {
		if c.by.Outcome == acked {
			last = i
		}
	}
	want := claim{fact: fact{Key: key}}
	if last >= 0 {
		want = all[last]
	}
	if slices.ContainsFunc(all[last+1:], func(c claim) bool { return holds(c.fact, got) }) || holds(want.fact, got) {
		f.kept++
		return
	}
	switch {
	case last < 0:
		f.problem(&f.phantom, "phantom: %s is %q, which nobody asked for", key, got)
	case got == "" && strings.HasPrefix(key, "code/") && now.UnixNano()-want.by.AckedNS > int64(codeLife):
		f.kept++
	case slices.Contains(ends, want.Value) && !slices.Contains(ends, got):
		f.problem(&f.zombie, "zombie: %s is %q, but %s (seq %d) made it %q", key, got, want.by.Kind, want.by.Seq, want.Value)
	default:
		f.problem(&f.lost, "lost: %s is %q, but %s (seq %d) made it %q", key, got, want.by.Kind, want.by.Seq, want.Value)
	}
}

// entry looks whether a request happened as a whole: all of its facts and its event, or none.
func (f *findings) entry(e *entry, claims map[string][]claim, s *state) {
	event := s.events[e.requestID()] > 0
	switch {
	case e.Outcome == refused && event && e.Event:
		f.problem(&f.phantom, "phantom: %s (seq %d) was refused with %d and has an event", e.Kind, e.Seq, e.Status)
	case e.Outcome == acked && !event && e.Event:
		f.problem(&f.half, "half: %s (seq %d) has no event", e.Kind, e.Seq)
	case e.Outcome == pending:
		did, did2 := e.happened(claims, s)
		if e.Event && event {
			did++
		} else if e.Event {
			did2++
		}
		if did > 0 && did2 > 0 {
			f.problem(&f.half, "half: of %s (seq %d), which was never answered, %d parts are there and %d are not",
				e.Kind, e.Seq, did, did2)
		}
	}
}

// happened counts the facts of an unanswered request that are there and those that are not. What
// was claimed anew after it tells nothing, and neither does what was so before.
func (e *entry) happened(claims map[string][]claim, s *state) (there, not int) {
	for _, one := range e.Facts {
		all := claims[one.Key]
		i := slices.IndexFunc(all, func(c claim) bool { return c.by == e })
		if i < len(all)-1 || one.Value == anything || !s.observable(one.Key) {
			continue
		}
		if i > 0 && all[i-1].Value == one.Value || i == 0 && one.Value == "" {
			continue
		}
		if holds(one, s.facts[one.Key]) {
			there++
		} else {
			not++
		}
	}
	return there, not
}

// doubles finds what can be used once and was used more often.
func (f *findings) doubles(ledger []*entry, s *state) {
	uses := map[string][]int{}
	for _, e := range ledger {
		happened := e.Outcome == acked || e.Outcome == pending && e.Event && s.events[e.requestID()] > 0
		if e.Once != "" && happened {
			uses[e.Once] = append(uses[e.Once], e.Seq)
		}
	}
	for once, by := range uses {
		if len(by) > 1 {
			f.problem(&f.double, "double: %s was used by seq %v", once, by)
		}
	}
}

// phantoms finds what is there and was never asked for. A request that was never answered may have
// added what only its answer would have told.
func (f *findings) phantoms(ledger []*entry, claims map[string][]claim, s *state) {
	spare := map[string]int{}
	sent := map[string]bool{}
	for _, e := range ledger {
		sent[e.requestID()] = true
		for _, kind := range e.Makes {
			if e.Outcome == pending {
				spare[kind]++
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.facts)) {
		kind, _, _ := strings.Cut(key, "/")
		if _, claimed := claims[key]; claimed || !counted[kind] {
			continue
		}
		if spare[kind]--; spare[kind] < 0 {
			f.problem(&f.phantom, "phantom: %s is there and nobody asked for it", key)
		}
	}
	for id := range s.events {
		if strings.HasPrefix(id, "fb-") && !sent[id] {
			f.problem(&f.phantom, "phantom: an event of the request %s, which was never sent", id)
		}
	}
}

// counted are the kinds of which everything that is there must have been asked for.
var counted = map[string]bool{
	"user": true, "session": true, "totp": true, "org": true, "member": true, "invitation": true,
	"consent": true, "code": true, "refresh": true, "client": true,
}
