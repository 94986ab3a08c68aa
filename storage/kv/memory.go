package kv

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

const (
	shardCount = 16
	// maxEntries is how many keys the memory store holds, and as many again that were claimed by
	// SetIfAbsent. It bounds the memory that a flood of requests can take: at the limit a new
	// key pushes out, of the kind of which its shard (a sixteenth of the store) has most, the
	// one that would expire soonest, and no claim is taken.
	maxEntries = 100_000
	sweepEvery = time.Second
)

// memory is the engine in this process.
type memory struct {
	seed   maphash.Seed
	shards [shardCount]*shard
	began  time.Time
	closed atomic.Bool
	stop   chan struct{}
	swept  sync.WaitGroup
}

// newMemory makes a store for at most limit entries and starts its sweeper, which Close ends.
func newMemory(limit int) *memory {
	m := &memory{seed: maphash.MakeSeed(), began: time.Now(), stop: make(chan struct{})}
	for i := range m.shards {
		m.shards[i] = newShard(max(1, limit/shardCount))
	}
	m.swept.Go(m.sweep)
	return m
}

func (m *memory) Get(ctx context.Context, key string) ([]byte, error) {
	if err := m.ready(ctx); err != nil {
		return nil, fmt.Errorf("get %s: %w", key, err)
	}
	s := m.lock(key)
	defer s.mu.Unlock()
	if s.live(key, time.Now()) == nil {
		return nil, ErrNotFound
	}
	return []byte(s.value(key)), nil
}

func (m *memory) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if err := m.readyFor(ctx, ttl); err != nil {
		return fmt.Errorf("set %s: %w", key, err)
	}
	s := m.lock(key)
	defer s.mu.Unlock()
	s.put(key, string(value), time.Now().Add(ttl))
	return nil
}

func (m *memory) SetIfAbsent(
	ctx context.Context, key string, value []byte, ttl time.Duration,
) (bool, error) {
	if err := m.readyFor(ctx, ttl); err != nil {
		return false, fmt.Errorf("set %s if absent: %w", key, err)
	}
	s := m.lock(key)
	defer s.mu.Unlock()
	now := time.Now()
	if s.live(key, now) != nil {
		return false, nil
	}
	if err := s.claim(key, string(value), now.Add(ttl)); err != nil {
		return false, fmt.Errorf("set %s if absent: %w", key, err)
	}
	return true, nil
}

// Spend remembers the moment at which the budget is full as the deadline of the entry.
func (m *memory) Spend(ctx context.Context, key string, rate Rate, n int64) (Budget, error) {
	if err := errors.Join(rate.usable(), m.ready(ctx)); err != nil {
		return Budget{}, fmt.Errorf("spend %s: %w", key, err)
	}
	s := m.lock(key)
	defer s.mu.Unlock()
	now := time.Now()
	e := s.live(key, now)
	var debt time.Duration
	if e != nil {
		debt = e.deadline.Sub(now)
	}
	debt, ok := rate.spend(debt, n)
	switch {
	case debt > 0:
		s.put(key, "", now.Add(debt))
	case e != nil:
		s.drop(e)
	}
	return rate.budget(debt, ok), nil
}

func (m *memory) Since() time.Time { return m.began }

func (m *memory) Delete(ctx context.Context, keys ...string) error {
	if err := m.ready(ctx); err != nil {
		return fmt.Errorf("delete %d keys: %w", len(keys), err)
	}
	for _, key := range keys {
		m.delete(key)
	}
	return nil
}

func (m *memory) delete(key string) {
	s := m.lock(key)
	defer s.mu.Unlock()
	if e := s.entries[key]; e != nil {
		s.drop(e)
	}
}

func (m *memory) Ping(ctx context.Context) error {
	return m.ready(ctx)
}

func (m *memory) Close() error {
	if !m.closed.Swap(true) {
		close(m.stop)
	}
	m.swept.Wait()
	return nil
}

// ready tells why nothing can be done now, if so.
func (m *memory) ready(ctx context.Context) error {
	if m.closed.Load() {
		return errClosed
	}
	return ctx.Err()
}

func (m *memory) readyFor(ctx context.Context, ttl time.Duration) error {
	if ttl <= 0 {
		return errLifetime
	}
	return m.ready(ctx)
}

// lock returns the shard of key, locked.
func (m *memory) lock(key string) *shard {
	s := m.shards[maphash.String(m.seed, key)%shardCount]
	s.mu.Lock()
	return s
}

// sweep frees what expired and is never asked for again.
func (m *memory) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			return
		case now := <-tick.C:
			for _, s := range m.shards {
				s.mu.Lock()
				s.sweep(now)
				s.mu.Unlock()
			}
		}
	}
}
