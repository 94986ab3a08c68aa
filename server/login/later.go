package login

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"authy/server/account"
)

const (
	// maxChores is how much may wait to be done after its answer, workers how
	// many do it: transactions that come together share a commit.
	maxChores, workers = 1024, 8
	// choreTime is how long one may take.
	choreTime = 30 * time.Second
)

// chore is what is done after the answer to the request that caused it, so that
// the time of the answer tells nothing of what was found.
type chore func() error

// later has do done after the caller is answered, with the values of ctx.
// [account.ErrBusy] if too much waits.
func (s *Service) later(ctx context.Context, do func(ctx context.Context) error) error {
	ctx = context.WithoutCancel(ctx)
	c := func() error {
		ctx, cancel := context.WithTimeout(ctx, choreTime)
		defer cancel()
		return do(ctx)
	}
	select {
	case s.chores <- c:
		return nil
	default:
		return account.ErrBusy
	}
}

// Run does what was put off until ctx ends, and then what is left.
func (s *Service) Run(ctx context.Context) {
	var working sync.WaitGroup
	for range workers {
		working.Go(func() { s.work(ctx) })
	}
	working.Wait()
}

func (s *Service) work(ctx context.Context) {
	for {
		select {
		case c := <-s.chores:
			see(ctx, c)
		case <-ctx.Done():
			for {
				select {
				case c := <-s.chores:
					see(ctx, c)
				default:
					return
				}
			}
		}
	}
}

func see(ctx context.Context, c chore) {
	if err := c(); err != nil {
		slog.ErrorContext(ctx, "not done after the answer", "err", err)
	}
}
