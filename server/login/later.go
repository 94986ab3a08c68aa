package login

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"authy/server/account"
	"authy/server/steady"
	"authy/storage"
)

const (
	// maxChores is how much may wait to be done after its answer, workers how
	// many do it: transactions that come together share a commit.
	maxChores, workers = 1024, 8
	// choreTime is how long one may take.
	choreTime = 30 * time.Second
	// firstPause is how long after a first attempt without the database comes the
	// second; each pause is twice the one before, up to longestPause.
	firstPause, longestPause = 100 * time.Millisecond, 2 * time.Second
	// tryFor is how long after its answer one is tried; tryLast is how long all are, once the server
	// stops.
	tryFor, tryLast = time.Hour, 8 * time.Second
	// lookTime is how long the database may take to say that it is there.
	lookTime = 2 * time.Second
)

// chore is what is done after the answer to the request that caused it, so that
// the time of the answer tells nothing of what was found.
type chore struct {
	asked time.Time
	do    func() error
}

// promise is nil if what is done later can be expected to be done: the database is
// there. It asks the same whoever it is about, before anything is counted.
func (s *Service) promise(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	if err := s.db.Ping(ctx); err != nil {
		return fmt.Errorf("look whether the database is there: %w", err)
	}
	return nil
}

// later has do done after the caller is answered, with the values of ctx: more than
// once if the database does not say that it was, because a second mail is better
// than none. [account.ErrBusy] if too much waits.
func (s *Service) later(ctx context.Context, do func(ctx context.Context) error) error {
	ctx = context.WithoutCancel(ctx)
	c := chore{steady.Now(), func() error {
		ctx, cancel := context.WithTimeout(ctx, choreTime)
		defer cancel()
		return do(ctx)
	}}
	select {
	case s.chores <- c:
		return nil
	default:
		return account.ErrBusy
	}
}

// Run does what was put off until ctx ends, and then, for a while, what is left.
func (s *Service) Run(ctx context.Context) {
	last, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(tryLast, cancel) })()
	var working sync.WaitGroup
	for range workers {
		working.Go(func() { s.work(ctx, last) })
	}
	working.Wait()
}

func (s *Service) work(ctx, last context.Context) {
	for {
		select {
		case c := <-s.chores:
			see(last, c)
		case <-ctx.Done():
			for {
				select {
				case c := <-s.chores:
					see(last, c)
				default:
					return
				}
			}
		}
	}
}

// see does c, again and again while the database is away, until ctx ends.
func see(ctx context.Context, c chore) {
	pause := firstPause
	for {
		err := c.do()
		if err == nil {
			return
		}
		away := errors.Is(err, storage.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
		if !away || steady.Since(c.asked) > tryFor || !waited(ctx, pause) {
			slog.ErrorContext(ctx, "not done after the answer", "err", err)
			return
		}
		if pause == firstPause {
			slog.WarnContext(ctx, "not done yet after the answer, trying again", "err", err)
		}
		pause = min(2*pause, longestPause)
	}
}

// waited waits for d, and says whether ctx lasted so long.
func waited(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
