package storage

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

var (
	// ErrNotFound says that no such record exists.
	ErrNotFound = errors.New("storage: not found")
	// ErrTaken says that a unique value, such as an address, is in use.
	ErrTaken = errors.New("storage: already taken")
	// ErrUnavailable says that the database cannot be reached or written to;
	// the change did not happen as far as this process can tell.
	ErrUnavailable error = unavailable{}
	// ErrInDoubt says that PostgreSQL was asked to keep a change and did not answer: it
	// is there as a whole, or not at all. It is an [ErrUnavailable].
	ErrInDoubt error = inDoubt{}
	// ErrSecretKey says that the database was made under another secret key.
	ErrSecretKey = errors.New("storage: the secret key is not the one this database was made with")
)

type unavailable struct{}

func (unavailable) Error() string { return "storage: database unavailable" }

// Unavailable marks the error for those who do not know this package.
func (unavailable) Unavailable() bool { return true }

type inDoubt struct{ unavailable }

func (inDoubt) Error() string {
	return "storage: the database did not say whether it kept the change"
}

// InDoubt marks the error for those who do not know this package.
func (inDoubt) InDoubt() bool { return true }

// Is says that the database is unavailable, too.
func (inDoubt) Is(target error) bool { return target == ErrUnavailable }

// translate turns a driver's error into this package's own where one fits.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return ErrNotFound
	case isUnique(err):
		return ErrTaken
	case isUnreachable(err):
		return errors.Join(ErrUnavailable, err)
	}
	return err
}

// translateCommit is translate for what came of a COMMIT on PostgreSQL, which may have been
// done although it failed here.
func translateCommit(err error) error {
	if isInDoubt(err) {
		return errors.Join(ErrInDoubt, err)
	}
	return translate(err)
}

// isInDoubt says whether a COMMIT that failed may have been done: there was no answer but,
// perhaps, that PostgreSQL ends. What pgx takes to be safe to try again is no guide: it says
// so, too, of a connection that ended after the COMMIT was sent.
func isInDoubt(err error) bool {
	if err == nil {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.SeverityUnlocalized != "ERROR"
	}
	rolledBack := errors.Is(err, sql.ErrTxDone) || errors.Is(err, pgx.ErrTxCommitRollback)
	unsent := err == context.DeadlineExceeded || err == context.Canceled //nolint:errorlint // bare, of database/sql
	return !rolledBack && !unsent
}

func isUnique(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() == sqlite3.SQLITE_CONSTRAINT_UNIQUE ||
			e.Code() == sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "23505" // unique_violation
	}
	return false
}

func isUnreachable(err error) bool {
	if errors.Is(err, context.Canceled) {
		return false // whoever asked has gone; the database has not
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY,
			sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY:
			return true
		}
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		// Class 08: connection exception, 53: insufficient resources (such as room), 57: operator
		// intervention, 58: the disk under it; 25006: it takes no writes.
		class := e.Code[:2]
		return class == "08" || class == "53" || class == "57" || class == "58" ||
			isReadOnlyServer(err) || isLockTimeout(err)
	}
	// A deadline of this package's own, and what is said of a transaction that it has ended.
	late := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, sql.ErrTxDone)
	return late || isUnanswered(err) || isCut(err)
}

// isReadOnlyServer says whether PostgreSQL is a standby, or told to take no writes.
func isReadOnlyServer(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "25006" // read_only_sql_transaction
}

// isNoRoom says whether PostgreSQL could not write for want of room, or because of
// its disk.
func isNoRoom(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code[:2] == "53" || e.Code[:2] == "58")
}

// isUnanswered says whether PostgreSQL could not be connected to.
func isUnanswered(err error) bool {
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	return connecting
}

// isCut says whether a connection to PostgreSQL ended under a statement.
func isCut(err error) bool {
	if isUnanswered(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code == "57P01" || e.Code == "57P02" // admin_shutdown, crash_shutdown
	}
	_, network := errors.AsType[*net.OpError](err)
	return network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.ErrUnexpectedEOF) ||
		pgconn.SafeToRetry(err) // which says that the connection was closed before
}

// isBusy says whether another process holds SQLite's lock.
func isBusy(err error) bool { return isSQLite(err, sqlite3.SQLITE_BUSY) }

// isRetryable says whether PostgreSQL asks for the transaction to be run again.
func isRetryable(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01") // serialization, deadlock
}

// isLockTimeout says whether PostgreSQL gave up waiting for a table.
func isLockTimeout(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "55P03" // lock_not_available
}

// isNoTransaction says whether SQLite had already rolled the transaction back.
func isNoTransaction(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlite3.SQLITE_ERROR
}
