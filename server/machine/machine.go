// Package machine looks at what a server stands on: the file system that its
// database is on, and the clock. It changes nothing, and refuses to know who is
// told of what it finds.
//
// Read machine.go, then clock.go and filesystem.go.
package machine

import (
	"context"
	"time"

	"authy/storage"
)

// What can be wrong.
const (
	ClockOff    = "clock"
	NetworkDisk = "file_system"
)

// Trouble is something that is wrong with the machine.
type Trouble struct {
	Name string // one of those above
	Text string // what is wrong, and what to do
}

// Look returns what is wrong with the machine under a database at now; nothing is
// what a sound one has.
func Look(ctx context.Context, db *storage.DB, now time.Time) (found []Trouble, err error) {
	if path := db.Path(); path != "" {
		if text := wrongDisk(path); text != "" {
			found = append(found, Trouble{NetworkDisk, text})
		}
	}
	text, err := wrongClock(ctx, db, now)
	if text != "" {
		found = append(found, Trouble{ClockOff, text})
	}
	return found, err
}
