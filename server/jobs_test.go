package server

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"authy/storage/storagetest"
)

// Three nodes take turns; when the one that works stops, another goes on.
func TestAJobIsDoneByOneNodeAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := storagetest.Memory(t)
		var did [3]atomic.Int32
		var stop [3]context.CancelFunc
		var working atomic.Int32
		for n := range stop {
			var ctx context.Context
			ctx, stop[n] = context.WithCancel(t.Context())
			defer stop[n]()
			s := &Services{kept: store}
			go s.inTurn("sweep", time.Minute, func(ctx context.Context) {
				if working.Add(1) > 1 {
					t.Error("two nodes do it at once")
				}
				defer working.Add(-1)
				did[n].Add(1)
				select {
				case <-ctx.Done():
				case <-time.After(150 * time.Second): // longer than a step
				}
			})(ctx)
			time.Sleep(time.Second)
		}
		all := func() int32 { return did[0].Load() + did[1].Load() + did[2].Load() }
		time.Sleep(30 * time.Minute)
		if n := all(); n < 7 || n > 13 {
			t.Errorf("in half an hour it was done %d times, want about 10", n)
		}
		for n := range 2 {
			stop[n]()
		}
		time.Sleep(5 * time.Minute)
		before := all()
		time.Sleep(30 * time.Minute)
		if n := all() - before; n < 7 {
			t.Errorf("with one node left it was done %d times in half an hour, want about 10", n)
		}
	})
}
