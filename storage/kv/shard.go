package kv

import (
	"container/heap"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// hashName is the one miniredis key of a shard; every value is a field of it. A miniredis key
// per value would leak: miniredis remembers each key name it ever saw, and keys here are
// unique session IDs.
const hashName = "values"

// shard is one part of the memory store: the values are in a miniredis of its own, their
// deadlines beside it, because lifetimes in miniredis do not run by themselves. The mutex
// makes several steps one; all methods expect it to be held.
type shard struct {
	mu      sync.Mutex
	values  *miniredis.RedisDB
	entries map[string]*entry
	queue   queue
	limit   int
}

// entry is what a shard knows about one key besides its value.
type entry struct {
	key      string
	deadline time.Time
	place    int
}

// newShard makes an empty shard for at most limit entries. The miniredis is never started: it
// opens no port and has no goroutine.
func newShard(limit int) *shard {
	return &shard{
		values:  miniredis.NewMiniRedis().DB(0),
		entries: make(map[string]*entry),
		limit:   limit,
	}
}

// live returns the entry of key, or nil when it is absent or its deadline has come.
func (s *shard) live(key string, now time.Time) *entry {
	e := s.entries[key]
	if e != nil && !now.Before(e.deadline) {
		s.drop(e)
		return nil
	}
	return e
}

func (s *shard) value(key string) string {
	return s.values.HGet(hashName, key)
}

// put stores value until deadline. A full shard first drops its soonest-to-expire entry.
func (s *shard) put(key, value string, deadline time.Time) {
	if e := s.entries[key]; e != nil {
		e.deadline = deadline
		heap.Fix(&s.queue, e.place)
	} else {
		if len(s.entries) >= s.limit {
			s.drop(s.queue[0])
		}
		e = &entry{key: key, deadline: deadline}
		s.entries[key] = e
		heap.Push(&s.queue, e)
	}
	s.values.HSet(hashName, key, value)
}

func (s *shard) drop(e *entry) {
	heap.Remove(&s.queue, e.place)
	delete(s.entries, e.key)
	s.values.HDel(hashName, e.key)
}

// sweep drops everything whose deadline has come.
func (s *shard) sweep(now time.Time) {
	for len(s.queue) > 0 && !now.Before(s.queue[0].deadline) {
		s.drop(s.queue[0])
	}
}

// queue is a heap with the soonest deadline first, for container/heap.
type queue []*entry

func (q queue) Len() int { return len(q) }

func (q queue) Less(i, j int) bool { return q[i].deadline.Before(q[j].deadline) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

func (q *queue) Push(x any) {
	e := x.(*entry)
	e.place = len(*q)
	*q = append(*q, e)
}

func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return e
}
