package kv

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestRedisKeepsTheContract(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	contract(t, func(t *testing.T) Store { return openRemote(t, server.url()) })
}

func TestRedisKeysCarryThePrefixAndALifetime(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	s := openRemote(t, server.url())
	mustSet(t, s, "set", nil, time.Minute)
	mustSet(t, s, "set-briefly", nil, 1500*time.Millisecond)
	mustSpend(t, s, "spend", Rate{Burst: 2, Every: 30 * time.Second}, 2)
	if _, err := s.SetIfAbsent(t.Context(), "absent", nil, time.Minute); err != nil {
		t.Fatalf("SetIfAbsent: %v", err)
	}
	keys, err := s.client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 4 {
		t.Fatalf("keys = %q, %v, want 4", keys, err)
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, "authy:") {
			t.Errorf("key %q, want the prefix authy:", key)
		}
		left, err := s.client.PTTL(t.Context(), key).Result()
		if err != nil || left <= 0 || left > time.Minute {
			t.Errorf("lifetime of %s = %v, %v, want up to a minute", key, left, err)
		}
	}
}

func TestNodesShareOneRedis(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	a, b := openRemote(t, server.url()), openRemote(t, server.url())
	mustSet(t, a, "session", []byte("hot"), time.Minute)
	wantValue(t, b, "session", "hot")
	ear, _ := listenTo(t, b, "revoked")
	mustPublish(t, a, "revoked", "session")
	wantMessage(t, ear, "session")
}

func TestPingFailsWithoutRedisAndWorksWhenItIsBack(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	s := openRemote(t, server.url())
	// Several idle connections, all of which will be stale.
	together(8, func() bool { return s.Ping(t.Context()) == nil })
	server.kill(t)
	begun := time.Now()
	if err := s.Ping(t.Context()); err == nil {
		t.Error("Ping without a server = nil, want an error")
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("Ping without a server took %v, want at most 1s", took)
	}
	server.start(t)
	for range 20 {
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("Ping after the restart: %v", err)
		}
	}
}

func TestASubscriptionReturnsAfterARestart(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	s := openRemote(t, server.url())
	ear, cancel := listenTo(t, s, "news")
	server.kill(t)
	time.Sleep(2 * pause)
	server.start(t)
	wantHeardAgain(t, s, ear)
	cancel()
	mustPublish(t, s, "news", "unheard")
	for len(ear) > 0 {
		<-ear
	}
	wantSilence(t, ear)
}

func TestASilentRedisIsTroubleWithinASecond(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	wire := startRelay(t, server.address)
	s := openRemote(t, "redis://"+wire.address())
	ear, _ := listenTo(t, s, "news")
	wire.mute()
	// The quickest of three, for the machine itself may be slow.
	quickest := time.Hour
	for range 3 {
		begun := time.Now()
		if _, err := s.Get(t.Context(), "key"); err == nil {
			t.Error("Get from a silent server succeeded, want an error")
		}
		quickest = min(quickest, time.Since(begun))
	}
	if quickest >= time.Second {
		t.Errorf("Get from a silent server took %v, want less than 1s", quickest)
	}
	// The old connections stay dead, and nobody tells the subscription.
	wire.unmute()
	wantHeardAgain(t, openRemote(t, server.url()), ear)
}

func TestASpendWhoseAnswerWasLostIsNotRepeated(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	wire := startRelay(t, server.address)
	s := openRemote(t, "redis://"+wire.address())
	rate := Rate{Burst: 10, Every: time.Hour}
	mustSpend(t, s, "budget", rate, 1)
	wire.cutNextAnswer()
	if b, err := s.Spend(t.Context(), "budget", rate, 1); err == nil {
		t.Errorf("Spend whose answer was lost = %+v, want an error", b)
	}
	if b := mustSpend(t, s, "budget", rate, 1); b.Left != 7 {
		t.Errorf("third Spend = %+v, want 7 left", b)
	}
}

func TestOpenNeedsAServerThatAnswers(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	server.kill(t)
	if _, err := Open(t.Context(), server.url()); err == nil {
		t.Error("Open without a server succeeded, want an error")
	}
}

func TestAWrongPasswordIsAnErrorOfOpen(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--requirepass", "correct")
	_, err := Open(t.Context(), "redis://:wrong@"+server.address)
	if err == nil {
		t.Fatal("Open with a wrong password succeeded, want an error")
	}
	if !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), ":wrong") {
		t.Errorf("Open = %q, want WRONGPASS and no password", err)
	}
	openRemote(t, "redis://:correct@"+server.address)
}

// Not parallel: it counts goroutines.
func TestClosingRedisEndsItsGoroutines(t *testing.T) {
	s := openRemote(t, startRedis(t).url())
	for range 10 {
		listenTo(t, s, "news")
	}
	waitUntil(t, "ten subscriptions run", func() bool { return redisGoroutines() >= 10 })
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	waitUntil(t, "no goroutine is left", func() bool { return redisGoroutines() == 0 })
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 5s in vain until %s", what)
		}
	}
}

// redisGoroutines is how many goroutines are in, or were started by, this engine or its client.
func redisGoroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "kv.(*remote)") || strings.Contains(stack, "redis/go-redis") {
			n++
		}
	}
	return n
}

func openRemote(t *testing.T, url string) *remote {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s.(*remote)
}

// wantHeardAgain publishes until ear hears something, for as long as a subscription may need
// to find its way back.
func wantHeardAgain(t *testing.T, s Store, ear <-chan string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; {
		mustPublish(t, s, "news", "again")
		select {
		case <-ear:
			return
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing was heard within 5s")
		}
	}
}
