package limit

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"authy/storage/kv"
)

const (
	// apartKey is kept while a node does not reach the store that all share, and
	// apartFor after: what it counted until then is in no other place. No rule has a
	// longer window.
	apartKey, apartFor = "limits:apart", time.Hour
	// tellApart is how often such a node says so, lookApart how often the others look.
	tellApart, lookApart = 10 * time.Second, time.Second
)

// split is what this node knows of nodes that do not reach the shared store.
type split struct {
	told, looked atomic.Int64 // when, as Unix nanoseconds
	apart        atomic.Bool
}

// due says, to one of all who ask, that it is time again: d has gone by since last.
func due(last *atomic.Int64, d time.Duration) bool {
	then, now := last.Load(), time.Now().UnixNano()
	gone := time.Duration(now - then)
	return (gone >= d || gone < 0) && last.CompareAndSwap(then, now)
}

// tell has all nodes know that this one counts in the store that is kept alone.
func (l *Limits) tell(ctx context.Context) error {
	if !due(&l.split.told, tellApart) {
		return nil
	}
	err := l.kept.Set(ctx, apartKey, nil, apartFor)
	if err != nil {
		l.split.told.Store(0)
	}
	return err
}

// apart says whether a node counts, or did until lately, in the store that is kept
// alone, so that what the shared one has is not all. It is what was known a moment
// ago; who finds that old looks.
func (l *Limits) apart(ctx context.Context) bool {
	if !due(&l.split.looked, lookApart) {
		return l.split.apart.Load()
	}
	_, err := l.kept.Get(ctx, apartKey)
	if err != nil && !errors.Is(err, kv.ErrNotFound) { // it stays as it was
		return l.split.apart.Load()
	}
	is := err == nil
	switch was := l.split.apart.Swap(is); {
	case is && !was:
		slog.WarnContext(ctx, "a node does not reach the key-value store that all count in, counting in the database, too")
	case was && !is:
		slog.InfoContext(ctx, "all nodes have reached the key-value store for an hour, counting there alone")
	}
	return is
}
