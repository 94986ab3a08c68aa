package storage

import (
	"context"
	"sync/atomic"
)

// watchKey is the key of what is known of a request.
type watchKey struct{}

// watch is what is known of a request: whether it has changed something, and what is asked
// before it may.
type watch struct {
	changed atomic.Bool
	guard   atomic.Pointer[func(ctx context.Context, tx *Tx) error]
}

// Watch returns ctx for a request: what is changed under it is remembered, so that a
// database which is lost later in the request is not told as if nothing was done.
func Watch(ctx context.Context) context.Context {
	return context.WithValue(ctx, watchKey{}, new(watch))
}

// Guard has the first change under ctx, which [Watch] has made, begin with check: nothing is
// changed where that is an error. Who asks is known before a transaction begins, and may be
// nobody any more when it does.
func Guard(ctx context.Context, check func(ctx context.Context, tx *Tx) error) {
	if w, ok := ctx.Value(watchKey{}).(*watch); ok {
		w.guard.Store(&check)
	}
}

// guarded is fn after what [Guard] has asked for. A request that has changed something was let
// through: that may be how it has ended its session.
func guarded(ctx context.Context, fn func(*Tx) error) func(*Tx) error {
	w, ok := ctx.Value(watchKey{}).(*watch)
	if !ok || w.guard.Load() == nil || w.changed.Load() {
		return fn
	}
	check := *w.guard.Load()
	return func(tx *Tx) error {
		if err := check(ctx, tx); err != nil {
			return err
		}
		return fn(tx)
	}
}

// HasChanged says whether something was changed under ctx, which [Watch] has made.
func HasChanged(ctx context.Context) bool {
	w, ok := ctx.Value(watchKey{}).(*watch)
	return ok && w.changed.Load()
}

// noteChange returns err, and remembers that there was none.
func noteChange(ctx context.Context, err error) error {
	if w, ok := ctx.Value(watchKey{}).(*watch); ok && err == nil {
		w.changed.Store(true)
	}
	return err
}
