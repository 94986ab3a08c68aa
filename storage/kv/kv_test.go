package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Contract is what every engine must keep. The stores that open returns may share their data,
// so each test uses keys of its own.
func Contract(t *testing.T, open func(t *testing.T) Store) {
	tests := map[string]func(*testing.T, Store){
		"AValueSetIsRead":                     aValueSetIsRead,
		"AnAbsentKeyIsNotFound":               anAbsentKeyIsNotFound,
		"AnExpiredKeyIsGone":                  anExpiredKeyIsGone,
		"SettingAgainReplacesTheLifetime":     settingAgainReplacesTheLifetime,
		"SetIfAbsentHasOneWinner":             setIfAbsentHasOneWinner,
		"AnExpiredKeyIsFree":                  anExpiredKeyIsFree,
		"AKeySetIfAbsentExpires":              aKeySetIfAbsentExpires,
		"NoMoreIsSpentThanThereIs":            noMoreIsSpentThanThereIs,
		"WhatIsRefusedIsNotCounted":           whatIsRefusedIsNotCounted,
		"ABudgetFillsAgain":                   aBudgetFillsAgain,
		"WhatIsGivenBackCanBeSpent":           whatIsGivenBackCanBeSpent,
		"ARateMustAllowSomething":             aRateMustAllowSomething,
		"ItKnowsSinceWhenItRemembers":         itKnowsSinceWhenItRemembers,
		"DeleteRemovesOnlyTheNamed":           deleteRemovesOnlyTheNamed,
		"ALifetimeMustBePositive":             aLifetimeMustBePositive,
		"AnEndedContextIsRefused":             anEndedContextIsRefused,
		"AClosedStoreRefuses":                 aClosedStoreRefuses,
		"ChangingWhatWasPassedChangesNothing": changingWhatWasPassedChangesNothing,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open(t))
		})
	}
}

func aValueSetIsRead(t *testing.T, s Store) {
	for _, value := range [][]byte{[]byte("plain"), {}, {0, 0xff, '\r', '\n', 0}, make([]byte, 1<<20)} {
		mustSet(t, s, t.Name(), value, time.Minute)
		got, err := s.Get(t.Context(), t.Name())
		if err != nil {
			t.Fatalf("Get after Set of %d bytes: %v", len(value), err)
		}
		if !bytes.Equal(got, value) {
			t.Errorf("Get after Set of %d bytes = %d other bytes", len(value), len(got))
		}
	}
}

func anAbsentKeyIsNotFound(t *testing.T, s Store) {
	wantGone(t, s, t.Name())
	if err := s.Delete(t.Context(), t.Name()); err != nil {
		t.Errorf("Delete of an absent key = %v, want nil", err)
	}
	if err := s.Delete(t.Context()); err != nil {
		t.Errorf("Delete of no key = %v, want nil", err)
	}
}

func anExpiredKeyIsGone(t *testing.T, s Store) {
	mustSet(t, s, t.Name(), []byte("brief"), 30*time.Millisecond)
	time.Sleep(40 * time.Millisecond)
	wantGone(t, s, t.Name())
}

func settingAgainReplacesTheLifetime(t *testing.T, s Store) {
	mustSet(t, s, t.Name()+"/longer", []byte("old"), 30*time.Millisecond)
	mustSet(t, s, t.Name()+"/longer", []byte("new"), time.Minute)
	mustSet(t, s, t.Name()+"/shorter", []byte("old"), time.Minute)
	mustSet(t, s, t.Name()+"/shorter", []byte("new"), 30*time.Millisecond)
	time.Sleep(40 * time.Millisecond)
	wantValue(t, s, t.Name()+"/longer", "new")
	wantGone(t, s, t.Name()+"/shorter")
}

func setIfAbsentHasOneWinner(t *testing.T, s Store) {
	for round := range 50 {
		key := fmt.Sprintf("%s/%d", t.Name(), round)
		winners := together(64, func() bool {
			ok, err := s.SetIfAbsent(t.Context(), key, []byte("mine"), time.Minute)
			if err != nil {
				t.Errorf("SetIfAbsent: %v", err)
			}
			return ok
		})
		if winners != 1 {
			t.Errorf("%d callers set the key, want 1", winners)
		}
		wantValue(t, s, key, "mine")
	}
}

