package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	_ "modernc.org/sqlite" // the "sqlite" driver

	"authy/storage/disk"
	"authy/storage/kv"
)

// readers is how many connections read at once beside the one writer.
const readers = 4

// openWait is how long opening waits for another process that does the same.
const openWait = 10 * time.Second

// busyTimeout is how long a statement waits for another process.
const busyTimeout = 5 * time.Second

// sqliteEngine is SQLite with one writer and a pool of readers.
type sqliteEngine struct {
	path   string
	pool   *sql.DB // readers
	reads  *sqliteConn
	writer *writer
}

// openSQLite opens or creates the file of o.URL with mode 0600.
func openSQLite(ctx context.Context, o Options) (*DB, error) {
	path := sqlitePath(o.URL)
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	p, err := openPen(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, explainDisk(err))
	}
	pool, err := sql.Open("sqlite", sqliteDSN(path, "_pragma=query_only(1)", "_pragma=cache_size(-2000)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), p.close())
	}
	pool.SetMaxOpenConns(readers)
	pool.SetMaxIdleConns(readers)
	pool.SetConnMaxLifetime(readerLife)

	hot := newCache()
	b := bun.NewDB(pool, sqlitedialect.New())
	e := &sqliteEngine{path: path, pool: pool, reads: &sqliteConn{IConn: pool, prepare: pool.PrepareContext}}
	e.writer = newWriter(e, p, b, hot, o.Secret)
	return newDB(e, b, e.reads, hot, o.Secret), nil
}

// pen is the one connection that writes.
type pen struct {
	db   *sql.DB
	held *sql.Conn
	conn *sqliteConn
}

func openPen(ctx context.Context, path string) (*pen, error) {
	db, err := sql.Open("sqlite", sqliteDSN(path, "_txlock=immediate",
		"_pragma=journal_mode(WAL)", "_pragma=synchronous(FULL)", "_pragma=cache_size(-8000)",
		fmt.Sprintf("_pragma=analysis_limit(%d)", sampleRows)))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	held, err := connect(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &pen{db: db, held: held, conn: &sqliteConn{IConn: held, prepare: held.PrepareContext}}, nil
}

func (p *pen) close() error { return errors.Join(p.conn.close(), p.held.Close(), p.db.Close()) }

// connect opens the writer's connection. Where another process opens or closes
// the file at this moment, SQLite does not wait for the journal's mode by itself.
func connect(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, openWait)
	defer cancel()
	for {
		held, err := db.Conn(ctx)
		if !isBusy(err) {
			return held, err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// sqlitePath returns the file that sqlite:///path or sqlite://path names.
func sqlitePath(rawURL string) string {
	path := strings.TrimPrefix(strings.TrimPrefix(rawURL, "sqlite:"), "//")
	if plain, err := url.PathUnescape(path); err == nil {
		path = plain
	}
	// sqlite:///dir/x is absolute; sqlite:///./x and sqlite://x are relative.
	if strings.HasPrefix(path, "/./") {
		path = path[1:]
	}
	return filepath.Clean(disk.FromURL(path))
}

// createPrivate makes an empty file that only its owner can read, unless it is
// there; SQLite gives its journal files the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case errors.Is(err, os.ErrExist):
		return checkPrivate(path)
	case err != nil:
		return fmt.Errorf("create database: %w", err)
	}
	// The mode given to open is cut by the umask only; set it to be sure.
	return errors.Join(disk.Narrow(f), f.Close())
}

func checkPrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("open database: %s is not a regular file", path)
	}
	shared, err := disk.Shared(path, info, 0o077)
	if shared && !isForeign(path) {
		err = fmt.Errorf("%s can be read by others (mode %04o); run: %s",
			path, info.Mode().Perm(), disk.Narrowing(path, "600"))
	}
	if err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	return checkWritable(path)
}

