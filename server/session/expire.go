package session

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"authy/server/logout"
	"authy/server/steady"
	"authy/storage"
)

const (
	// ExpireEvery is how often [Service.Expire] is to be called.
	ExpireEvery = 20 * time.Second
	// expireSlice is how many visits are looked at in one transaction.
	expireSlice = 100
)

// Expire has the applications told of the sessions that time has ended: each once,
// however many nodes look. A session is looked at when it may have ended, so that this
// costs what there is to do, however many sessions there are.
func (s *Service) Expire(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := s.expireSome(ctx, steady.Now())
		if err != nil {
			slog.WarnContext(ctx, "expired sessions not seen to, trying again", "err", err)
			return
		}
		if n == 0 {
			return
		}
	}
}

// expireSome looks at some of the sessions that are to be looked at at now, and returns
// how many there were.
func (s *Service) expireSome(ctx context.Context, now time.Time) (n int, err error) {
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		due, err := tx.SessionsToCheck(ctx, now, expireSlice)
		if err != nil {
			return fmt.Errorf("look for expired sessions: %w", err)
		}
		n = len(due)
		for i := range due {
			if err := s.expire(ctx, tx, now, &due[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// expire ends a session if time has, and otherwise has it looked at when time may.
func (s *Service) expire(ctx context.Context, tx *storage.Tx, now time.Time, one *Session) error {
	if end := s.endsAt(one); now.Before(end) {
		return logout.Recheck(ctx, tx, one, end)
	}
	return logout.Expire(ctx, tx, now, one)
}

// endsAt is when a session ends that is not used any more. Another node may know of a
// later use that is not written yet.
func (s *Service) endsAt(one *Session) time.Time {
	end := one.ExpiresAt.Time
	if s.idle <= 0 {
		return end
	}
	if unused := one.LastActivityAt.Add(s.idle + s.seen.Lag()); unused.Before(end) {
		return unused
	}
	return end
}