func anExpiredKeyIsFree(t *testing.T, s Store) {
	mustSet(t, s, t.Name(), []byte("first"), 30*time.Millisecond)
	time.Sleep(40 * time.Millisecond)
	ok, err := s.SetIfAbsent(t.Context(), t.Name(), []byte("second"), time.Minute)
	if err != nil || !ok {
		t.Fatalf("SetIfAbsent on an expired key = %t, %v, want true", ok, err)
	}
	wantValue(t, s, t.Name(), "second")
}

func aKeySetIfAbsentExpires(t *testing.T, s Store) {
	for range 2 {
		ok, err := s.SetIfAbsent(t.Context(), t.Name(), nil, 30*time.Millisecond)
		if err != nil || !ok {
			t.Fatalf("SetIfAbsent on a free key = %t, %v, want true", ok, err)
		}
		time.Sleep(40 * time.Millisecond)
	}
	wantGone(t, s, t.Name())
}

func noMoreIsSpentThanThereIs(t *testing.T, s Store) {
	rate := Rate{Burst: 100, Every: time.Minute}
	var left [101]atomic.Int32
	passed := together(64, func() bool {
		for range 100 {
			b := mustSpend(t, s, t.Name(), rate, 1)
			if b.OK {
				left[b.Left].Add(1)
			} else if b.Left != 0 || b.Wait <= 0 || b.Wait > rate.Every {
				t.Errorf("refused with %+v", b)
			}
		}
		return true
	})
	if passed != 64 {
		t.Fatalf("%d callers came to an end", passed)
	}
	for n := range 100 {
		if got := left[n].Load(); got != 1 {
			t.Fatalf("%d callers were told that %d are left, want 1", got, n)
		}
	}
}

func whatIsRefusedIsNotCounted(t *testing.T, s Store) {
	rate := Rate{Burst: 2, Every: time.Hour}
	for want := int64(1); want >= 0; want-- {
		if b := mustSpend(t, s, t.Name(), rate, 1); !b.OK || b.Left != want || (b.Wait > 0) != (want == 0) {
			t.Errorf("budget %+v, want %d left", b, want)
		}
	}
	for range 5 {
		b := mustSpend(t, s, t.Name(), rate, 1)
		if b.OK || b.Wait <= 59*time.Minute || b.Wait > time.Hour || b.Full <= 119*time.Minute || b.Full > 2*time.Hour {
			t.Errorf("budget %+v, want a wait of an hour", b)
		}
	}
}

func aBudgetFillsAgain(t *testing.T, s Store) {
	rate := Rate{Burst: 3, Every: 200 * time.Millisecond}
	for range 3 {
		mustSpend(t, s, t.Name(), rate, 1)
	}
	if b := mustSpend(t, s, t.Name(), rate, 1); b.OK {
		t.Errorf("a fourth at once: %+v", b)
	}
	time.Sleep(210 * time.Millisecond)
	if b := mustSpend(t, s, t.Name(), rate, 1); !b.OK {
		t.Errorf("one more after its time: %+v", b)
	}
	time.Sleep(620 * time.Millisecond)
	wantGone(t, s, t.Name())
	if b := mustSpend(t, s, t.Name(), rate, 1); !b.OK || b.Left != 2 {
		t.Errorf("after all of the time: %+v, want 2 left", b)
	}
	// A budget that is full within the engine's unit is no error.
	if b := mustSpend(t, s, t.Name()+"-soon", Rate{Burst: 1, Every: time.Microsecond}, 1); !b.OK {
		t.Errorf("for a microsecond: %+v", b)
	}
}

