package limit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"authy/storage/kv"
	"authy/storage/storagetest"
)

func TestASubscribersAddressesAreOne(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"192.0.2.1":                  "192.0.2.1",
		"::ffff:192.0.2.1":           "192.0.2.1",
		"2001:db8:1:2::1":            "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff:ffff:1:1": "2001:db8:1:2::/64",
		"2001:db8:1:3::1":            "2001:db8:1:3::/64",
		"fe80::1%eth0":               "fe80::/64",
		"fe80::2%eth1":               "fe80::/64",
		"":                           "",
		"@":                          "@", // a socket of this machine
	} {
		if got := Network(address); got != want {
			t.Errorf("Network(%q) = %q, want %q", address, got, want)
		}
	}
}

func TestOnlyFailuresAreSpent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := storagetest.Memory(t)
		l, ctx := New(store, store, store), t.Context()
		rule := Rule{Name: "test", Most: 3, Window: time.Minute}
		for n := range 4 {
			if err := l.Spent(ctx, rule, "someone"); err != nil {
				t.Fatalf("after %d failures: %v", n, err)
			}
			if err := l.Failed(ctx, rule, "someone"); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Spent(ctx, rule, "someone"); !errors.Is(err, ErrTooMany) {
			t.Errorf("after four failures of three: %v", err)
		}
		if err := l.Spent(ctx, rule, "someone else"); err != nil {
			t.Errorf("someone else: %v", err)
		}
		time.Sleep(20 * time.Second)
		if err := l.Spent(ctx, rule, "someone"); err != nil {
			t.Errorf("when there is one more: %v", err)
		}
	})
}

// moody is a store that all share until it is away, or comes back without what it had.
type moody struct {
	kv.Store
	away  error
	since time.Time
}

func (m *moody) Spend(ctx context.Context, key string, rate kv.Rate, n int64) (kv.Budget, error) {
	if m.away != nil {
		return kv.Budget{}, m.away
	}
	return m.Store.Spend(ctx, key, rate, n)
}

func (m *moody) Since() time.Time { return m.since }

func TestWhatIsLockedStaysLockedWithoutTheSharedStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept, rule := storagetest.Memory(t), Rule{Name: "test", Most: 5, Window: 5 * time.Minute}
		shared := &moody{Store: storagetest.Memory(t), since: time.Now().Add(-time.Hour)}
		l := New(shared, kept, kept)
		want := func(when string, most int) {
			t.Helper()
			passed := 0
			for range 10 {
				if l.Count(t.Context(), rule, "someone") == nil {
					passed++
				}
			}
			if passed != most {
				t.Errorf("%s: %d passed, want %d", when, passed, most)
			}
		}
		want("at first", 5)
		shared.away = errors.New("connection refused")
		want("when it is away", 0)
		time.Sleep(time.Minute)
		want("a minute later", 1)
		shared.away, shared.since = nil, time.Now()
		if err := shared.Store.Delete(t.Context(), "test:someone"); err != nil {
			t.Fatal(err)
		}
		want("when it is back, and empty", 0)
		time.Sleep(time.Minute)
		want("a minute later", 1)
		time.Sleep(10 * time.Minute)
		want("when all is forgotten", 5)
		l.Clear(t.Context(), rule, "someone")
		want("when it was cleared", 5)
	})
}

// Of nodes that share a store some do not reach it: all count where those do.
func TestNodesOfWhichSomeDoNotReachTheSharedStoreCountTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		kept, rule := storagetest.Memory(t), Rule{Name: "test", Most: 10, Window: 15 * time.Minute}
		redis := storagetest.Memory(t)
		begun := time.Now().Add(-time.Hour)
		apart := &moody{Store: redis, since: begun, away: errors.New("no route to host")}
		nodes := []*Limits{
			New(&moody{Store: redis, since: begun}, kept, storagetest.Memory(t)),
			New(apart, kept, storagetest.Memory(t)),
			New(&moody{Store: redis, since: begun}, kept, storagetest.Memory(t)),
		}
		want := func(when string, most int) {
			t.Helper()
			passed := 0
			for n := range 60 {
				if nodes[n%3].Count(t.Context(), rule, when) == nil {
					passed++
				}
			}
			if passed != most {
				t.Errorf("%s: %d passed, want %d", when, passed, most)
			}
		}
		for _, l := range nodes { // one says that it is apart, and the others hear of it
			if err := l.Count(t.Context(), rule, "somebody"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * lookApart)
		want("while one is apart", 10)
		time.Sleep(time.Hour)
		for range 9 {
			if err := nodes[1].Count(t.Context(), rule, "after it has gone"); err != nil {
				t.Fatal(err)
			}
		}
		apart.away = nil
		time.Sleep(2 * lookApart)
		want("after it has gone", 1)
		time.Sleep(24 * time.Hour)
		if nodes[0].apart(t.Context()) {
			t.Error("a day later it is still apart")
		}
		want("a day later", 10)
	})
}

func TestNoLimitsCountNothing(t *testing.T) {
	t.Parallel()
	var l *Limits
	rule := Rule{Name: "test", Most: 1, Window: time.Minute}
	if err := errors.Join(l.Failed(t.Context(), rule, ""), l.Spent(t.Context(), rule, "")); err != nil {
		t.Error(err)
	}
}

func TestAReportTellsTheBudgetThatIsNearestToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := storagetest.Memory(t)
		l := New(store, store, store)
		wide := Rule{Name: "wide", Most: 300, Window: 15 * time.Minute}
		narrow := Rule{Name: "narrow", Most: 2, Window: time.Minute}
		for i, want := range []string{`"narrow";r=1;t=30`, `"narrow";r=0;t=30`, `"narrow";r=0;t=30`} {
			ctx, report := Watch(t.Context())
			if policy, state := report.Fields(); policy != "" || state != "" {
				t.Errorf("before anything was counted: %q, %q", policy, state)
			}
			for _, rule := range []Rule{wide, narrow, wide} {
				if err := l.Count(ctx, rule, "someone"); err != nil && (i < 2 || rule.Name != "narrow") {
					t.Fatal(err)
				}
			}
			if policy, state := report.Fields(); policy != `"narrow";q=2;w=60` || state != want {
				t.Errorf("request %d: %s and %s, want %s", i, policy, state, want)
			}
		}
		if policy, state := (*Report)(nil).Fields(); policy != "" || state != "" {
			t.Errorf("where nobody watches: %q, %q", policy, state)
		}
	})
}
