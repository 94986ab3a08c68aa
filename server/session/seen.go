package session

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"authy/storage"
)

const (
	// seenGrain is how exactly the last use of a session is known: a session
	// in steady use is written once in that time.
	seenGrain = time.Minute
	// seenFlush is how often what was seen is written.
	seenFlush = 5 * time.Second
	// seenLimit bounds what waits to be written; more is forgotten, which
	// costs a minute of precision and nothing else.
	seenLimit = 50_000
)

// seen holds the last use of sessions until it is written: nobody waits for it.
type seen struct {
	mu *sync.Mutex
	at map[string]time.Time // by session id
}

func newSeen() seen { return seen{mu: new(sync.Mutex), at: map[string]time.Time{}} }

// note remembers that session was used at now, if that is worth writing.
func (s seen) note(session *storage.Session, now time.Time) {
	if now.Sub(session.LastActivityAt.Time) < seenGrain {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.at[session.ID]; known || len(s.at) < seenLimit {
		s.at[session.ID] = now
	}
}

// latest returns when session was last used as far as this node knows.
func (s seen) latest(session *storage.Session) storage.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.at[session.ID]; ok && at.After(session.LastActivityAt.Time) {
		return storage.At(at)
	}
	return session.LastActivityAt
}

func (s seen) take() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.at) == 0 {
		return nil
	}
	taken := make(map[string]time.Time, len(s.at))
	for id, at := range s.at {
		taken[id] = at
		delete(s.at, id)
	}
	return taken
}

// Run writes when sessions were last used until ctx ends, and once more then.
func (s *Service) Run(ctx context.Context) {
	tick := time.NewTicker(seenFlush)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.flush(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), seenFlush)
			defer cancel()
			s.flush(last)
			return
		}
	}
}

func (s *Service) flush(ctx context.Context) {
	used := s.seen.take()
	if len(used) == 0 {
		return
	}
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		for id, at := range used {
			if err := tx.TouchSession(ctx, id, at); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		slog.WarnContext(ctx, "last use of sessions not written", "sessions", len(used), "err", err)
	}
}
