package kv

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	t.Parallel()
	Contract(t, func(t *testing.T) Store { return openMemory(t, maxEntries) })
}

// Z-30: in miniredis lifetimes do not run down by themselves.
func TestAMemoryKeyLivesExactlyItsLifetime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := openMemory(t, maxEntries)
		mustSet(t, m, "key", []byte("value"), time.Hour)
		rate := Rate{Burst: 1, Every: time.Hour}
		mustSpend(t, m, "budget", rate, 1)
		time.Sleep(time.Hour - time.Nanosecond)
		wantValue(t, m, "key", "value")
		if b := mustSpend(t, m, "budget", rate, 1); b.OK || b.Wait != time.Nanosecond {
			t.Errorf("Spend at the end = %+v, want a wait of 1ns", b)
		}
		time.Sleep(time.Nanosecond)
		wantGone(t, m, "key")
		if b := mustSpend(t, m, "budget", rate, 1); !b.OK || b.Full != time.Hour {
			t.Errorf("Spend after the end = %+v, want one", b)
		}
	})
}

func TestExpiredMemoryKeysAreSweptUnread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := openMemory(t, maxEntries)
		for i := range 1000 {
			mustSet(t, m, strconv.Itoa(i), nil, time.Duration(i+1)*100*time.Millisecond)
		}
		time.Sleep(50*time.Second + time.Millisecond)
		if got := held(m); got != 500 {
			t.Errorf("%d entries are held half way, want 500", got)
		}
		time.Sleep(51 * time.Second)
		if got := held(m); got != 0 {
			t.Errorf("%d entries are held in the end, want 0", got)
		}
	})
}

// Not parallel: it measures the heap.
func TestAMillionShortLivedKeysDoNotStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := openMemory(t, maxEntries)
		value := make([]byte, 100)
		before := heapInUse()
		for wave := range 20 {
			for i := range 50_000 {
				mustSet(t, m, fmt.Sprintf("session/%d/%d", wave, i), value, time.Second)
			}
			time.Sleep(3 * time.Second)
		}
		if got := held(m); got != 0 {
			t.Errorf("%d entries are held, want 0", got)
		}
		// What stays is the empty room of the maps, as large as one wave made it. A key name
		// remembered for each of the million would be more than 50 MB.
		if grown := heapInUse() - before; grown > 24<<20 {
			t.Errorf("the heap grew by %d MB, want at most 24", grown>>20)
		}
		runtime.KeepAlive(m)
	})
}

func TestAFullMemoryDropsTheSoonestToExpire(t *testing.T) {
	t.Parallel()
	const each = 5
	m := openMemory(t, each*shardCount)
	keys := make(map[*shard][]string)
	for i := range 2000 {
		key := strconv.Itoa(i)
		s := m.lock(key)
		s.mu.Unlock()
		keys[s] = append(keys[s], key)
		// Every other key is set twice: its second lifetime is what counts.
		if i%2 == 0 {
			mustSet(t, m, key, nil, 24*time.Hour)
		}
		mustSet(t, m, key, []byte(key), time.Hour+time.Duration(i)*time.Second)
	}
	if got := held(m); got != each*shardCount {
		t.Errorf("%d entries are held, want %d", got, each*shardCount)
	}
	for _, all := range keys {
		for i, key := range all {
			if i < len(all)-each {
				wantGone(t, m, key)
			} else {
				wantValue(t, m, key, key)
			}
		}
	}
}

func TestANewLifetimeMovesAKeyInTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := openMemory(t, maxEntries)
		for i := range 1000 {
			mustSet(t, m, strconv.Itoa(i), nil, time.Duration(i+1)*time.Hour)
		}
		for i := range 1000 {
			mustSet(t, m, strconv.Itoa(i), nil, time.Duration(1000-i)*time.Second)
		}
		for gone := 100; gone <= 1000; gone += 100 {
			time.Sleep(100 * time.Second)
			synctest.Wait()
			if got, want := held(m), 1000-gone; got != want {
				t.Errorf("after %ds %d entries are held, want %d", gone, got, want)
			}
		}
	})
}

func TestAFullMemoryStillTakesABriefKey(t *testing.T) {
	t.Parallel()
	m := openMemory(t, shardCount)
	for i := range 1000 {
		mustSet(t, m, strconv.Itoa(i), nil, time.Hour)
	}
	mustSet(t, m, "brief", []byte("here"), time.Minute)
	wantValue(t, m, "brief", "here")
}

