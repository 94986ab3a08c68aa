package storage

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// CountPasskeysMade returns how many passkeys were made from one moment up to another,
// and have not been used since a third.
func (db *DB) CountPasskeysMade(ctx context.Context, from, to, unusedSince time.Time) (int64, error) {
	n, err := db.bun.NewSelect().Conn(db.conn).Model((*Passkey)(nil)).
		Where("created_at >= ? AND created_at < ?", from.UnixMilli(), to.UnixMilli()).
		Where("last_used_at IS NULL OR last_used_at < ?", unusedSince.UnixMilli()).Count(ctx)
	return n, translate(err)
}

// Age returns how long there has been this database at now.
func (db *DB) Age(ctx context.Context, now time.Time) (time.Duration, error) {
	steps, err := db.appliedSteps(ctx)
	if err != nil || len(steps) == 0 {
		return 0, translate(err)
	}
	first := slices.MinFunc(steps, func(a, b appliedMigration) int { return a.AppliedAt.Compare(b.AppliedAt.Time) })
	return now.Sub(first.AppliedAt.Time), nil
}

// forgetful are the settings by which PostgreSQL may lose what it has acknowledged,
// with the values that do.
var forgetful = map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

// IsDeaf says whether notifications of PostgreSQL do not come through to this node, which then
// remembers no record. It waits until that is known, and for two seconds at most.
func (db *DB) IsDeaf(ctx context.Context) bool {
	e, ok := db.engine.(*postgresEngine)
	if !ok {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	for !e.echoed.Load() && !e.deaf.Load() && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(listenAgain / 4):
		}
	}
	return e.deaf.Load()
}

// Forgets returns the settings by which the database may lose what it has
// acknowledged, or be damaged, when its machine fails: "fsync = off". SQLite has none
// that are not this package's own.
func (db *DB) Forgets(ctx context.Context) ([]string, error) {
	e, ok := db.engine.(*postgresEngine)
	if !ok {
		return nil, nil
	}
	var found []string
	for name, bad := range forgetful {
		var value string
		// SHOW says what holds for this connection, which is one of authy's own.
		if err := e.pool.QueryRowContext(ctx, "SHOW "+name).Scan(&value); err != nil {
			return nil, translate(fmt.Errorf("ask for %s: %w", name, err))
		}
		if strings.EqualFold(value, bad) {
			found = append(found, name+" = "+value)
		}
	}
	slices.Sort(found)
	return found, nil
}