func whatIsGivenBackCanBeSpent(t *testing.T, s Store) {
	rate := Rate{Burst: 2, Every: time.Hour}
	if b := mustSpend(t, s, t.Name(), rate, -5); !b.OK || b.Left != 2 || b.Full != 0 {
		t.Errorf("more than full: %+v", b)
	}
	wantGone(t, s, t.Name())
	mustSpend(t, s, t.Name(), rate, 2)
	if b := mustSpend(t, s, t.Name(), rate, -1); !b.OK || b.Left != 1 {
		t.Errorf("after giving one back: %+v, want 1 left", b)
	}
	if b := mustSpend(t, s, t.Name(), rate, 2); b.OK {
		t.Errorf("two of one: %+v", b)
	}
	if b := mustSpend(t, s, t.Name(), rate, 1); !b.OK {
		t.Errorf("the one that was given back: %+v", b)
	}
	mustSpend(t, s, t.Name(), rate, -2)
	wantGone(t, s, t.Name())
}

func aRateMustAllowSomething(t *testing.T, s Store) {
	for _, rate := range []Rate{{}, {Burst: 1}, {Every: time.Second}, {Burst: -1, Every: time.Second}, {Burst: 1, Every: time.Nanosecond}} {
		if b, err := s.Spend(t.Context(), t.Name(), rate, 1); !errors.Is(err, errRate) || b.OK {
			t.Errorf("Spend by %+v = %+v, %v, want %v", rate, b, err, errRate)
		}
	}
}

func itKnowsSinceWhenItRemembers(t *testing.T, s Store) {
	mustSpend(t, s, t.Name(), Rate{Burst: 1, Every: time.Minute}, 1)
	since := s.Since()
	if ago := time.Since(since); ago < 0 || ago > time.Hour {
		t.Errorf("it began %v ago", ago)
	}
	time.Sleep(5 * time.Millisecond)
	mustSpend(t, s, t.Name(), Rate{Burst: 1, Every: time.Minute}, 1)
	if again := s.Since(); !again.Equal(since) {
		t.Errorf("it began at %v, and a moment later at %v", since, again)
	}
}

func deleteRemovesOnlyTheNamed(t *testing.T, s Store) {
	for _, end := range []string{"a", "b", "c"} {
		mustSet(t, s, t.Name()+end, []byte(end), time.Minute)
	}
	if err := s.Delete(t.Context(), t.Name()+"a", t.Name()+"c"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	wantGone(t, s, t.Name()+"a")
	wantValue(t, s, t.Name()+"b", "b")
	wantGone(t, s, t.Name()+"c")
}

func aLifetimeMustBePositive(t *testing.T, s Store) {
	for _, ttl := range []time.Duration{0, -time.Second} {
		if err := s.Set(t.Context(), t.Name(), nil, ttl); !errors.Is(err, errLifetime) {
			t.Errorf("Set for %v = %v, want %v", ttl, err, errLifetime)
		}
		if _, err := s.SetIfAbsent(t.Context(), t.Name(), nil, ttl); !errors.Is(err, errLifetime) {
			t.Errorf("SetIfAbsent for %v = %v, want %v", ttl, err, errLifetime)
		}
	}
	wantGone(t, s, t.Name())
}

func anEndedContextIsRefused(t *testing.T, s Store) {
	ctx, end := context.WithCancel(t.Context())
	end()
	for name, err := range everyMethod(ctx, t, s) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with an ended context = %v, want context.Canceled", name, err)
		}
	}
	wantGone(t, s, t.Name())
}

func aClosedStoreRefuses(t *testing.T, s Store) {
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatalf("Close = %v, want nil", err)
		}
	}
	for name, err := range everyMethod(t.Context(), t, s) {
		if err == nil || errors.Is(err, ErrNotFound) {
			t.Errorf("%s after Close = %v, want a refusal", name, err)
		}
	}
}

func changingWhatWasPassedChangesNothing(t *testing.T, s Store) {
	value := []byte("kept")
	mustSet(t, s, t.Name(), value, time.Minute)
	copy(value, "lost")
	got, err := s.Get(t.Context(), t.Name())
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	copy(got, "lost")
	wantValue(t, s, t.Name(), "kept")
}

func TestTheEmptyURLIsTheStoreInThisProcess(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), "", "")
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	defer s.Close()
	if _, ok := s.(*memory); !ok {
		t.Errorf("Open(\"\") = %T, want *memory", s)
	}
}

