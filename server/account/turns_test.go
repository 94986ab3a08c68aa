package account

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"authy/server/audit"
	"authy/server/fault"
)

// occupied returns a hasher whose processors are all taken, until free is called.
func occupied(t *testing.T) (h *Hasher, slots int, free func()) {
	t.Helper()
	h = NewHasher(cheap)
	slots = h.turns.slots
	for range slots {
		if err := h.turns.take(t.Context(), "", false); err != nil {
			t.Fatal(err)
		}
	}
	return h, slots, func() {
		for range slots {
			h.turns.leave()
		}
	}
}

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
		if q := h.turns; q.busy != 0 || q.other.waiting != 0 || len(q.other.lines) != 0 || len(q.other.order) != 0 {
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
		if err := q.take(t.Context(), "many", false); err != nil {
			t.Fatal(err)
		}
		var order []string
		var busy int
		line := func(network string) {
			go func() {
				if err := q.take(t.Context(), network, network == "known"); errors.Is(err, ErrBusy) {
					busy++
					return
				} else if err != nil {
					t.Error(err)
				}
				order = append(order, network)
				q.leave()
			}()
			synctest.Wait()
		}
		for range 6 {
			line("many")
		}
		for _, other := range []string{"one", "two", "one", "three", "late", "known"} {
			line(other)
		}
		q.leave()
		synctest.Wait()
		if got, want := fmt.Sprint(order), "[known many one two three many one many many]"; got != want || busy != 3 {
			t.Errorf("the turns are %v, %d were refused, want %v and 3", got, busy, want)
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
		if h.turns.busy != 0 {
			t.Errorf("%d of %d slots are busy", h.turns.busy, slots)
		}
	})
}

// Who is known does not even wait until a stranger is done; strangers get no more for it.
func TestWhoIsKnownHasSlotsOfTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newTurns(2, 1, 8)
		var running []string
		line := func(who string) {
			go func() {
				if err := q.take(t.Context(), who, who == "known"); err != nil {
					t.Error(err)
				}
				running = append(running, who)
			}()
			synctest.Wait()
		}
		for _, who := range []string{"one", "two", "three", "known", "four", "known"} {
			line(who)
		}
		if got, want := fmt.Sprint(running), "[one two known]"; got != want {
			t.Errorf("%v hash beside each other, want %v", got, want)
		}
		for _, want := range []string{"[one two known known]", "[one two known known]", "[one two known known three]"} {
			q.leave()
			synctest.Wait()
			if got := fmt.Sprint(running); got != want {
				t.Errorf("after one has left %v have had their turn, want %v", got, want)
			}
		}
		for range 3 {
			q.leave()
			synctest.Wait()
		}
		if got := fmt.Sprint(running); got != "[one two known known three four]" || q.busy != 0 {
			t.Errorf("in the end %v have had their turn and %d still have, want all and none", got, q.busy)
		}
	})
}