func TestClosingMemoryEndsItsGoroutines(t *testing.T) {
	t.Parallel()
	// The bubble fails when a goroutine is left.
	synctest.Test(t, func(t *testing.T) {
		m := newMemory(maxEntries)
		time.Sleep(10 * time.Second)
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}

func BenchmarkMemoryGet(b *testing.B) {
	m := newMemory(maxEntries)
	defer m.Close()
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = "session/" + strconv.Itoa(i)
		if err := m.Set(b.Context(), keys[i], make([]byte, 300), time.Hour); err != nil {
			b.Fatalf("Set: %v", err)
		}
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := m.Get(b.Context(), keys[i%len(keys)]); err != nil {
				b.Errorf("Get: %v", err)
			}
		}
	})
}

func BenchmarkMemorySpend(b *testing.B) {
	m := newMemory(maxEntries)
	defer m.Close()
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = "rate/" + strconv.Itoa(i)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := m.Spend(b.Context(), keys[i%len(keys)], Rate{Burst: 10, Every: time.Minute}, 1); err != nil {
				b.Errorf("Spend: %v", err)
			}
		}
	})
}

func openMemory(t *testing.T, limit int) *memory {
	t.Helper()
	m := newMemory(limit)
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return m
}

// held is how many entries m has, expired ones included, and checks its books on the way.
func held(m *memory) int {
	n := 0
	for _, s := range m.shards {
		s.mu.Lock()
		fields, err := s.values.HKeys(hashName)
		if err != nil {
			fields = nil
		}
		queued := len(s.claimed)
		for _, line := range s.lines {
			queued += len(*line)
		}
		if len(fields) != len(s.entries) || queued != len(s.entries) {
			panic(fmt.Sprintf("a shard has %d values, %d entries and %d in its queues", len(fields), len(s.entries), queued))
		}
		n += len(s.entries)
		s.mu.Unlock()
	}
	return n
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// a flood of one kind of key pushes out nothing of another, and nothing that was used.
func TestAFloodPushesOutItsOwnKindAlone(t *testing.T) {
	t.Parallel()
	m := openMemory(t, 100*shardCount)
	rate := Rate{Burst: 10, Every: 90 * time.Second}
	for i := range 20 {
		who := strconv.Itoa(i)
		if b := mustSpend(t, m, "sign-in-account:"+who, rate, 10); !b.OK {
			t.Fatal("the budget is not there")
		}
		mustSetIfAbsent(t, m, "dpop:"+who, true)
	}
	for i := range 50_000 { // with debts that last longer than what is locked
		mustSpend(t, m, "mail-mailbox:"+strconv.Itoa(i), Rate{Burst: 10, Every: time.Hour}, 10)
	}
	for i := range 20 {
		who := strconv.Itoa(i)
		if b := mustSpend(t, m, "sign-in-account:"+who, rate, 1); b.OK {
			t.Errorf("account %d is not locked any more", i)
		}
		mustSetIfAbsent(t, m, "dpop:"+who, false)
	}
	if got := held(m); got > 100*shardCount+20 {
		t.Errorf("%d entries are held, want %d and 20 claims", got, 100*shardCount)
	}
}

func TestAMemoryFullOfClaimsTakesNoMore(t *testing.T) {
	t.Parallel()
	m := openMemory(t, shardCount)
	refused := 0
	for i := range 1000 {
		ok, err := m.SetIfAbsent(t.Context(), strconv.Itoa(i), nil, time.Hour)
		if err != nil {
			refused++
			if !errors.Is(err, errFull) || ok {
				t.Fatalf("SetIfAbsent() = %v, %v", ok, err)
			}
		}
	}
	if refused != 1000-shardCount {
		t.Errorf("%d claims were refused, want all but %d", refused, shardCount)
	}
	mustSet(t, m, "a value", []byte("here"), time.Minute)
	wantValue(t, m, "a value", "here")
}

func mustSetIfAbsent(t *testing.T, m *memory, key string, want bool) {
	t.Helper()
	if got, err := m.SetIfAbsent(t.Context(), key, nil, time.Hour); err != nil || got != want {
		t.Errorf("SetIfAbsent(%s) = %v, %v, want %v", key, got, err, want)
	}
}
