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
	"authy/storage"
	"authy/storage/kv"
	"authy/storage/storagetest"
)

var errAway = errors.New("dial tcp: connection refused")

// broken is somebody else's server that has gone: it counts and forgets nothing.
type broken struct{ kv.Store }

func (broken) Spend(context.Context, string, kv.Rate, int64) (kv.Budget, error) {
	return kv.Budget{}, errAway
}

func (broken) Delete(context.Context, ...string) error { return errAway }

func newLimits(t *testing.T) limits {
	t.Helper()
	store := storagetest.Memory(t)
	return limits{limit.New(store, store, store)}
}

// try is an attempt to sign in as email, whose user is unknown, by a stranger.
func (l limits) try(ctx context.Context, by audit.Actor, email string) error {
	if err := l.attempt(ctx, by); err != nil {
		return err
	}
	return l.attemptAt(ctx, by, email, nil, func() (bool, error) { return false, nil })
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
	n, refusal := allowed(t, func() error { return l.try(ctx, by, "bob@example.com") })
	if n != 10 || refusal.RetryAfter < 89*time.Second || refusal.RetryAfter > 90*time.Second {
		t.Errorf("%d attempts, then wait %v, want 10 and 90 seconds", n, refusal.RetryAfter)
	}
	if err := l.try(ctx, by, "eve@example.com"); err != nil {
		t.Errorf("another account: %v", err)
	}
	// Whoever guesses locks nobody out but themselves.
	if err := l.try(ctx, from("192.0.2.2"), "bob@example.com"); err != nil {
		t.Errorf("another address: %v", err)
	}
}

func TestAnAddressTriesThreeHundredTimes(t *testing.T) {
	t.Parallel()
	l, i := newLimits(t), 0
	n, _ := allowed(t, func() error {
		i++
		return l.try(t.Context(), from("192.0.2.1"), fmt.Sprintf("user%d@example.com", i))
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
	if err := l.try(t.Context(), by, "bob@example.com"); err != nil {
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
			if err := l.try(ctx, by, email); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.passed(ctx, by, "bob@example.com", nil)
	if n, _ := allowed(t, func() error { return l.try(ctx, by, "bob@example.com") }); n != 10 {
		t.Errorf("bob: %d attempts, want 10 afresh", n)
	}
	if n, _ := allowed(t, func() error { return l.try(ctx, by, "eve@example.com") }); n != 1 {
		t.Errorf("eve: %d attempts, want the one that was left", n)
	}
}

func TestAttemptsComeBackOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l, ctx, by := newLimits(t), t.Context(), from("192.0.2.1")
		tries := func() (int, *fault.Error) {
			return allowed(t, func() error { return l.try(ctx, by, "bob@example.com") })
		}
		if n, _ := tries(); n != 10 {
			t.Errorf("%d attempts at once, want 10", n)
		}
		time.Sleep(89 * time.Second)
		// More attempts do not put it off.
		if n, refusal := tries(); n != 0 || refusal.RetryAfter != time.Second {
			t.Errorf("%d attempts and a wait of %v, want none and one second", n, refusal.RetryAfter)
		}
		time.Sleep(time.Second)
		if n, _ := tries(); n != 1 {
			t.Errorf("%d attempts after 90 seconds, want one", n)
		}
		time.Sleep(perAccount.Window)
		if n, _ := tries(); n != 10 {
			t.Errorf("%d attempts after the window, want 10", n)
		}
	})
}

