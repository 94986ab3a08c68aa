package kv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// contract is what every engine must keep. The stores that open returns may share their data,
// so each test uses keys of its own.
func contract(t *testing.T, open func(t *testing.T) Store) {
	tests := map[string]func(*testing.T, Store){
		"AValueSetIsRead":                     aValueSetIsRead,
		"AnAbsentKeyIsNotFound":               anAbsentKeyIsNotFound,
		"AnExpiredKeyIsGone":                  anExpiredKeyIsGone,
		"SettingAgainReplacesTheLifetime":     settingAgainReplacesTheLifetime,
		"TakeHasOneWinner":                    takeHasOneWinner,
		"SetIfAbsentHasOneWinner":             setIfAbsentHasOneWinner,
		"AnExpiredKeyIsFree":                  anExpiredKeyIsFree,
		"AKeySetIfAbsentExpires":              aKeySetIfAbsentExpires,
		"NoMoreIsSpentThanThereIs":            noMoreIsSpentThanThereIs,
		"WhatIsRefusedIsNotCounted":           whatIsRefusedIsNotCounted,
		"ABudgetFillsAgain":                   aBudgetFillsAgain,
		"WhatIsGivenBackCanBeSpent":           whatIsGivenBackCanBeSpent,
		"ARateMustAllowSomething":             aRateMustAllowSomething,
		"DeleteRemovesOnlyTheNamed":           deleteRemovesOnlyTheNamed,
		"ALifetimeMustBePositive":             aLifetimeMustBePositive,
		"PublishReachesEverySubscriber":       publishReachesEverySubscriber,
		"MessagesKeepTheirOrder":              messagesKeepTheirOrder,
		"ACancelledSubscriptionHearsNoMore":   aCancelledSubscriptionHearsNoMore,
		"WhatWaitsAtCancelIsNotHandled":       whatWaitsAtCancelIsNotHandled,
		"ASubscriptionOutlivesItsContext":     aSubscriptionOutlivesItsContext,
		"AnEndedContextIsRefused":             anEndedContextIsRefused,
		"AClosedStoreRefuses":                 aClosedStoreRefuses,
		"AHandleMayCancelItsOwnSubscription":  aHandleMayCancelItsOwnSubscription,
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
	if _, err := s.Take(t.Context(), t.Name()); !errors.Is(err, ErrNotFound) {
		t.Errorf("Take of an absent key = %v, want ErrNotFound", err)
	}
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
	if _, err := s.Take(t.Context(), t.Name()); !errors.Is(err, ErrNotFound) {
		t.Errorf("Take of an expired key = %v, want ErrNotFound", err)
	}
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

func takeHasOneWinner(t *testing.T, s Store) {
	for round := range 50 {
		key := fmt.Sprintf("%s/%d", t.Name(), round)
		mustSet(t, s, key, []byte("once"), time.Minute)
		winners := together(64, func() bool {
			got, err := s.Take(t.Context(), key)
			if err != nil && !errors.Is(err, ErrNotFound) {
				t.Errorf("Take: %v", err)
			}
			return err == nil && string(got) == "once"
		})
		if winners != 1 {
			t.Errorf("%d callers took the value, want 1", winners)
		}
		wantGone(t, s, key)
	}
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
	rate := Rate{Burst: 3, Every: 40 * time.Millisecond}
	for range 3 {
		mustSpend(t, s, t.Name(), rate, 1)
	}
	if b := mustSpend(t, s, t.Name(), rate, 1); b.OK {
		t.Errorf("a fourth at once: %+v", b)
	}
	time.Sleep(50 * time.Millisecond)
	if b := mustSpend(t, s, t.Name(), rate, 1); !b.OK {
		t.Errorf("one more after its time: %+v", b)
	}
	time.Sleep(140 * time.Millisecond)
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

func publishReachesEverySubscriber(t *testing.T, s Store) {
	var ears []chan string
	for range 5 {
		ear, _ := listenTo(t, s, t.Name())
		ears = append(ears, ear)
	}
	elsewhere, _ := listenTo(t, s, t.Name()+"/other")
	mustPublish(t, s, t.Name(), "news")
	for _, ear := range ears {
		wantMessage(t, ear, "news")
	}
	wantSilence(t, elsewhere)
}

func messagesKeepTheirOrder(t *testing.T, s Store) {
	ear, _ := listenTo(t, s, t.Name())
	var want, got []string
	for i := range 1000 {
		want = append(want, fmt.Sprint(i))
		mustPublish(t, s, t.Name(), fmt.Sprint(i))
		if i%100 == 99 {
			for range 100 {
				got = append(got, receive(t, ear))
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
}

func aCancelledSubscriptionHearsNoMore(t *testing.T, s Store) {
	stays, _ := listenTo(t, s, t.Name())
	leaves, cancel := listenTo(t, s, t.Name())
	mustPublish(t, s, t.Name(), "one")
	wantMessage(t, stays, "one")
	wantMessage(t, leaves, "one")
	cancel()
	cancel()
	mustPublish(t, s, t.Name(), "two")
	wantMessage(t, stays, "two")
	wantSilence(t, leaves)
}

func whatWaitsAtCancelIsNotHandled(t *testing.T, s Store) {
	heard, wake := make(chan string, 2), make(chan struct{})
	cancel, err := s.Subscribe(t.Context(), t.Name(), func(m []byte) { heard <- string(m); <-wake })
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	mustPublish(t, s, t.Name(), "in hand")
	wantMessage(t, heard, "in hand")
	mustPublish(t, s, t.Name(), "waiting")
	cancel()
	close(wake)
	wantSilence(t, heard)
}

func aSubscriptionOutlivesItsContext(t *testing.T, s Store) {
	ctx, end := context.WithCancel(t.Context())
	ear := make(chan string, 1)
	cancel, err := s.Subscribe(ctx, t.Name(), func(m []byte) { ear <- string(m) })
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	defer cancel()
	end()
	mustPublish(t, s, t.Name(), "still here")
	wantMessage(t, ear, "still here")
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
	ear, _ := listenTo(t, s, t.Name())
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
	wantSilence(t, ear)
}

func aHandleMayCancelItsOwnSubscription(t *testing.T, s Store) {
	heard := make(chan string, 2)
	var cancel func()
	ready := make(chan struct{})
	cancel, err := s.Subscribe(t.Context(), t.Name(), func(m []byte) {
		<-ready
		cancel()
		heard <- string(m)
	})
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	close(ready)
	mustPublish(t, s, t.Name(), "one")
	wantMessage(t, heard, "one")
	mustPublish(t, s, t.Name(), "two")
	wantSilence(t, heard)
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

	ear, _ := listenTo(t, s, t.Name())
	message := []byte("sent")
	if err := s.Publish(t.Context(), t.Name(), message); err != nil {
		t.Fatalf("Publish: %v", err)
	}
	copy(message, "lost")
	wantMessage(t, ear, "sent")
}

func TestTheEmptyURLIsTheStoreInThisProcess(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), "")
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
		_, err := Open(t.Context(), url)
		if err == nil {
			t.Errorf("Open(%q) succeeded, want an error", url)
			continue
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
		"Ping":    s.Ping(ctx),
		"Set":     s.Set(ctx, t.Name(), nil, time.Minute),
		"Delete":  s.Delete(ctx, t.Name()),
		"Publish": s.Publish(ctx, t.Name(), nil),
	}
	_, errs["Get"] = s.Get(ctx, t.Name())
	_, errs["Take"] = s.Take(ctx, t.Name())
	_, errs["SetIfAbsent"] = s.SetIfAbsent(ctx, t.Name(), nil, time.Minute)
	_, errs["Spend"] = s.Spend(ctx, t.Name(), Rate{Burst: 1, Every: time.Minute}, 1)
	_, errs["Subscribe"] = s.Subscribe(ctx, t.Name(), func([]byte) {})
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

func mustPublish(t *testing.T, s Store, channel, message string) {
	t.Helper()
	if err := s.Publish(t.Context(), channel, []byte(message)); err != nil {
		t.Fatalf("Publish: %v", err)
	}
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

// listenTo subscribes and returns what is heard.
func listenTo(t *testing.T, s Store, channel string) (ear chan string, cancel func()) {
	t.Helper()
	ear = make(chan string, 1000)
	cancel, err := s.Subscribe(t.Context(), channel, func(m []byte) { ear <- string(slices.Clone(m)) })
	if err != nil {
		t.Fatalf("Subscribe: %v", err)
	}
	t.Cleanup(cancel)
	return ear, cancel
}

func receive(t *testing.T, ear <-chan string) string {
	t.Helper()
	select {
	case got := <-ear:
		return got
	case <-time.After(10 * time.Second):
		t.Fatal("no message came")
		return ""
	}
}

func wantMessage(t *testing.T, ear <-chan string, want string) {
	t.Helper()
	if got := receive(t, ear); got != want {
		t.Errorf("message = %q, want %q", got, want)
	}
}

func wantSilence(t *testing.T, ear <-chan string) {
	t.Helper()
	select {
	case got := <-ear:
		t.Errorf("message %q came, want none", got)
	case <-time.After(50 * time.Millisecond):
	}
}
