package faultbench

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// A history is what was done to one register and when, each thing between the moment at which it
// was asked for and that at which the answer was there. It has a linear order if there is an order
// in which the answers are those of a register that does one thing after another, and in which
// nothing comes after what began only when it was over. What was never answered may have happened
// at any time since, or not at all.

// deed is one thing that was done to a register.
type deed struct {
	what  string // set, is, may, used or refused
	value string
	// begin and end are in nanoseconds; end is never for what was not answered.
	begin, end int64
	by         string // of whom it is, for people to read
}

const never = math.MaxInt64

// The registers begin empty; a value that can be used once is "used" after that.
const (
	set     = "set"     // the register was set to the value
	is      = "is"      // it was read
	may     = "may"     // somebody was let do what those may whose role is "admin"; "yes" or "no"
	use     = "use"     // it was used
	refuses = "refuses" // a use was refused
)

// after is what a register has when a deed was done to one that has a value, and whether it can
// have been.
func (d deed) after(has string) (string, bool) {
	switch d.what {
	case set:
		return d.value, true
	case is:
		return has, has == d.value
	case may:
		return has, (has == "admin") == (d.value == "yes")
	case use:
		return "used", has == "" || d.end == never // a use that was not answered may have been refused
	case refuses:
		return has, has == "used"
	}
	return has, false
}

// looks says whether a deed leaves the register as it is.
func (d deed) looks() bool { return d.what == is || d.what == may || d.what == refuses }

func (d deed) String() string {
	end := "never"
	if d.end != never {
		end = time.Duration(d.end).Round(time.Microsecond).String()
	}
	return fmt.Sprintf("%s %s [%s, %s] %s", d.what, d.value, time.Duration(d.begin).Round(time.Microsecond), end, d.by)
}

// most is how many states the search of an order looks at before it gives up.
const most = 1_000_000

// linear says whether a history has a linear order, and whether that could be told.
func linear(history []deed) (ok, told bool) {
	list := slices.Clone(history)
	slices.SortFunc(list, func(a, b deed) int { return cmp.Compare(a.begin, b.begin) })
	s := &search{list: list, done: make([]byte, len(list)), seen: map[string]bool{}, left: most}
	ok = s.from(0, 0, "")
	return ok, ok || s.left > 0
}

// search looks for an order: what is done is marked, and what it has led to is remembered.
type search struct {
	list []deed
	done []byte
	seen map[string]bool
	left int
}

// from looks for an order of all that is not done. Everything before low is done, nothing from high
// on, and the register has a value.
func (s *search) from(low, high int, has string) bool {
	for low < len(s.list) && s.done[low] != 0 {
		low++
	}
	first := int64(never) // when the first of those that remain was over
	for i := low; i < len(s.list) && s.list[i].begin <= first; i++ {
		if s.done[i] == 0 {
			first = min(first, s.list[i].end)
		}
	}
	if first == never {
		return true
	}
	key := fmt.Sprint(low, " ", has, " ") + string(s.done[low:max(low, high)])
	if s.seen[key] || s.left <= 0 {
		return false
	}
	s.seen[key] = true
	s.left--
	// What only looks and can be done now may as well be: it is in the way of nothing.
	for i := low; i < len(s.list) && s.list[i].begin <= first; i++ {
		if next, can := s.list[i].after(has); s.done[i] == 0 && can && s.list[i].looks() {
			s.done[i] = 1
			if s.from(low, max(high, i+1), next) {
				return true
			}
			s.done[i] = 0
			return false
		}
	}
	for i := low; i < len(s.list) && s.list[i].begin <= first; i++ {
		next, can := s.list[i].after(has)
		if s.done[i] != 0 || !can {
			continue
		}
		s.done[i] = 1
		if s.from(low, max(high, i+1), next) {
			return true
		}
		s.done[i] = 0
	}
	return false
}

// parse reads a history: each deed is "what value begin end", with "-" for never.
func parse(t *testing.T, text string) (history []deed) {
	t.Helper()
	for line := range strings.SplitSeq(text, ";") {
		d, end := deed{}, ""
		if _, err := fmt.Sscan(line, &d.what, &d.value, &d.begin, &end); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		d.end = never
		if end != "-" {
			if _, err := fmt.Sscan(end, &d.end); err != nil {
				t.Fatal(err)
			}
		}
		history = append(history, d)
	}
	return history
}

func TestAHistoryIsHeldAgainstALinearOrder(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"one after another":          "set a 0 1; is a 2 3; set b 4 5; is b 6 7",
		"a read of one that is set":  "set a 0 1; set b 2 9; is a 3 4; is b 5 6",
		"two that are set at once":   "set a 0 9; set b 0 9; is b 10 11",
		"one that was not answered":  "set a 0 1; set b 2 -; is a 3 4; is b 5 6; is b 7 8",
		"one that never happened":    "set a 0 1; set b 2 -; is a 3 4; is a 5 6",
		"may, at once":               "set admin 0 1; may yes 2 3; set guest 4 9; may yes 5 6; may no 7 8",
		"used once":                  "use x 0 1; refuses x 2 3; refuses x 2 4",
		"used while it is refused":   "use x 0 9; refuses x 1 2",
		"used and never answered":    "use x 0 -; refuses x 1 2",
		"used by the second attempt": "use x 0 -; use x 1 2; refuses x 3 4",
	} {
		if ok, told := linear(parse(t, text)); !ok || !told {
			t.Errorf("%s: %t, %t, want that it has an order", name, ok, told)
		}
	}
	for name, text := range map[string]string{
		"an old value":                    "set a 0 1; set b 2 3; is a 4 5",
		"one that came back":              "set a 0 1; set b 2 9; is b 3 4; is a 5 6",
		"one that nobody set":             "set a 0 1; is b 2 3",
		"one that was not answered, back": "set a 0 1; set b 2 -; is b 3 4; is a 5 6",
		"may although it was taken":       "set admin 0 1; set guest 2 3; may yes 4 5",
		"may again":                       "set admin 0 1; set guest 2 9; may no 3 4; may yes 5 6",
		"used twice":                      "use x 0 1; use x 2 3",
		"used twice at once":              "use x 0 9; use x 1 8",
		"refused before it was used":      "refuses x 0 1; use x 2 3",
		"refused and never used":          "refuses x 0 1",
	} {
		if ok, told := linear(parse(t, text)); ok || !told {
			t.Errorf("%s: %t, %t, want that it has no order", name, ok, told)
		}
	}
}

// A long history is judged in time, and one deed that is out of order is found in it.
func TestAPlantedViolationIsFoundInALongHistory(t *testing.T) {
	t.Parallel()
	var history []deed
	roles := []string{"admin", "member", "guest"}
	for i := range 300 {
		at := int64(10 * i)
		role := roles[i%3]
		history = append(history, deed{what: set, value: role, begin: at, end: at + 8},
			deed{what: is, value: role, begin: at + 7, end: at + 11}, deed{what: is, value: role, begin: at + 8, end: at + 9})
		if i%100 == 50 {
			history = append(history, deed{what: set, value: role, begin: at, end: never})
		}
	}
	if ok, told := linear(history); !ok || !told {
		t.Fatalf("linear() = %t, %t of a history that has an order", ok, told)
	}
	for i := range history {
		if i%150 != 32 || history[i].what != is {
			continue
		}
		planted := slices.Clone(history)
		planted[i].value = "owner"
		if ok, told := linear(planted); ok || !told {
			t.Errorf("deed %d was planted: %t, %t", i, ok, told)
		}
	}
}
