package storage

import (
	"context"
	"sync/atomic"
)

// watchKey is the key of whether something was changed under a context.
type watchKey struct{}

// Watch returns ctx for a request: what is changed under it is remembered, so that a
// database which is lost later in the request is not told as if nothing was done.
func Watch(ctx context.Context) context.Context {
	return context.WithValue(ctx, watchKey{}, new(atomic.Bool))
}

// HasChanged says whether something was changed under ctx, which [Watch] has made.
func HasChanged(ctx context.Context) bool {
	changed, ok := ctx.Value(watchKey{}).(*atomic.Bool)
	return ok && changed.Load()
}

// noteChange returns err, and remembers that there was none.
func noteChange(ctx context.Context, err error) error {
	if changed, ok := ctx.Value(watchKey{}).(*atomic.Bool); ok && err == nil {
		changed.Store(true)
	}
	return err
}
