// Package machine looks at what a server stands on: the file system that its
// database is on and how much room it has, the clock, its certificate, and how many
// files it may open. It changes nothing, and refuses to know who is told of what it finds.
//
// Read machine.go, then clock.go, filesystem.go, room.go and certificate.go.
package machine

import (
	"context"
	"time"

	"authy/storage"
)

// What can be wrong.
const (
	ClockOff         = "clock"
	NetworkDisk      = "file_system"
	CertificateWrong = "certificate"
)

// OtherFiles is how many files a server may have open beside its connections: those to
// the database, to Redis, to mail and to providers, and SQLite's own.
const OtherFiles = 256

// Ground is what a server stands on.
type Ground struct {
	DB *storage.DB
	// CertFile and KeyFile are the files of the certificate that the server shows,
	// empty if it shows none.
	CertFile, KeyFile string
	// Host is what the certificate is to name.
	Host string
}

// Trouble is something that is wrong with the machine.
type Trouble struct {
	Name string // one of those above
	Text string // what is wrong, and what to do
}

// Look returns what is wrong with the ground at now; nothing is what a sound one
// has.
func Look(ctx context.Context, g Ground, now time.Time) (found []Trouble, err error) {
	if path := g.DB.Path(); path != "" {
		if text := wrongDisk(path); text != "" {
			found = append(found, Trouble{NetworkDisk, text})
		}
	}
	if g.CertFile != "" {
		if text := wrongCertificate(g.CertFile, g.KeyFile, g.Host, now); text != "" {
			found = append(found, Trouble{CertificateWrong, text})
		}
	}
	text, err := wrongClock(ctx, g.DB, now)
	if text != "" {
		found = append(found, Trouble{ClockOff, text})
	}
	return found, err
}
