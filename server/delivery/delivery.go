// Package delivery has other programs told of what waits in a queue: in lanes, each with so
// many places, of which one receiver has its share, so that one that hangs does not hold
// the others up. A piece is tried by whoever takes it, on whichever node. The package
// refuses to know what is told, where the queue is kept, and what counts as told.
//
// Read lane.go; waits.go has how long after an attempt comes the next.
package delivery

import (
	"context"
	"time"
)

// farewell is how long an attempt may still take when the server stops.
const farewell = 5 * time.Second

// Linger returns a context that ends a little after ctx does, for an attempt that is under
// way: what the receiver has taken is to be noted.
func Linger(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(farewell, cancel) })
	return longer, func() { stop(); cancel() }
}
