package storage

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"
)

// ClockAhead returns how far the clock of the database is ahead of this machine's,
// as exactly as the database answers quickly; 0 where both are one.
func (db *DB) ClockAhead(ctx context.Context) (time.Duration, error) {
	ahead, err := db.engine.clockAhead(ctx)
	return ahead, translate(err)
}

func (e *sqliteEngine) clockAhead(context.Context) (time.Duration, error) { return 0, nil }

func (e *postgresEngine) clockAhead(ctx context.Context) (time.Duration, error) {
	var theirs time.Time
	asked := time.Now()
	if err := e.pool.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&theirs); err != nil {
		return 0, err
	}
	answered := time.Now()
	return theirs.Sub(asked.Add(answered.Sub(asked) / 2)), nil
}

// Missing says that a database is a SQLite file that is not there yet.
func Missing(url string) bool {
	if !strings.HasPrefix(url, "sqlite:") {
		return false
	}
	_, err := os.Stat(sqlitePath(url))
	return errors.Is(err, fs.ErrNotExist)
}

// Path returns the file of a SQLite database, and "" for PostgreSQL.
func (db *DB) Path() string {
	if e, ok := db.engine.(*sqliteEngine); ok {
		return e.path
	}
	return ""
}