// LG-06, LG-11: guessing from many addresses ends, and stops nobody who has
// signed in before where they are.
func TestManyAddressesTogetherTryAHundredTimes(t *testing.T) {
	t.Parallel()
	l, ctx, i := newLimits(t), t.Context(), 0
	bob := &storage.User{ID: "bob"}
	at := func(by audit.Actor, known bool) error {
		return l.attemptAt(ctx, by, "bob@example.com", bob, func() (bool, error) { return known, nil })
	}
	stranger := func() error {
		i++
		return at(from(fmt.Sprintf("198.51.%d.%d", i/250, i%250)), false)
	}
	if n, _ := allowed(t, stranger); n != 100 {
		t.Errorf("%d attempts from many addresses, want 100", n)
	}
	if err := at(from("192.0.2.1"), true); err != nil {
		t.Errorf("where bob has signed in before: %v", err)
	}
	if err := l.try(ctx, from("198.51.100.1"), "eve@example.com"); err != nil {
		t.Errorf("another account: %v", err)
	}
	bob.UnlockedAt = storage.At(time.Now())
	if n, _ := allowed(t, stranger); n != 100 {
		t.Errorf("%d attempts once an administrator has unlocked bob, want 100", n)
	}
	if err := l.attemptAt(ctx, from("192.0.2.9"), "bob@example.com", bob, func() (bool, error) { return false, errAway }); !errors.Is(err, errAway) {
		t.Errorf("where it cannot be told: %v", err)
	}
}

func TestWhatSucceedsIsNotCounted(t *testing.T) {
	t.Parallel()
	l, ctx, by := newLimits(t), t.Context(), from("192.0.2.1")
	for range 400 {
		if err := l.try(ctx, by, "bob@example.com"); err != nil {
			t.Fatal(err)
		}
		l.passed(ctx, by, "bob@example.com", nil)
	}
}

func TestAttemptsAtOnceAreAllCounted(t *testing.T) {
	t.Parallel()
	l := newLimits(t)
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			if l.try(t.Context(), from("192.0.2.1"), "bob@example.com") == nil {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	if n := passed.Load(); n != 10 {
		t.Errorf("%d passed, want 10", n)
	}
}

func TestWithoutTheSharedStoreTheOtherCounts(t *testing.T) {
	t.Parallel()
	kept := storagetest.Memory(t)
	l, ctx, by := limits{limit.New(broken{}, kept, kept)}, t.Context(), from("192.0.2.1")
	for round := range 2 {
		if n, _ := allowed(t, func() error { return l.try(ctx, by, "bob@example.com") }); n != 10 {
			t.Errorf("round %d: %d attempts, want 10", round, n)
		}
		l.passed(ctx, by, "bob@example.com", nil)
	}
}

// Counting that is impossible must not open the door to guessing.
func TestNoStoreAtAllRefuses(t *testing.T) {
	t.Parallel()
	l := limits{limit.New(broken{}, broken{}, broken{})}
	if err := l.try(t.Context(), from("192.0.2.1"), "bob@example.com"); !errors.Is(err, errAway) {
		t.Errorf("attempt = %v, want the store's error", err)
	}
}

func TestNoLimitsLimitNothing(t *testing.T) {
	t.Parallel()
	var l limits
	l.passed(t.Context(), from(""), "bob@example.com", nil)
	for range 400 {
		if err := errors.Join(l.try(t.Context(), from(""), "bob@example.com"), l.register(t.Context(), from(""))); err != nil {
			t.Fatal(err)
		}
	}
}

func TestASubscriberOfIPv6IsCountedOnce(t *testing.T) {
	t.Parallel()
	l, i := newLimits(t), 0
	n, _ := allowed(t, func() error {
		i++
		return l.try(t.Context(), from(fmt.Sprintf("2001:db8::%x", i)), "bob@example.com")
	})
	if n != 10 {
		t.Errorf("%d attempts from one /64, want 10", n)
	}
}

func TestKeysHoldNoAddressOfMail(t *testing.T) {
	t.Parallel()
	by := from("192.0.2.1")
	key := accountOf(by, "bob@example.com", nil)
	if key == accountOf(by, "eve@example.com", nil) || key == accountOf(from("192.0.2.2"), "bob@example.com", nil) {
		t.Errorf("the key %q is somebody else's, too", key)
	}
	for _, part := range []string{"bob", "example.com"} {
		if strings.Contains(key, part) {
			t.Errorf("the key %q shows %q", key, part)
		}
	}
}