// checkWritable refuses files that this user cannot write to: SQLite would open them, to refuse
// each change, and leave a log of the same mode.
func checkWritable(path string) error {
	needed := []string{path}
	for _, beside := range []string{path + "-wal", path + "-shm"} {
		if _, err := os.Stat(beside); err != nil {
			beside = filepath.Dir(path) // where it is made
		}
		needed = append(needed, beside)
	}
	for _, one := range needed {
		if err := disk.Writable(one); err != nil {
			return fmt.Errorf("open database: %w", err)
		}
	}
	return nil
}

// isForeign says whether a file is of something else than SQLite, which opening it says better
// than anything about its mode.
func isForeign(path string) bool {
	const head = "SQLite format 3\x00"
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // only read from
	begins := make([]byte, len(head))
	n, _ := io.ReadFull(f, begins)
	return n > 0 && string(begins[:n]) != head
}

func sqliteDSN(path string, extra ...string) string {
	options := append([]string{
		fmt.Sprintf("_pragma=busy_timeout(%d)", busyTimeout.Milliseconds()), "_pragma=foreign_keys(1)", "_pragma=temp_store(2)",
		"_pragma=trusted_schema(0)",
	}, extra...)
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + strings.Join(options, "&")
}

func (e *sqliteEngine) update(ctx context.Context, fn func(*Tx) error) error {
	return e.writer.do(ctx, fn)
}

// updateFor is update: the one writer runs one transaction after another.
func (e *sqliteEngine) updateFor(ctx context.Context, _ string, fn func(*Tx) error) error {
	return e.writer.do(ctx, fn)
}

// updateAll is update, which has as long as it takes.
func (e *sqliteEngine) updateAll(ctx context.Context, fn func(*Tx) error) error {
	return e.writer.do(ctx, fn)
}

// chain is update: the one writer runs one transaction after another.
func (e *sqliteEngine) chain(ctx context.Context, fn func(*Tx) error) error {
	return e.writer.do(ctx, fn)
}

// alone holds a lock beside the file, which no server holds: there may be one.
func (e *sqliteEngine) alone(ctx context.Context, fn func() error) error {
	unlock, err := waitForLock(ctx, e.path+".migrating")
	if err != nil {
		return err
	}
	defer unlock()
	return fn()
}

// reshape is update: the one writer gives every transaction its time.
func (e *sqliteEngine) reshape(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return e.writer.do(context.WithoutCancel(ctx), fn)
}

