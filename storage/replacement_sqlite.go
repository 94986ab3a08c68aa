package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"authy/storage/disk"
)

// sqliteTables lists the tables of a SQLite database and their columns.
const sqliteTables = `SELECT t.name, c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c
	WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY t.name, c.name`

func (e *sqliteEngine) catalogue() string { return sqliteTables }

// snapshot sees the moment of its first read. It keeps the log from being emptied into the
// database, but nobody from writing.
func (e *sqliteEngine) snapshot(ctx context.Context) (*sql.Tx, error) {
	return e.pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
}

func (e *sqliteEngine) beside(ctx context.Context, _ fs.FS) (place, error) {
	unlock, err := tryLock(e.path + ".replacing")
	if errors.Is(err, disk.ErrLocked) {
		return nil, errReplacing
	}
	if err != nil {
		return nil, err
	}
	p := &sqlitePlace{path: e.path, fresh: e.path + ".restoring", unlock: unlock}
	tables, err := tablesOf(ctx, e.pool, sqliteTables)
	p.isFull = err != nil || len(tables) > 0
	if err := p.clear(); err != nil {
		unlock()
		return nil, err
	}
	return p, nil
}

// sqlitePlace is a new file beside the database's.
type sqlitePlace struct {
	path, fresh string
	isFull      bool // the database has something in it, known or not
	unlock      func()
}

func (p *sqlitePlace) replaces() bool { return p.isFull }

func (p *sqlitePlace) options() Options {
	return Options{URL: (&url.URL{Scheme: "sqlite", Path: disk.ToURL(p.fresh)}).String()}
}

// load writes without a journal: the file is new, and is of no use until it is whole.
func (p *sqlitePlace) load(ctx context.Context, _ *DB, fn func(loader) error) (err error) {
	pool, err := sql.Open("sqlite", sqliteDSN(p.fresh, "_pragma=synchronous(OFF)",
		"_pragma=cache_size(-64000)"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	pool.SetMaxOpenConns(1)
	if _, err := pool.ExecContext(ctx, "PRAGMA foreign_keys = 0"); err != nil {
		return translate(err)
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	if err := fn(sqliteLoader{tx}); err != nil {
		return errors.Join(err, ended(tx.Rollback()))
	}
	var table string
	switch err := tx.QueryRowContext(ctx, `SELECT "table" FROM pragma_foreign_key_check LIMIT 1`).Scan(&table); {
	case err == nil:
		return errors.Join(fmt.Errorf("a row of table %s refers to one that is not there", table), tx.Rollback())
	case !errors.Is(err, sql.ErrNoRows):
		return errors.Join(translate(err), tx.Rollback())
	}
	return translate(tx.Commit())
}

type sqliteLoader struct{ *sql.Tx }

func (l sqliteLoader) run(ctx context.Context, statement string) (int64, error) {
	res, err := l.ExecContext(ctx, statement)
	if err != nil {
		return 0, translate(err)
	}
	return res.RowsAffected()
}

func (l sqliteLoader) copy(ctx context.Context, t *table, next func() ([]any, error)) error {
	insert, err := l.PrepareContext(ctx, "INSERT INTO "+t.Name+" ("+strings.Join(t.Columns, ", ")+
		") VALUES (?"+strings.Repeat(", ?", len(t.Columns)-1)+")")
	if err != nil {
		return translate(err)
	}
	defer insert.Close() //nolint:errcheck // the transaction says what matters
	for {
		row, err := next()
		if err != nil || row == nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, row...); err != nil {
			return translate(err)
		}
	}
}

// publish gives the old file a second name, and its first one to the new file: there is
// a database at each moment.
func (p *sqlitePlace) publish(_ context.Context, stamp string) (string, error) {
	if err := disk.Sync(p.fresh); err != nil {
		return "", err
	}
	if _, err := os.Stat(p.path + "-wal"); err == nil {
		return "", fmt.Errorf("%s is in use, by a command maybe: wait for its end, and try again", p.path)
	}
	aside := ""
	if p.isFull {
		aside = p.path + ".before-restore-" + stamp
		err := os.Link(p.path, aside)
		if err != nil { // not every file system has second names
			err = os.Rename(p.path, aside)
		}
		if err != nil {
			return "", fmt.Errorf("set the old database aside: %w", err)
		}
	}
	if err := os.Rename(p.fresh, p.path); err != nil {
		return "", fmt.Errorf("put the new database in its place (the old one is %s): %w", aside, err)
	}
	return aside, disk.SyncDir(filepath.Dir(p.path))
}

func (p *sqlitePlace) discard() error {
	if p.unlock == nil {
		return nil
	}
	err := p.clear()
	p.unlock()
	p.unlock = nil
	return err
}

func (p *sqlitePlace) clear() error {
	for _, suffix := range []string{"-wal", "-shm", "-journal", "", ".lock"} {
		if err := os.Remove(p.fresh + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
