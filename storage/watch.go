package storage

import (
	"context"
	"sync/atomic"
)

// watched is a context that remembers whether something was changed under it.
type watched struct {
	context.Context
	changed atomic.Bool
}

type watchKey struct{}

// Value implements [context.Context].
func (w *watched) Value(key any) any {
	if key == (watchKey{}) {
		return w
	}
	return w.Context.Value(key)
}

// Watch returns ctx for a request: what is changed under it is remembered, so that a
// database which is lost later in the request is not told as if nothing was done.
func Watch(ctx context.Context) context.Context { return &watched{Context: ctx} }

// HasChanged says whether something was changed under ctx, which [Watch] has made.
func HasChanged(ctx context.Context) bool {
	w, ok := ctx.Value(watchKey{}).(*watched)
	return ok && w.changed.Load()
}

// noteChange returns err, and remembers that there was none.
func noteChange(ctx context.Context, err error) error {
	if w, ok := ctx.Value(watchKey{}).(*watched); ok && err == nil {
		w.changed.Store(true)
	}
	return err
}