func TestAnErrorOfOpenMasksThePassword(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis://user:hunter2@127.0.0.1:1/3":        "redis://xxxxx@127.0.0.1:1/3",
		"rediss://:hunter2@127.0.0.1:1":             "rediss://xxxxx@127.0.0.1:1",
		"http://user:hunter2@127.0.0.1":             "http://xxxxx@127.0.0.1",
		"redis://user:hunter2@127.0.0.1:port":       "redis://xxxxx@127.0.0.1:port",
		"redis://user:hunter2@127.0.0.1/x":          "redis://xxxxx@127.0.0.1/x",
		"redis://user:12/hunter2@127.0.0.1":         "redis://xxxxx@127.0.0.1",
		"redis://user:12?hunter2@127.0.0.1":         "redis://xxxxx@127.0.0.1",
		"redis://user:12#hunter2@127.0.0.1":         "redis://xxxxx@127.0.0.1",
		"redis://user:hunter2@hunter2@127.0.0.1:1":  "redis://xxxxx@127.0.0.1:1",
		"redis://user:%zzhunter2@127.0.0.1":         "redis://xxxxx@127.0.0.1",
		"user:hunter2@127.0.0.1":                    "xxxxx@127.0.0.1",
		"redis://127.0.0.1:1?password=hunter2":      "redis://127.0.0.1:1:",
		"redis://:x@127.0.0.1:1?read_timeout=junk&": "redis://xxxxx@127.0.0.1:1:",
	} {
		s, err := Open(t.Context(), url, "")
		if err == nil { // nobody answers, which the log says
			s := s.(*remote)
			err = fmt.Errorf("open key-value store %s: %w", s.gate.name, s.Ping(t.Context()))
			t.Cleanup(func() { _ = s.Close() })
		}
		if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q) = %q, which shows the password", url, err)
		}
		if !strings.Contains(err.Error(), "open key-value store "+want) {
			t.Errorf("Open(%q) = %q, want it to name %q", url, err, want)
		}
	}
}

// everyMethod calls each method once and returns the errors by name.
func everyMethod(ctx context.Context, t *testing.T, s Store) map[string]error {
	errs := map[string]error{
		"Ping":   s.Ping(ctx),
		"Set":    s.Set(ctx, t.Name(), nil, time.Minute),
		"Delete": s.Delete(ctx, t.Name()),
	}
	_, errs["Get"] = s.Get(ctx, t.Name())
	_, errs["SetIfAbsent"] = s.SetIfAbsent(ctx, t.Name(), nil, time.Minute)
	_, errs["Spend"] = s.Spend(ctx, t.Name(), Rate{Burst: 1, Every: time.Minute}, 1)
	return errs
}

// together runs f in n goroutines that begin at once and returns how many said true.
func together(n int, f func() bool) int {
	var (
		yes   atomic.Int32
		gate  = make(chan struct{})
		group sync.WaitGroup
	)
	for range n {
		group.Go(func() {
			<-gate
			if f() {
				yes.Add(1)
			}
		})
	}
	close(gate)
	group.Wait()
	return int(yes.Load())
}

func mustSet(t *testing.T, s Store, key string, value []byte, ttl time.Duration) {
	t.Helper()
	if err := s.Set(t.Context(), key, value, ttl); err != nil {
		t.Fatalf("Set: %v", err)
	}
}

func mustSpend(t *testing.T, s Store, key string, rate Rate, n int64) Budget {
	t.Helper()
	b, err := s.Spend(t.Context(), key, rate, n)
	if err != nil {
		t.Fatalf("Spend: %v", err)
	}
	return b
}

func wantGone(t *testing.T, s Store, key string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); !errors.Is(err, ErrNotFound) {
		t.Errorf("Get(%s) = %q, %v, want ErrNotFound", key, got, err)
	}
}

func wantValue(t *testing.T, s Store, key, want string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); err != nil || string(got) != want {
		t.Errorf("Get(%s) = %q, %v, want %q", key, got, err, want)
	}
}
