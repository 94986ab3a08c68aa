package kv

import (
	"errors"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRedisKeepsTheContract(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	Contract(t, func(t *testing.T) Store { return openRemote(t, server.url()) })
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
	if err != nil || len(keys) != 5 {
		t.Fatalf("keys = %q, %v, want 4 and the one that stays", keys, err)
	}
	for _, key := range slices.DeleteFunc(keys, func(key string) bool { return key == "authy:mark:since" }) {
		if !strings.HasPrefix(key, "authy:mark:") {
			t.Errorf("key %q, want the prefix authy:mark:", key)
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
}

func TestInstallationsOnOneRedisCountForThemselves(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	rate := Rate{Burst: 2, Every: time.Hour}
	mustSpend(t, openOf(t, server.url(), "one"), "bob", rate, 2)
	if b := mustSpend(t, openOf(t, server.url(), "another"), "bob", rate, 1); b.Left != 1 {
		t.Errorf("the first of another installation = %+v, want 1 left", b)
	}
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
	waitUntil(t, "Redis is used again", func() bool { return s.Ping(t.Context()) == nil })
	for range 20 {
		if err := s.Ping(t.Context()); err != nil {
			t.Errorf("Ping after the restart: %v", err)
		}
	}
}

func TestASilentRedisIsTroubleAtOnce(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	wire := startRelay(t, server.address)
	s := openRemote(t, "redis://"+wire.address())
	mustSet(t, s, "key", nil, time.Minute)
	wire.mute()
	begun := time.Now()
	for range 100 {
		if _, err := s.Get(t.Context(), "key"); err == nil || errors.Is(err, ErrNotFound) {
			t.Fatalf("Get from a silent server = %v, want an error", err)
		}
	}
	// The first waits, the others know.
	if took := time.Since(begun); took >= time.Second {
		t.Errorf("100 times Get from a silent server took %v, want less than 1s", took)
	}
	wire.unmute()
	waitUntil(t, "Redis is used again", func() bool { return s.Ping(t.Context()) == nil })
}

// What Redis has missed or lost is not known any more: it says since when it knows.
func TestRedisSaysSinceWhenItKnows(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	s, other := openRemote(t, server.url()), openRemote(t, server.url())
	since := func(s *remote) time.Time {
		waitUntil(t, "Redis is used", func() bool {
			_, err := s.Spend(t.Context(), "budget", Rate{Burst: 1, Every: time.Hour}, 0)
			return err == nil
		})
		return s.Since()
	}
	began := since(s)
	for trouble, cause := range map[string]func(){
		"it restarted empty":  func() { server.kill(t); server.start(t) },
		"somebody emptied it": func() { s.client.FlushAll(t.Context()) },
		"one node lost it":    func() { s.gate.trip(t.Context(), errSilly) },
	} {
		cause()
		now := since(s)
		if !now.After(began) || !since(other).Equal(now) {
			t.Errorf("%s: before %v, then %v, and on another node %v", trouble, began, now, since(other))
		}
		began = now
	}
}

// A Redis that comes back with what it had a while ago says that it has begun anew, although no
// request meets it while it is away: the client replaces cut connections that nobody used.
func TestARedisThatCameBackWithOlderDataHasBegunAnew(t *testing.T) {
	t.Parallel()
	server, ahead := startRedis(t), startRedis(t)
	s, other := openRemote(t, server.url()), openRemote(t, server.url())
	rate := Rate{Burst: 3, Every: time.Hour}
	mustSpend(t, s, "budget", rate, 1)
	mustSpend(t, other, "budget", rate, 1)
	for _, trouble := range []struct {
		name  string
		cause func()
	}{
		{"it restarted with a dump", func() {
			server.tell(t, "SAVE")
			server.kill(t)
			server.start(t)
		}},
		{"it lost its turn to a replica, and came back with what that had", func() {
			ahead.follow(t, server)
			ahead.tell(t, "REPLICAOF", "NO", "ONE")
			server.follow(t, ahead)
			server.tell(t, "REPLICAOF", "NO", "ONE")
			server.tell(t, "CLIENT", "KILL", "TYPE", "normal")
		}},
	} {
		began := s.Since()
		trouble.cause()
		if b := mustSpend(t, s, "budget", rate, 0); b.Left != 1 {
			t.Fatalf("%s: it came back with %+v, want what it had", trouble.name, b)
		}
		mustSpend(t, other, "budget", rate, 0)
		if now := s.Since(); !now.After(began) || !other.Since().Equal(now) {
			t.Errorf("%s: before %v, then %v, and on another node %v", trouble.name, began, now, other.Since())
		}
	}
}

// Who may not ask which server it is goes by the safe side.
func TestARedisThatDoesNotSayWhichItIsBeginsWithEachConnection(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	server.tell(t, "ACL", "SETUSER", "shy", "on", ">shy", "~*", "+@all", "-info")
	s := openRemote(t, "redis://shy:shy@"+server.address)
	rate := Rate{Burst: 3, Every: time.Hour}
	mustSpend(t, s, "budget", rate, 1)
	began := s.Since()
	mustSpend(t, s, "budget", rate, 0)
	if !s.Since().Equal(began) {
		t.Errorf("on the same connection: %v and then %v", began, s.Since())
	}
	server.tell(t, "CLIENT", "KILL", "TYPE", "normal")
	mustSpend(t, s, "budget", rate, 0)
	if !s.Since().After(began) {
		t.Errorf("on another connection: %v as before", began)
	}
}

var errSilly = errors.New("no route to host")

// A server that answers, and cannot be written to, is of no use.
func TestARedisThatCannotBeWrittenToIsNotUsed(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	s := openRemote(t, server.url())
	rate := Rate{Burst: 10, Every: time.Hour}
	for trouble, of := range map[string][2][]any{
		"read-only":     {{"REPLICAOF", "127.0.0.1", "1"}, {"REPLICAOF", "NO", "ONE"}},
		"out of memory": {{"CONFIG", "SET", "maxmemory", "1"}, {"CONFIG", "SET", "maxmemory", "0"}},
	} {
		server.tell(t, of[0]...)
		if _, err := s.Spend(t.Context(), "budget", rate, 1); err == nil {
			t.Errorf("%s: it counted", trouble)
		}
		time.Sleep(3 * tryAgain)
		if err := s.Ping(t.Context()); err == nil {
			t.Errorf("%s: it is used again", trouble)
		}
		server.tell(t, of[1]...)
		waitUntil(t, "Redis is used again", func() bool { return s.Ping(t.Context()) == nil })
	}
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
	waitUntil(t, "Redis is used again", func() bool { return s.Ping(t.Context()) == nil })
	if b := mustSpend(t, s, "budget", rate, 1); b.Left != 7 {
		t.Errorf("third Spend = %+v, want 7 left", b)
	}
}

func TestAStoreThatDoesNotAnswerYetIsUsedWhenItDoes(t *testing.T) {
	t.Parallel()
	server := startRedis(t)
	server.kill(t)
	s := openRemote(t, server.url())
	if err := s.Ping(t.Context()); err == nil {
		t.Error("it answers")
	}
	server.start(t)
	waitUntil(t, "Redis is used", func() bool { return s.Ping(t.Context()) == nil })
}

func TestAWrongPasswordIsSaid(t *testing.T) {
	t.Parallel()
	server := startRedis(t, "--requirepass", "correct")
	s := openRemote(t, "redis://:wrong@"+server.address)
	if err := s.Ping(t.Context()); err == nil || !strings.Contains(err.Error(), "WRONGPASS") || strings.Contains(err.Error(), ":wrong") {
		t.Errorf("Ping = %v, want WRONGPASS and no password", err)
	}
	if err := openRemote(t, "redis://:correct@"+server.address).Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

// Not parallel: it counts goroutines.
func TestClosingRedisEndsItsGoroutines(t *testing.T) {
	s := openRemote(t, startRedis(t).url())
	together(10, func() bool { return s.Ping(t.Context()) == nil })
	if err := s.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
	waitUntil(t, "no goroutine is left", func() bool { return redisGoroutines() == 0 })
}

func BenchmarkRedisSpend(b *testing.B) {
	s := openRemote(b, startRedis(b).url())
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = "rate/" + strconv.Itoa(i)
	}
	for i := 0; b.Loop(); i++ {
		if _, err := s.Spend(b.Context(), keys[i%len(keys)], Rate{Burst: 10, Every: time.Minute}, 1); err != nil {
			b.Fatal(err)
		}
	}
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

func openRemote(t testing.TB, url string) *remote {
	t.Helper()
	return openOf(t, url, "mark")
}

// openOf opens the store of an installation.
func openOf(t testing.TB, url, mark string) *remote {
	t.Helper()
	s, err := Open(t.Context(), url, mark)
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
