package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	sqlite3 "modernc.org/sqlite/lib"
)

// OpenToReplace opens a database that [DB.Replace] is to replace. Where SQLite's file is too
// damaged for [Open], damaged says how: nothing can be done with the DB then but to lock, replace
// and close it.
func OpenToReplace(ctx context.Context, o Options) (db *DB, damaged string, err error) {
	db, err = Open(ctx, o)
	if !isDamaged(err) {
		return db, "", err
	}
	path := sqlitePath(o.URL)
	pool, opened := sql.Open("sqlite", sqliteDSN(path))
	if opened != nil {
		return nil, "", opened
	}
	e := &damagedSQLite{sqliteEngine{path: path, pool: pool}}
	return newDB(e, nil, nil, newCache(), o.Secret), err.Error(), nil
}

// isDamaged says whether SQLite found a file that is none of its own, or not whole.
func isDamaged(err error) bool {
	return isSQLite(err, sqlite3.SQLITE_NOTADB) || isSQLite(err, sqlite3.SQLITE_CORRUPT)
}

// damagedSQLite is a file that SQLite cannot open.
type damagedSQLite struct{ sqliteEngine }

func (e *damagedSQLite) close() error { return e.pool.Close() }

func (e *damagedSQLite) beside(ctx context.Context, files fs.FS) (place, error) {
	p, err := e.sqliteEngine.beside(ctx, files)
	if err != nil {
		return nil, err
	}
	return &damagedPlace{*p.(*sqlitePlace)}, nil //nolint:forcetypeassert // an engine's own place
}

// damagedPlace is beside a file that SQLite cannot open.
type damagedPlace struct{ sqlitePlace }

// publish sets the log of the damaged file aside with it. No process has it open, or could.
func (p *damagedPlace) publish(ctx context.Context, stamp string) (string, error) {
	kept := p.path + ".before-restore-" + stamp
	if err := moveLog(p.path, kept); err != nil {
		return "", fmt.Errorf("set the log of the damaged database aside: %w", err)
	}
	aside, err := p.sqlitePlace.publish(ctx, stamp)
	if err != nil && aside == "" {
		err = errors.Join(err, moveLog(kept, p.path))
	}
	return aside, err
}

// moveLog renames the files that SQLite keeps beside a database.
func moveLog(from, to string) error {
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if err := os.Rename(from+suffix, to+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
