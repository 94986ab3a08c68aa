package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"

	"authy/storage/disk"
)

// serverLock is the advisory lock that servers share, and that who needs them stopped
// holds alone.
const serverLock = 0x7365727665 // "serve"

// replaceLock is the advisory lock of whoever makes a replacement, also for a rehearsal.
const replaceLock = 0x7265706c616365 // "replace"

// Lock claims the database for a server until unlock is called or the process
// ends. SQLite's file has one server at a time, beside which commands may
// write; PostgreSQL has as many as there are nodes.
func (db *DB) Lock() (unlock func(), err error) { return db.engine.lock(false) }

// LockAlone claims the database for who needs every server stopped.
func (db *DB) LockAlone() (unlock func(), err error) { return db.engine.lock(true) }

// lock makes no difference: a file has one server.
func (e *sqliteEngine) lock(bool) (unlock func(), err error) {
	f, err := disk.OpenLocked(e.path + ".lock")
	switch {
	case errors.Is(err, disk.ErrLocked):
		return nil, fmt.Errorf("another authy server is using %s: stop it first, "+
			"or give this one its own data_dir", e.path)
	case err != nil:
		return nil, fmt.Errorf("claim %s: %w", e.path, err)
	}
	return func() { f.Close() }, nil //nolint:errcheck // closing gives the lock up
}

// errBarred refuses what would be written without a claim: somebody may copy the database, or put
// another in its place, and would not know of it.
var errBarred = fmt.Errorf("%w: the claim on it was lost, and is being taken again", ErrUnavailable)

// claimAgain is how long after a claim failed the next is tried.
const claimAgain = 200 * time.Millisecond

// lock holds the lock on a connection of its own. Where that is cut it is taken anew, and nothing
// is written meanwhile.
func (e *postgresEngine) lock(alone bool) (unlock func(), err error) {
	ctx, cancel := context.WithCancel(context.Background())
	conn, err := e.claim(ctx, alone)
	if err != nil {
		cancel()
		return nil, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if conn != nil {
				_, err = conn.WaitForNotification(ctx) // none is asked for: it returns when the connection ends
				_ = conn.Close(context.WithoutCancel(ctx))
			}
			if ctx.Err() != nil {
				return
			}
			e.barred.Store(true)
			slog.WarnContext(ctx, "the claim on the database was lost, writing nothing until it is back", "err", err)
			if conn, err = e.claim(ctx, alone); err == nil {
				e.barred.Store(false)
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(claimAgain):
			}
		}
	}()
	return func() { cancel(); <-done }, nil
}

// claimTime is how long a claim may take: PostgreSQL frees a lock a moment after the process
// that had it has ended.
const claimTime = time.Second

// claimOn tries to take a lock on a connection, and says whether it did.
func claimOn(ctx context.Context, conn *pgx.Conn, try string, lock int64) (got bool, err error) {
	for deadline := time.Now().Add(claimTime); ; {
		err := conn.QueryRow(ctx, "SELECT "+try+"($1)", lock).Scan(&got)
		if err != nil || got || time.Now().After(deadline) {
			return got, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// claim takes the lock on a new connection.
func (e *postgresEngine) claim(ctx context.Context, alone bool) (*pgx.Conn, error) {
	try, refusal := "pg_try_advisory_lock_shared", "it is being restored, or changed in another way that no server may see: "+
		"wait for the end of that"
	if alone {
		try, refusal = "pg_try_advisory_lock", "an authy server is using it: stop every one first"
	}
	conn, err := pgx.ConnectConfig(ctx, e.config.Copy())
	if err != nil {
		return nil, fmt.Errorf("claim the database: %w", translate(err))
	}
	got, err := claimOn(ctx, conn, try, serverLock)
	if err == nil && !got {
		err = errors.New(refusal)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("claim the database %s: %w", e.config.Database, err),
			conn.Close(context.WithoutCancel(ctx)))
	}
	return conn, nil
}