func (e *sqliteEngine) tables(ctx context.Context) (names []string, err error) {
	return column(ctx, e.pool, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
}

func (e *sqliteEngine) check(ctx context.Context) error {
	for _, query := range []string{
		"SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
		`SELECT "table" || ' has a row that refers to no ' || parent FROM pragma_foreign_key_check`,
	} {
		wrong, err := column(ctx, e.pool, query+" LIMIT 1")
		if err != nil {
			return err
		}
		if len(wrong) > 0 {
			return fmt.Errorf("the database is damaged: %s", wrong[0])
		}
	}
	return nil
}

// checkReferences finds what another program has done that does not turn foreign_keys on, as
// sqlite3 does not by itself.
func (e *sqliteEngine) checkReferences(ctx context.Context, q querier, tables []table) error {
	rows, err := q.QueryContext(ctx, `SELECT "table", rowid, parent FROM pragma_foreign_key_check`)
	if err != nil {
		return translate(err)
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	for rows.Next() {
		var name, parent string
		var row sql.NullInt64 // none where a table is WITHOUT ROWID
		if err := rows.Scan(&name, &row, &parent); err != nil {
			return translate(err)
		}
		if !slices.ContainsFunc(tables, func(t table) bool { return t.Name == name }) {
			continue
		}
		where := ""
		if row.Valid {
			where = fmt.Sprintf(" WHERE rowid = %d", row.Int64)
		}
		return fmt.Errorf("a row of table %s refers to one of %s that is not there, so that no copy could be restored: "+
			"look at what PRAGMA foreign_key_check of sqlite3 names, and remove it (DELETE FROM %s%s)", name, parent, name, where)
	}
	return translate(rows.Err())
}

// shared is nil: a file has one server, which keeps that in its memory.
func (e *sqliteEngine) shared() kv.Store { return nil }

func (e *sqliteEngine) ping(ctx context.Context) error {
	if err := e.writer.ailing(); err != nil {
		return err
	}
	return e.pool.PingContext(ctx)
}

// size is that of the file and of the log that is not in it yet.
func (e *sqliteEngine) size(context.Context) (bytes int64, err error) {
	for _, path := range []string{e.path, e.path + "-wal"} {
		info, err := os.Stat(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("look how large the database is: %w", err)
		}
		bytes += info.Size()
	}
	return bytes, nil
}

func (e *sqliteEngine) close() error {
	e.writer.close()
	// The connection that writes is the last to go: it empties the log into
	// the database, which those that only read cannot.
	return errors.Join(e.reads.close(), e.pool.Close(), e.writer.pen.close())
}

// sqliteConn prepares hot statements once and keeps them.
type sqliteConn struct {
	bun.IConn
	prepare  func(ctx context.Context, query string) (*sql.Stmt, error)
	prepared sync.Map // query → *sql.Stmt
}

func (c *sqliteConn) stmt(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := c.prepared.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := c.prepare(context.WithoutCancel(ctx), query)
	if err != nil {
		return nil, err
	}
	if kept, loaded := c.prepared.LoadOrStore(query, s); loaded {
		return kept.(*sql.Stmt), s.Close() //nolint:sqlclosecheck // another was quicker
	}
	return s, nil
}

// close closes what was prepared: SQLite keeps a connection, and its files, for as
// long as it has statements.
func (c *sqliteConn) close() (err error) {
	c.prepared.Range(func(query, s any) bool {
		c.prepared.Delete(query)
		err = errors.Join(err, s.(*sql.Stmt).Close())
		return true
	})
	return err
}

func (c *sqliteConn) hot(ctx context.Context, query string, args ...any) (sql.Result, error) {
	s, err := c.stmt(ctx, query) //nolint:sqlclosecheck // kept for as long as the connection
	if err != nil {
		return nil, err
	}
	return s.ExecContext(ctx, legible(args)...)
}

// hotRow is over before anyone could want to stop it. A context that can end would
// cost two goroutines, which wait for that.
func (c *sqliteConn) hotRow(ctx context.Context, query string, args ...any) *sql.Row {
	ctx = context.WithoutCancel(ctx)
	s, err := c.stmt(ctx, query) //nolint:sqlclosecheck // kept for as long as the connection
	if err != nil {
		// The plain query meets the same error and carries it in its Row.
		return c.QueryRowContext(ctx, query, args...)
	}
	return s.QueryRowContext(ctx, legible(args)...)
}

// sqliteTx is the writer's connection during one transaction. A statement that
// fails fails the transaction, as it does on PostgreSQL: SQLite may have rolled
// all of it back, and what came after would stand on its own. A caller who goes
// away stops nothing, because that would end the transactions of others too.
type sqliteTx struct {
	*sqliteConn
	failed error
}

func (c *sqliteTx) ExecContext(ctx context.Context, query string, args ...any) (res sql.Result, err error) {
	if c.failed == nil {
		res, c.failed = c.sqliteConn.ExecContext(context.WithoutCancel(ctx), query, args...)
	}
	return res, c.failed
}

func (c *sqliteTx) QueryContext(ctx context.Context, query string, args ...any) (rows *sql.Rows, err error) {
	if c.failed == nil {
		rows, c.failed = c.sqliteConn.QueryContext(context.WithoutCancel(ctx), query, args...)
	}
	return rows, c.failed
}

func (c *sqliteTx) hotRow(ctx context.Context, query string, args ...any) *sql.Row {
	row := c.sqliteConn.hotRow(ctx, query, args...)
	if c.failed == nil {
		c.failed = row.Err()
	}
	return row
}

func (c *sqliteTx) hot(ctx context.Context, query string, args ...any) (res sql.Result, err error) {
	if c.failed == nil {
		res, c.failed = c.sqliteConn.hot(context.WithoutCancel(ctx), query, args...)
	}
	return res, c.failed
}
