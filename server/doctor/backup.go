package doctor

import (
	"context"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/backup"
	"authy/storage"
)

const (
	// late is how many times the span between two backups may pass without one.
	late = 2
	// young is how old a server without backups may be, and old how old the last backup
	// of one that makes none by itself.
	young, old = 7 * 24 * time.Hour, 30 * 24 * time.Hour
)

// backup looks at whether there is a backup that is as new as it should be. Without a
// schedule that is asked of SQLite alone: PostgreSQL has ways of its own.
func (s *Service) backup(ctx context.Context, by audit.Actor) ([]Finding, error) {
	state, err := s.Backups.State(ctx, by)
	if err != nil {
		return nil, err
	}
	last, err := s.lastEvent(ctx, "backup.made")
	if err != nil {
		return nil, err
	}
	age, err := s.DB.Age(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	if !state.FailedAt.IsZero() {
		return one("backup", "The last attempt at a backup, at %s, came to nothing: %s. Mend that, and try it with 'authy backup'.",
			moment(state.FailedAt), state.Failure), nil
	}
	return overdue(state, last, age, s.DB.Path() != ""), nil
}

// overdue says that there should be another backup by now: the last one was made at last,
// and the database is of an age.
func overdue(state *backup.State, last time.Time, age time.Duration, sqlite bool) []Finding {
	since := age
	if !last.IsZero() {
		since = time.Since(last)
	}
	switch {
	case state.Every > 0 && !state.MadeAt.IsZero() && len(state.Files) == 0:
		return one("backup", "A backup was made at %s, but there is none in %s any more: is the disk mounted, and does backup.dir "+
			"name it?", moment(state.MadeAt), state.Dir)
	case state.Every > 0 && since > late*state.Every && last.IsZero():
		return one("backup", "No backup was ever made, and backup.every is %s: does the server run, and what does its log say?",
			state.Every.String())
	case state.Every > 0 && since > late*state.Every:
		return one("backup", "The last backup was made at %s, and backup.every is %s: does the server run, and what does its log say?",
			moment(last), state.Every.String())
	case state.Every == 0 && sqlite && last.IsZero() && age > young:
		return one("backup", "No backup was ever made: set backup.every, or run 'authy backup' by cron, and keep the file on "+
			"another machine.")
	case state.Every == 0 && sqlite && !last.IsZero() && since > old:
		return one("backup", "The last backup was made at %s: set backup.every, or run 'authy backup' by cron.", moment(last))
	}
	return nil
}

// lastEvent returns when something was last done, zero for never.
func (s *Service) lastEvent(ctx context.Context, action string) (time.Time, error) {
	events, err := s.DB.EventsMatching(ctx, storage.EventFilter{Action: action}, storage.EventKey{}, 1)
	if err != nil {
		return time.Time{}, fmt.Errorf("look up the last %s: %w", action, err)
	}
	if len(events) == 0 {
		return time.Time{}, nil
	}
	return events[0].At.Time, nil
}

func moment(t time.Time) string { return t.UTC().Format(time.RFC3339) }
