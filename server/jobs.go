package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"authy/server/audit"
	"authy/server/backup"
	"authy/server/overview"
	"authy/server/place"
	"authy/server/session"
	"authy/storage"
)

// job runs by itself until its context ends.
type job func(ctx context.Context)

// jobs is the list of what runs by itself.
func (s *Services) jobs() []job {
	return []job{
		s.Sessions.Run,
		s.Tokens.Run,
		audit.NewChain(s.DB).Run,
		s.Mail.Run,
		s.Login.Run,
		s.Logouts.Run,
		s.OpenID.RunRefusals,
		s.Overview.Run,
		every(session.ExpireEvery, s.Sessions.Expire),
		every(time.Minute, s.clean),
		every(time.Minute, s.Orgs.Enforce),
		every(time.Minute, s.Keys.Turn),
		every(time.Hour, s.Clients.Clean),
		every(time.Hour, s.Providers.RefreshDue),
		every(backup.LookEvery, s.Backups.MakeDue),
		every(place.LookEvery, s.Places.Reload),
		every(overview.CountEvery, s.Overview.Count),
	}
}

// run starts the jobs; the result waits for them to end with ctx.
func (s *Services) run(ctx context.Context) (wait func()) {
	var running sync.WaitGroup
	for _, j := range s.jobs() {
		running.Go(func() { j(ctx) })
	}
	return running.Wait
}

// every calls do in steps of d.
func every(d time.Duration, do job) job {
	return func(ctx context.Context) {
		tick := time.NewTicker(d)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				do(ctx)
			case <-ctx.Done():
				return
			}
		}
	}
}

const (
	cleanSlice = 500 // rows of each kind in one transaction
	cleanPause = 50 * time.Millisecond
)

// clean deletes what time has made useless, in slices that others can go
// between.
func (s *Services) clean(ctx context.Context) {
	for ctx.Err() == nil {
		var more bool
		now := time.Now()
		err := s.DB.Update(ctx, func(tx *storage.Tx) (err error) {
			more, err = tx.DeleteExpired(ctx, now, cleanSlice)
			return err
		})
		if err != nil {
			slog.WarnContext(ctx, "expired records not deleted, trying again in a minute", "err", err)
			return
		}
		if !more {
			return
		}
		select {
		case <-time.After(cleanPause):
		case <-ctx.Done():
		}
	}
}
