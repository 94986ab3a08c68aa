// Package backup makes backups of everything that a server keeps, beside the running
// server, and makes a server of one again. It refuses to know where its answers are shown,
// and never touches anything before it has read a backup to its end.
//
// Read this file, then file.go (what a backup is), make.go (how one is made), keep.go
// (which are kept), state.go (what administrators see) and restore.go; move.go is for snapshots
// and copies of a database, which storage makes.
package backup

import (
	"context"
	"io/fs"
	"path/filepath"
	"sync"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/fault"
	"authy/storage"
)

var (
	// ErrForbidden is the answer to who does not administer the server.
	ErrForbidden = fault.New(fault.Forbidden, "forbidden", "Only administrators of the server may do this.")
	// ErrRunning is the answer while a backup is being made.
	ErrRunning = fault.New(fault.Conflict, "backup_running", "A backup is being made already.")
	// ErrOpen refuses a backup that anyone could read, where nobody has asked for one.
	ErrOpen = fault.New(fault.Conflict, "backup_unencrypted", "The backup would be readable for anyone: "+
		"set backup.recipient or backup.passphrase.")
)

// Actions that the audit log records.
const (
	made     = "backup.made"
	failed   = "backup.failed"
	removed  = "backup.removed"
	restored = "backup.restored"

	rolledBack = "database.rolled_back"
	copied     = "database.copied"
)

// Service makes backups and knows those that there are.
type Service struct {
	// Version is authy's.
	Version string

	db      *storage.DB
	config  *config.Config
	files   fs.FS      // the migrations
	running sync.Mutex // held while one is made
}

// New returns the service of a database whose schema is made by the migrations in files.
func New(db *storage.DB, c *config.Config, files fs.FS) *Service {
	return &Service{db: db, config: c, files: files}
}

// Dir is the directory that backups are kept in.
func (s *Service) Dir() string { return Dir(s.config) }

// Dir is the directory that backups are kept in by a configuration.
func Dir(c *config.Config) string {
	if c.Backup.Dir != "" {
		return c.Backup.Dir
	}
	return filepath.Join(c.DataDir, "backups")
}

func (s *Service) mayAdminister(ctx context.Context, by audit.Actor) error {
	may, err := by.Administers(ctx, s.db.Reader)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}
