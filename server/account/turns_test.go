package account

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"authy/server/audit"
	"authy/server/fault"
)

// occupied returns a hasher whose processors are all taken, until free is called.
func occupied(t *testing.T) (h *Hasher, slots int, free func()) {
	t.Helper()
	h = NewHasher(cheap)
	slots = h.turns.slots
	leave := make([]func(), slots)
	for i := range leave {
		leave[i] = begin(t, h.turns, "", false)
	}
	return h, slots, func() {
		for _, leave := range leave {
			leave()
		}
	}
}

// begin takes a slot and returns what gives it back.
func begin(t *testing.T, q *turns, network string, known bool) (leave func()) {
	t.Helper()
	leave, err := q.take(t.Context(), network, known)
	if err != nil {
		t.Error(err)
	}
	return leave
}

// busy is how many have a slot of q.
func busy(q *turns) int { return q.known.busy + q.other.busy }

// fromAddress is a request from an address.
func fromAddress(ctx context.Context, address string) context.Context {
	return audit.WithActor(ctx, &audit.Actor{IPAddress: address})
}

func TestAFullQueueIsAnsweredBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, slots, free := occupied(t)
		var waiting sync.WaitGroup
		for i := range slots * queuePerSlot {
			waiting.Go(func() {
				ctx := fromAddress(t.Context(), fmt.Sprint("192.0.2.", i%5))
				if _, err := h.Hash(ctx, "correct horse"); err != nil {
					t.Errorf("one who waited: %v", err)
				}
			})
		}
		synctest.Wait()
		_, hashed := h.Hash(t.Context(), "correct horse")
		_, _, checked := h.Check(t.Context(), "", "correct horse", "")
		for _, err := range []error{hashed, checked} {
			f, ok := fault.As(err)
			if !errors.Is(err, ErrBusy) || !ok || f.Kind != fault.Unavailable || f.RetryAfter <= 0 {
				t.Errorf("one too many: %v, want ErrBusy with a wait", err)
			}
		}
		free()
		waiting.Wait()
		if _, err := h.Hash(t.Context(), "correct horse"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
		if q := h.turns; busy(q) != 0 || q.other.waiting != 0 || len(q.other.lines) != 0 || len(q.other.order) != 0 {
			t.Errorf("somebody is still counted: %+v", q)
		}
	})
}

// Whoever sends very much is refused while there is room for others, and each of those has their
// turn after one of the many at most.
func TestOneNetworkDoesNotFillTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newTurns(1, 0, 8)
		first := begin(t, q, "many", false)
		var order []string
		var refused int
		line := func(network string) {
			go func() {
				leave, err := q.take(t.Context(), network, network == "known")
				if errors.Is(err, ErrBusy) {
					refused++
					return
				} else if err != nil {
					t.Error(err)
				}
				order = append(order, network)
				leave()
			}()
			synctest.Wait()
		}
		for range 6 {
			line("many")
		}
		for _, other := range []string{"one", "two", "one", "three", "late", "known"} {
			line(other)
		}
		first()
		synctest.Wait()
		if got, want := fmt.Sprint(order), "[known many one two three many one many many]"; got != want || refused != 3 {
			t.Errorf("the turns are %v, %d were refused, want %v and 3", got, refused, want)
		}
	})
}

func TestWhoeverLeavesNoLongerWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, slots, free := occupied(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, _, err := h.Check(ctx, "", "correct horse", "")
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Check = %v, want that the caller has gone", err)
		}
		if q := h.turns; q.other.waiting != 0 || len(q.other.lines) != 0 || len(q.other.order) != 0 {
			t.Errorf("it still waits: %+v", q)
		}
		free()
		mustHash(t, h, "correct horse")
		if n := busy(h.turns); n != 0 {
			t.Errorf("%d of %d slots are busy", n, slots)
		}
	})
}

// queue is those who line up for the slots of q, by name: whose begins with k is known.
type queue struct {
	t *testing.T
	q *turns

	mu      sync.Mutex // two may have their turn at once
	running []string
	leave   map[string]func()
}

func (u *queue) line(names ...string) {
	for _, who := range names {
		go func() {
			leave := begin(u.t, u.q, who, who[0] == 'k')
			u.mu.Lock()
			defer u.mu.Unlock()
			u.running, u.leave[who] = append(u.running, who), leave
		}()
		synctest.Wait()
	}
}

// after wants running to be those who have a slot, when those who have done have left.
func (u *queue) after(done, running string) {
	u.t.Helper()
	for who := range strings.FieldsSeq(done) {
		u.running = slices.DeleteFunc(u.running, func(one string) bool { return one == who })
		u.leave[who]()
		synctest.Wait()
	}
	if got := strings.Join(u.running, " "); got != running {
		u.t.Errorf("after %q have left %q have a slot, want %q", done, got, running)
	}
}

// Who is known does not even wait until a stranger is done; strangers get no more for it, and leave
// a slot to the next, but are never without one.
func TestWhoIsKnownHasSlotsOfTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		u := &queue{t: t, q: newTurns(2, 1, 8), leave: map[string]func(){}}
		u.line("one", "two", "three", "k1", "four", "k2", "k3")
		u.after("", "one two k1")
		u.after("one", "two k1 k2")
		u.after("two", "k1 k2 three")
		u.after("k1", "k2 three k3")
		u.after("k2", "three k3")
		u.line("k4", "k5")
		u.after("three", "k3 k4 four")
		u.after("k3 k4", "four k5")
		u.line("five", "six")
		u.after("k5", "four")
		u.after("four", "five") // the other is kept for one who is known
		time.Sleep(keptFor)
		u.line("seven")
		u.after("", "five six")
		u.after("five six", "seven")
		if u.after("seven", ""); busy(u.q) != 0 {
			t.Errorf("%d still have a slot", busy(u.q))
		}
	})
}
