package backup

import (
	"context"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"authy/server/audit"
	"authy/storage"
)

// GoBack makes a database what it was in a snapshot, as [storage.DB.GoBack] does. That is recorded
// when a server opens it: its schema may be too old to record anything now.
func GoBack(
	ctx context.Context, by audit.Actor, db *storage.DB, files fs.FS, snapshot string, keepHandedOut bool,
) (*storage.Return, error) {
	now := time.Now()
	return db.GoBack(ctx, files, snapshot, keepHandedOut, now, func(c *storage.Contents, ended int64) (string, error) {
		return audit.Untold(by, now, audit.Event{
			Action: rolledBack, TargetKind: "snapshot", TargetID: filepath.Base(snapshot),
			Details: map[string]string{
				"schema": c.Newest(), "rows": strconv.FormatInt(c.Rows(), 10),
				"ended": strconv.FormatInt(ended, 10), "handed_out_kept": strconv.FormatBool(keepHandedOut),
			},
		})
	})
}

// Copy makes target hold what a database holds, as [storage.DB.CopyTo] does; from is the address
// of the database, without a password. That is recorded when a server opens target: until then
// it holds what the database holds, besides that note.
func Copy(
	ctx context.Context, by audit.Actor, db, target *storage.DB, from string, files fs.FS, tell storage.Progress,
) (*storage.Contents, error) {
	now := time.Now()
	return db.CopyTo(ctx, target, files, now, tell, func(c *storage.Contents, _ int64) (string, error) {
		return audit.Untold(by, now, audit.Event{
			Action: copied, TargetKind: "database", TargetID: from,
			Details: map[string]string{"schema": c.Newest(), "rows": strconv.FormatInt(c.Rows(), 10)},
		})
	})
}
