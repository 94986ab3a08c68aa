package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// What the disk refuses under SQLite, and how the writer comes back.
//
// A full disk refuses one transaction at a time: SQLite has rolled it back, and
// the next one may be smaller. Nothing has to be mended.
//
// After any other I/O error nobody knows what has reached the disk. When fsync
// fails, Linux marks the pages that it could not write as clean and tells of the
// error once: a second fsync succeeds though the disk has none of it. So success
// after failure proves nothing, unless everything in question is written again.
// These are the facts that bring the writer back without losing anything:
//
//   - What was acknowledged is in the log (WAL) by a sync that succeeded, or in the
//     database by a checkpoint whose sync succeeded. SQLite starts the log over only
//     after the latter, so a failed checkpoint leaves all of it in the log, and the
//     next one writes all of it again.
//   - The index of the log, in shared memory, says where the acknowledged
//     transactions end. It is not moved past one whose sync failed, so no reader
//     sees that one, and the next is written over it. The index lives as long as
//     somebody has the database open; made anew from the file it would take the
//     refused transaction in. So a reader is held while the writer goes away.
//   - A TRUNCATE checkpoint writes every page that the log holds into the database
//     (each is dirty again, whatever became of it before), syncs that, and only
//     then empties the log, and with it what is left of refused transactions.
//   - A transaction that changes nothing is written and synced like any other.
//     Once one was, others are accepted.
//
// A process that is killed between a failed sync and the checkpoint may find the
// refused transaction done when it starts again, whole: who was told 503 does not
// know, as when a connection breaks under COMMIT.

const (
	// retryEvery is how often it is tried to end the trouble.
	retryEvery = time.Second
	// retryBusy is how long that waits for those who read.
	retryBusy = 500 * time.Millisecond
)

// trouble is why the database cannot be written to.
type trouble struct {
	err error
	// shut is whether everything is refused, until the connection has been opened
	// anew; else each transaction is tried.
	shut bool
}

// ailing is why the last write was refused, or nil.
func (w *writer) ailing() error {
	if t := w.trouble.Load(); t != nil {
		return t.err
	}
	return nil
}

// shut is why nothing can be written, or nil.
func (w *writer) shut() error {
	if t := w.trouble.Load(); t != nil && t.shut {
		return t.err
	}
	return nil
}

// judge learns from the error of a statement how the disk is.
func (w *writer) judge(ctx context.Context, err error) {
	switch {
	case err == nil, w.shut() != nil:
	case isIOError(err):
		w.suffer(ctx, trouble{fmt.Errorf("%w: the disk refused a write: %w", ErrUnavailable, err), true})
	case isReadOnly(err):
		w.suffer(ctx, trouble{fmt.Errorf("%w: the disk is read-only: %w", ErrUnavailable, err), true})
	case isFull(err):
		w.suffer(ctx, trouble{fmt.Errorf("%w: the disk is full, make room on it: %w", ErrUnavailable, err), false})
	}
}

func (w *writer) suffer(ctx context.Context, t trouble) {
	if w.trouble.Swap(&t) == nil {
		w.tried = time.Now()
		slog.ErrorContext(ctx, "database cannot be written to; it is read on, and writing is tried every second",
			"path", w.engine.path, "err", t.err)
	}
}

// retry tries to end the trouble, if there is any and it is time.
func (w *writer) retry(ctx context.Context) {
	t := w.trouble.Load()
	if t == nil || time.Since(w.tried) < retryEvery {
		return
	}
	err := w.mend(ctx, t.shut)
	w.tried = time.Now()
	if err != nil {
		slog.WarnContext(ctx, "database still cannot be written to", "path", w.engine.path, "err", err)
		return
	}
	w.trouble.Store(nil)
	slog.InfoContext(ctx, "database can be written to again", "path", w.engine.path)
}

// mend is nil once a transaction was written and synced, over a connection that
// is opened anew if that is asked for.
func (w *writer) mend(ctx context.Context, anew bool) error {
	if anew {
		if err := w.reopen(ctx); err != nil {
			return err
		}
	}
	var version int
	if err := w.pen.conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	// It writes the first page, whether the value is another or not.
	if _, err := w.pen.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// reopen replaces the writer's connection, and has all that the log holds written
// and synced.
func (w *writer) reopen(ctx context.Context) error {
	reader, err := w.engine.pool.Conn(ctx)
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	defer reader.Close() //nolint:errcheck // it goes back to the pool
	if err := reader.PingContext(ctx); err != nil {
		return fmt.Errorf("read: %w", err)
	}
	next, err := openPen(ctx, w.engine.path)
	if err != nil {
		return fmt.Errorf("open anew: %w", err)
	}
	// What the old one says when it goes is of no use: it is the one that failed.
	_ = w.pen.close()
	w.pen, w.dataSeen = next, 0
	return w.checkpoint(ctx)
}

func (w *writer) checkpoint(ctx context.Context) error {
	if err := w.pen.patience(ctx, retryBusy); err != nil {
		return err
	}
	var busy, pages, written int
	err := w.pen.conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &written)
	switch {
	case err != nil:
		return fmt.Errorf("write the log into the database: %w", err)
	case busy != 0:
		return errors.New("write the log into the database: somebody reads for a long time")
	}
	return w.pen.patience(ctx, busyTimeout)
}

// patience sets how long statements wait for others.
func (p *pen) patience(ctx context.Context, d time.Duration) error {
	_, err := p.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", d.Milliseconds()))
	return err
}

// explainDisk says what is wrong with the disk in the words of who runs it.
func explainDisk(err error) error {
	switch {
	case isFull(err):
		return fmt.Errorf("the disk is full, make room on it: %w", err)
	case isReadOnly(err), isSQLite(err, sqlite3.SQLITE_CANTOPEN):
		return fmt.Errorf("the directory, or its disk, cannot be written to: %w", err)
	case isIOError(err):
		return fmt.Errorf("the disk fails, or has no room: %w", err)
	case isDamaged(err):
		return fmt.Errorf("it is damaged, or a file of something else (%w): correct database.url, "+
			"or put a backup in its place: authy restore FILE", err)
	}
	return err
}

// isIOError says whether SQLite could not read or write its files.
func isIOError(err error) bool { return isSQLite(err, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) }

// isReadOnly says whether the file can be read but not written.
func isReadOnly(err error) bool { return isSQLite(err, sqlite3.SQLITE_READONLY) }

// isFull says whether there was no room for a transaction.
func isFull(err error) bool { return isSQLite(err, sqlite3.SQLITE_FULL) }

// isSQLite says whether err is SQLite's and of one of these kinds.
func isSQLite(err error, kinds ...int) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return false
	}
	for _, kind := range kinds {
		if e.Code()&0xff == kind {
			return true
		}
	}
	return false
}
