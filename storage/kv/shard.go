package kv

import (
	"container/heap"
	"strings"
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
	lines   map[string]*queue // of what may be pushed out, by its kind
	claimed queue             // what may not
	limit   int               // of the entries of lines, and of claimed
}

// entry is what a shard knows about one key besides its value.
type entry struct {
	key      string
	deadline time.Time
	line     *queue
	place    int
}

// newShard makes an empty shard for at most limit entries. The miniredis is never started: it
// opens no port and has no goroutine.
func newShard(limit int) *shard {
	return &shard{
		values:  miniredis.NewMiniRedis().DB(0),
		entries: make(map[string]*entry),
		lines:   make(map[string]*queue),
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

// put stores value until deadline. A full shard first drops the entry that is the soonest to
// expire of the kind that has most: a flood of one kind pushes out nothing of another.
func (s *shard) put(key, value string, deadline time.Time) {
	if e := s.entries[key]; e != nil {
		e.deadline = deadline
		heap.Fix(e.line, e.place)
		s.values.HSet(hashName, key, value)
		return
	}
	if len(s.entries)-len(s.claimed) >= s.limit {
		s.drop((*s.longest())[0])
	}
	s.add(s.line(key), key, value, deadline)
}

// claim stores value until deadline under a key that is free. What was claimed is not pushed
// out, for it says that something was used: a shard that is full of it takes no more.
func (s *shard) claim(key, value string, deadline time.Time) error {
	if len(s.claimed) >= s.limit {
		return errFull
	}
	s.add(&s.claimed, key, value, deadline)
	return nil
}

func (s *shard) add(line *queue, key, value string, deadline time.Time) {
	e := &entry{key: key, deadline: deadline, line: line}
	s.entries[key] = e
	heap.Push(line, e)
	s.values.HSet(hashName, key, value)
}

// line returns the queue of the kind of a key, which is what comes before its first colon;
// those without one are of one kind.
func (s *shard) line(key string) *queue {
	kind := key[:max(0, strings.IndexByte(key, ':'))]
	if s.lines[kind] == nil {
		s.lines[strings.Clone(kind)] = new(queue)
	}
	return s.lines[kind]
}

func (s *shard) longest() *queue {
	longest := new(queue)
	for _, line := range s.lines {
		if len(*line) > len(*longest) {
			longest = line
		}
	}
	return longest
}

func (s *shard) drop(e *entry) {
	heap.Remove(e.line, e.place)
	delete(s.entries, e.key)
	s.values.HDel(hashName, e.key)
}

// sweep drops everything whose deadline has come.
func (s *shard) sweep(now time.Time) {
	s.sweepLine(&s.claimed, now)
	for kind, line := range s.lines {
		s.sweepLine(line, now)
		if len(*line) == 0 {
			delete(s.lines, kind)
		}
	}
}

func (s *shard) sweepLine(line *queue, now time.Time) {
	for len(*line) > 0 && !now.Before((*line)[0].deadline) {
		s.drop((*line)[0])
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
