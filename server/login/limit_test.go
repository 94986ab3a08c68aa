package login

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/storage/kv"
)

var errAway = errors.New("dial tcp: connection refused")

// broken is somebody else's server that has gone: it counts and forgets nothing.
type broken struct{ kv.Store }

func (broken) Count(context.Context, string, time.Duration) (int64, time.Duration, error) {
	return 0, 0, errAway
}

func (broken) Delete(context.Context, ...string) error { return errAway }

func memory(t *testing.T) kv.Store {
	t.Helper()
	store, err := kv.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

func newLimits(t *testing.T) limits {
	t.Helper()
	store := memory(t)
	return limits{limit.New(store, store)}
}

func from(address string) audit.Actor { return audit.Actor{Kind: audit.Anonymous, IPAddress: address} }

// allowed makes attempts until one is refused, and returns how many were not.
func allowed(t *testing.T, attempt func() error) (n int, refusal *fault.Error) {
	t.Helper()
	for n < 1000 {
		err := attempt()
		if err == nil {
			n++
			continue
		}
		f, ok := fault.As(err)
		if !ok || f.Kind != fault.RateLimited || !errors.Is(err, limit.ErrTooMany) {
			t.Fatalf("attempt %d: %v", n, err)
		}
		return n, f
	}
	t.Fatal("nothing was refused")
	return 0, nil
}

func TestAnAccountIsTriedTenTimesFromAnAddress(t *testing.T) {
	t.Parallel()
	l, ctx, by := newLimits(t), t.Context(), from("192.0.2.1")
	n, refusal := allowed(t, func() error { return l.attempt(ctx, by, "bob@example.com") })
	if n != 10 || refusal.RetryAfter < 14*time.Minute || refusal.RetryAfter > 15*time.Minute {
		t.Errorf("%d attempts, then wait %v, want 10 and about 15 minutes", n, refusal.RetryAfter)
	}
	if err := l.attempt(ctx, by, "eve@example.com"); err != nil {
		t.Errorf("another account: %v", err)
	}
	// Whoever guesses locks nobody out but themselves.
	if err := l.attempt(ctx, from("192.0.2.2"), "bob@example.com"); err != nil {
		t.Errorf("another address: %v", err)
	}
}

func TestAnAddressTriesThreeHundredTimes(t *testing.T) {
	t.Parallel()
	l, i := newLimits(t), 0
	n, _ := allowed(t, func() error {
		i++
		return l.attempt(t.Context(), from("192.0.2.1"), fmt.Sprintf("user%d@example.com", i))
	})
	if n != 300 {
		t.Errorf("%d attempts, want 300", n)
	}
}

func TestAnAddressRegistersThirtyTimes(t *testing.T) {
	t.Parallel()
	l, by := newLimits(t), from("192.0.2.1")
	if n, _ := allowed(t, func() error { return l.register(t.Context(), by) }); n != 30 {
		t.Errorf("%d registrations, want 30", n)
	}
	if err := l.attempt(t.Context(), by, "bob@example.com"); err != nil {
		t.Errorf("signing in is counted with registering: %v", err)
	}
	if err := l.register(t.Context(), from("192.0.2.2")); err != nil {
		t.Errorf("another address: %v", err)
	}
}

func TestSuccessClearsTheCounterOfItsAccountAlone(t *testing.T) {
	t.Parallel()
	l, ctx, by := newLimits(t), t.Context(), from("192.0.2.1")
	for range 9 {
		for _, email := range []string{"bob@example.com", "eve@example.com"} {
			if err := l.attempt(ctx, by, email); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.passed(ctx, by, "bob@example.com")
	if n, _ := allowed(t, func() error { return l.attempt(ctx, by, "bob@example.com") }); n != 10 {
		t.Errorf("bob: %d attempts, want 10 afresh", n)
	}
	if n, _ := allowed(t, func() error { return l.attempt(ctx, by, "eve@example.com") }); n != 1 {
		t.Errorf("eve: %d attempts, want the one that was left", n)
	}
}

func TestTheWindowEndsByItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, ctx, by := newLimits(t), t.Context(), from("192.0.2.1")
		_, first := allowed(t, func() error { return l.attempt(ctx, by, "bob@example.com") })
		time.Sleep(perAccount.Window - time.Second)
		// More attempts do not extend it.
		_, last := allowed(t, func() error { return l.attempt(ctx, by, "bob@example.com") })
		if first.RetryAfter != perAccount.Window || last.RetryAfter != time.Second {
			t.Errorf("waits %v and %v, want %v and one second", first.RetryAfter, last.RetryAfter, perAccount.Window)
		}
		time.Sleep(time.Second)
		if n, _ := allowed(t, func() error { return l.attempt(ctx, by, "bob@example.com") }); n != 10 {
			t.Errorf("%d attempts in the next window, want 10", n)
		}
	})
}

func TestAttemptsAtOnceAreAllCounted(t *testing.T) {
	t.Parallel()
	l := newLimits(t)
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if l.attempt(t.Context(), from("192.0.2.1"), "bob@example.com") == nil {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n != 10 {
		t.Errorf("%d passed, want 10", n)
	}
}

func TestWithoutTheSharedStoreANodeCountsForItself(t *testing.T) {
	t.Parallel()
	l, ctx, by := limits{limit.New(broken{}, memory(t))}, t.Context(), from("192.0.2.1")
	for round := range 2 {
		if n, _ := allowed(t, func() error { return l.attempt(ctx, by, "bob@example.com") }); n != 10 {
			t.Errorf("round %d: %d attempts, want 10", round, n)
		}
		l.passed(ctx, by, "bob@example.com")
	}
}

// Counting that is impossible must not open the door to guessing.
func TestNoStoreAtAllRefuses(t *testing.T) {
	t.Parallel()
	l := limits{limit.New(broken{}, broken{})}
	if err := l.attempt(t.Context(), from("192.0.2.1"), "bob@example.com"); !errors.Is(err, errAway) {
		t.Errorf("attempt = %v, want the store's error", err)
	}
}

func TestNoLimitsLimitNothing(t *testing.T) {
	t.Parallel()
	var l limits
	l.passed(t.Context(), from(""), "bob@example.com")
	for range 400 {
		if err := errors.Join(l.attempt(t.Context(), from(""), "bob@example.com"), l.register(t.Context(), from(""))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASubscriberOfIPv6IsCountedOnce(t *testing.T) {
	t.Parallel()
	l, i := newLimits(t), 0
	n, _ := allowed(t, func() error {
		i++
		return l.attempt(t.Context(), from(fmt.Sprintf("2001:db8::%x", i)), "bob@example.com")
	})
	if n != 10 {
		t.Errorf("%d attempts from one /64, want 10", n)
	}
}

func TestKeysHoldNoAddressOfMail(t *testing.T) {
	t.Parallel()
	by := from("192.0.2.1")
	key := accountOf(by, "bob@example.com")
	if key == accountOf(by, "eve@example.com") || key == accountOf(from("192.0.2.2"), "bob@example.com") {
		t.Errorf("the key %q is somebody else's, too", key)
	}
	for _, part := range []string{"bob", "example.com"} {
		if strings.Contains(key, part) {
			t.Errorf("the key %q shows %q", key, part)
		}
	}
}
