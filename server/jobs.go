package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"authy/server/audit"
	"authy/server/backup"
	"authy/server/overview"
	"authy/server/place"
	"authy/server/session"
	"authy/server/steady"
	"authy/storage"
)

// job runs by itself until its context ends.
type job func(ctx context.Context)

// jobs is the list of what runs by itself, on every node. What only writes what this
// node has seen, or takes each piece of work by a lease of its own (mails, logouts,
// webhooks, metadata), or changes what has not been changed yet (links of the audit log, keys),
// runs on all at once. What goes through records that are due, and would meet the
// others there, takes turns.
func (s *Services) jobs() []job {
	return []job{
		s.Sessions.Run,
		s.Tokens.Run,
		audit.NewChain(s.DB).Run,
		s.Mail.Run,
		s.Login.Run,
		s.Logouts.Run,
		s.Webhooks.Run,
		s.OpenID.RunRefusals,
		s.Overview.Run,
		s.inTurn("expire-sessions", session.ExpireEvery, s.Sessions.Expire),
		s.inTurn("clean", time.Minute, s.clean),
		every(time.Second, s.log.noted("disperse-strangers", s.disperse)),
		every(time.Second, s.log.noted("watch-clock", s.watchClock)),
		s.keepStatistics,
		s.inTurn("enforce-policies", time.Minute, s.Orgs.Enforce),
		every(time.Minute, s.log.noted("turn-keys", s.Keys.Turn)),
		s.inTurn("clean-clients", time.Hour, s.Clients.Clean),
		every(time.Hour, s.log.noted("refresh-metadata", s.Providers.RefreshDue)),
		every(backup.LookEvery, s.log.noted("back-up", s.Backups.MakeDue)),
		every(place.LookEvery, s.log.noted("reload-places", s.Places.Reload)),
		s.inTurn("count", overview.CountEvery, s.Overview.Count),
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

// inTurn calls do in steps of d, on one node at a time: on whichever takes the lease
// of a step first. It lasts for the step, and longer while do runs; of a node that
// dies the next takes over in the step after. A lease spares work and keeps nobody
// safe: each job does no harm where it is done twice.
func (s *Services) inTurn(name string, d time.Duration, do job) job {
	key, life := "job:"+name, d-d/10
	do = s.log.noted(name, do)
	return every(d, func(ctx context.Context) {
		mine, err := s.kept.SetIfAbsent(ctx, key, nil, life)
		if err != nil || !mine {
			s.log.left(name, err)
			return // the database is away, or another node does it
		}
		working, done := context.WithCancel(ctx)
		defer done()
		go every(life/3, func(ctx context.Context) {
			if err := s.kept.Set(ctx, key, nil, life); err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "lease of a job not renewed, another node may do it, too", "job", name, "err", err)
			}
		})(working)
		do(ctx)
	})
}

// keepStatistics renews the statistics of the database a minute after the start, when there is
// time for it, and each hour.
func (s *Services) keepStatistics(ctx context.Context) {
	renew := s.log.noted("keep-statistics", func(ctx context.Context) {
		if err := s.DB.Analyze(ctx); err != nil {
			slog.WarnContext(ctx, "the database may choose slow ways, trying again in an hour", "err", err)
		}
	})
	select {
	case <-time.After(time.Minute):
		renew(ctx)
		every(time.Hour, renew)(ctx)
	case <-ctx.Done():
	}
}

// disperse deletes what strangers have too much of.
func (s *Services) disperse(ctx context.Context) {
	most := s.Config.RateLimit.Unfinished
	crowds, err := s.DB.Disperse(ctx, most)
	for _, c := range crowds {
		slog.WarnContext(ctx, "more came that nobody has signed in for than is kept, the oldest of the network that had "+
			"most was dropped", "kind", c.Table, "dropped", c.Dropped, "most", most, "setting", "rate_limit.unfinished")
	}
	if err != nil && !errors.Is(err, storage.ErrUnavailable) && ctx.Err() == nil {
		slog.WarnContext(ctx, "what is too much of strangers was not deleted, trying again", "err", err)
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
		now := steady.Now()
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
