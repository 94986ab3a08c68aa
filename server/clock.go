package server

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"authy/server/audit"
	"authy/server/steady"
	"authy/storage"
)

// A clock that is put back was wrong before, or is now. While the server does not know which, it
// goes on by the time that has passed, so that nothing lives longer ([steady.Now]). It follows the
// clock when it knows better: see [mayFollow]. Nodes whose clocks are a little apart go by that of
// their database.

// written is before anybody can have run this: a clock that shows less is wrong for certain, as
// that of a machine without a battery is until it hears of the time.
var written = time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)

const (
	// evened is how far a node's clock may be from its database's and go by that: two nodes are
	// then no further apart than the database's answers are late, and a code that one makes for a
	// minute is good for a minute on the other. Who is further apart is warned.
	evened = 90 * time.Second
	// exact is as exactly as the clock of a database is known.
	exact = time.Second
	// clocksAgree is how far apart two clocks may be that show the same.
	clocksAgree = 30 * time.Second
	// holdFor is how long the server goes on by its own time where nothing tells which is right. By
	// then all that was good for an hour or less has ended.
	holdFor = time.Hour
	// justStarted is how soon after its start a server takes a clock that is put back to have been
	// put right: machines start with a wrong clock, and hear of the time when there is a network.
	justStarted = 10 * time.Minute
)

// WatchClock has the server's time not go back from here on, until stop is called. Where the clock
// is wrong for certain it begins with the newest record.
func (s *Services) WatchClock(ctx context.Context) (stop func(), err error) {
	notBefore := time.Time{}
	if now := time.Now(); now.Before(written) {
		notBefore = written
		newest, err := s.DB.Events(ctx, 1)
		if err != nil {
			return nil, fmt.Errorf("look up the newest record: %w", err)
		}
		if len(newest) == 1 && newest[0].At.After(notBefore) {
			notBefore = newest[0].At.Time
		}
		slog.ErrorContext(ctx, "the clock of this machine is wrong: going on from the newest record until it is set; "+
			"what this server signs is of no use to others meanwhile", "clock", now.UTC(), "record", notBefore.UTC())
	}
	stop = steady.Watch(notBefore)
	s.clock.began = time.Now()
	s.evenClock(ctx)
	return stop, nil
}

// clockWatch is what is known of the clocks.
type clockWatch struct {
	began time.Time
	told  bool // that it was put back

	// theirs is what the database's clock showed at an instant, ahead how far that was from the
	// machine's, and lead how far the server goes by it.
	theirs, at  time.Time
	ahead, lead time.Duration
	went        bool // the database's clock was put back, too, and says nothing
}

// watchClock looks whether the clock was put back, and follows it when it may.
func (s *Services) watchClock(ctx context.Context) {
	w := &s.clock
	asked := s.evenClock(ctx)
	held := steady.Look()
	if held.By == 0 {
		if w.told {
			slog.InfoContext(ctx, "the clock shows the server's time again")
		}
		w.told, w.went = false, false
		return
	}
	follow := asked && mayFollow(held, time.Since(w.began), w.verdict(held), time.Now())
	if follow && held.By <= s.tolerated() {
		steady.Follow()
		return
	}
	if !w.told {
		w.told = true
		slog.ErrorContext(ctx, "the clock of this machine was put back: the server goes on by the time that has passed, so "+
			"that nothing lives longer; if the clock is right now, restart authy to follow it at once", "by", held.By.Round(time.Second))
	}
	if follow {
		s.followClock(ctx, held.By)
	}
}

// tolerated is how far into the future what there is may be: other nodes made it.
func (s *Services) tolerated() time.Duration {
	if s.DB.Path() != "" {
		return 0
	}
	return clocksAgree
}

// evenClock asks the database for its time, and goes by that if it is a little apart. It says
// whether it was answered, as it always is where there is nobody to ask.
func (s *Services) evenClock(ctx context.Context) bool {
	if s.DB.Path() != "" {
		return true
	}
	asked := time.Now()
	ahead, err := s.DB.ClockAhead(ctx)
	now := time.Now()
	if err != nil || now.Sub(asked) > exact/2 {
		return false // whoever needs the database says so; or the answer is not worth much
	}
	s.clock.note(ahead, now)
	return true
}

// note notes how far the database's clock is ahead of the machine's at now.
func (w *clockWatch) note(ahead time.Duration, now time.Time) {
	theirs := now.Round(0).Add(ahead)
	if !w.at.IsZero() && w.theirs.Add(now.Sub(w.at)).Sub(theirs) > exact {
		w.went = true
	}
	w.theirs, w.at, w.ahead = theirs, now, ahead
	lead := w.lead
	switch {
	case ahead.Abs() > evened || ahead.Abs() < exact/2:
		lead = 0
	case lead == 0 && ahead.Abs() < exact:
	case (ahead - lead).Abs() > exact/2:
		lead = ahead
	}
	if lead != w.lead {
		w.lead = lead
		steady.Lead(lead)
	}
}

// verdict is what is known of a clock that was put back.
type verdict int

const (
	unknown verdict = iota
	rightNow
	wrongNow
)

// verdict is what the database's clock says of the server's.
func (w *clockWatch) verdict(held steady.Held) verdict {
	switch {
	case w.at.IsZero() || w.went:
		return unknown
	case w.ahead.Abs() <= evened:
		return rightNow
	case (w.ahead - w.lead - held.By).Abs() <= clocksAgree:
		return wrongNow
	}
	return unknown
}

// mayFollow says whether the clock that shows now may be followed, though it was put back: age is
// how long the server has run. Where nobody says which is right, one that is put back by more than
// the server has run, shortly after its start, was put right; any other is followed after an hour.
func mayFollow(held steady.Held, age time.Duration, says verdict, now time.Time) bool {
	switch {
	case now.Before(written) || says == wrongNow:
		return false
	case says == rightNow || age < justStarted && held.By > age:
		return true
	}
	return held.For > holdFor
}

// followClock has the server follow the clock again, which was put back by so much. What was made
// in a time that has yet to come began and ends by as much earlier: it lives as long as it was to.
func (s *Services) followClock(ctx context.Context, by time.Duration) {
	now, n := time.Now().Add(s.clock.lead), int64(0)
	err := s.DB.Update(ctx, func(tx *storage.Tx) (err error) {
		if n, err = tx.EndEarlier(ctx, now.Add(s.tolerated()), by); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Server(), now, audit.Event{
			Action: "clock.follow", Details: map[string]string{"by": by.Round(time.Second).String()},
		})
	})
	if err != nil {
		slog.WarnContext(ctx, "the clock is not followed yet, trying again", "err", err)
		return
	}
	steady.Follow()
	slog.WarnContext(ctx, "the clock is followed again: what was made in the time that has yet to come ends as much earlier",
		"by", by.Round(time.Second), "records", n)
}
