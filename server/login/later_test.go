package login

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"authy/storage"
)

// runLater does what is put off until stop is called, which waits for the end.
func runLater(t *testing.T, s *Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	return func() { cancel(); <-done }
}

func TestWhatWasPutOffIsTriedUntilTheDatabaseIsBack(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err    error
		away   time.Duration
		failed bool
	}{
		"no trouble":         {nil, 0, false},
		"away":               {storage.ErrUnavailable, 10 * time.Minute, false},
		"in doubt":           {fmt.Errorf("x: %w", storage.ErrInDoubt), time.Second, false},
		"away for too long":  {storage.ErrUnavailable, 2 * tryFor, true},
		"of no use to retry": {errors.New("a mistake"), time.Second, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := New(nil, nil, nil, nil, Config{})
				stop, began := runLater(t, s), time.Now()
				var done atomic.Int32
				for range 3 * workers {
					if err := s.later(t.Context(), func(context.Context) error {
						if time.Since(began) < c.away {
							return c.err
						}
						done.Add(1)
						return nil
					}); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(c.away + time.Minute)
				stop()
				if n := done.Load(); c.failed != (n == 0) || !c.failed != (n == 3*workers) {
					t.Errorf("%d of %d done", n, 3*workers)
				}
			})
		})
	}
}

func TestWhatWasPutOffIsTriedForAWhileWhenTheServerStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, away := range []time.Duration{tryLast / 2, 2 * tryLast} {
			s := New(nil, nil, nil, nil, Config{})
			stop, began := runLater(t, s), time.Now()
			var done atomic.Bool
			if err := s.later(t.Context(), func(context.Context) error {
				if time.Since(began) < away {
					return storage.ErrUnavailable
				}
				done.Store(true)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			stop()
			if took := time.Since(began); done.Load() != (away < tryLast) || took > tryLast {
				t.Errorf("away for %v: done %v after %v", away, done.Load(), took)
			}
		}
	})
}
