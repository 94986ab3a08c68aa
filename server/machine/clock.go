package machine

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"authy/server/steady"
	"authy/storage"
)

const (
	// clockSlack is how far the clock may be from that of the database, or behind the
	// newest record of another node, before it is said to be off.
	clockSlack = 30 * time.Second
	// buildSlack is how much before the time of its source a server may run: who
	// committed that had a clock, too.
	buildSlack = 24 * time.Hour
)

// wrongClock says what is wrong with the clock that shows now, or "". A machine
// knows no better clock than its own; but the build, the records and the database
// were there before.
func wrongClock(ctx context.Context, db *storage.DB, now time.Time) (string, error) {
	if built := builtAt(); now.Before(built.Add(-buildSlack)) {
		return fmt.Sprintf("the clock says %s, which is before this authy was built (%s): "+
			"set the clock, and have it kept by NTP", shown(now), shown(built)), nil
	}
	if by := steady.Ahead(); by > 0 {
		return fmt.Sprintf("the clock says %s, but was put back by %s while the server ran, which goes on by the time that "+
			"has passed: set the clock if it is wrong, restart authy if it is right", shown(now), by.Round(time.Second)), nil
	}
	ahead, err := db.ClockAhead(ctx)
	if err != nil {
		return "", fmt.Errorf("ask the database for the time: %w", err)
	}
	if ahead.Abs() > clockSlack {
		return fmt.Sprintf("the clock of this machine and that of the database are %s apart: "+
			"have both kept by NTP, or codes and tokens of one node are not valid on another",
			ahead.Abs().Round(time.Second)), nil
	}
	newest, err := db.Events(ctx, 1)
	if err != nil {
		return "", fmt.Errorf("look up the newest record: %w", err)
	}
	if len(newest) == 1 && newest[0].At.After(now.Add(clockSlack)) {
		return fmt.Sprintf("the clock says %s, but the newest record in the audit log is of %s: the clock was ahead then, "+
			"or is behind now; set it, and have it kept by NTP", shown(now), shown(newest[0].At.Time)), nil
	}
	return "", nil
}

func shown(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// builtAt is the time of the source that this program was built from, zero where
// that is not known.
func builtAt() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			t, _ := time.Parse(time.RFC3339, s.Value) // zero if it cannot be read
			return t
		}
	}
	return time.Time{}
}
