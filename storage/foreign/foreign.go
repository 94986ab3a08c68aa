// Package foreign reads the databases of other programs: SQLite and PostgreSQL, one moment of
// them, and nothing is ever written. It refuses to know what is in them: server/importer/… do.
//
// Read foreign.go (opening and what there is), then row.go (values, however they are kept).
package foreign

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite" // also the "sqlite" driver
	sqlite3 "modernc.org/sqlite/lib"

	"authy/storage/disk"
)

// DB is a database of another program, as it was when it was opened.
type DB struct {
	name   string // for people: without a password
	pool   *sql.DB
	tx     *sql.Tx
	engine engine
	tables map[string][]string
}

// engine is what differs between the two databases.
type engine struct {
	columns string // the statement that lists tables and their columns
	row     string // what is selected of a table for each row, %s being its columns
}

var (
	onSQLite = engine{
		columns: `SELECT m.name, c.name FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY m.name, c.cid`,
		row: "%s",
	}
	// Rows come as JSON: one form for enumerations, uuid, json, arrays and timestamps.
	onPostgres = engine{
		columns: `SELECT table_name, column_name FROM information_schema.columns
			WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position`,
		row: "row_to_json(t)::text",
	}
)

// Open opens the database at an address, sqlite:///path or postgres://user@host/name, for
// reading. The caller closes it.
func Open(ctx context.Context, address string) (*DB, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	scheme, _, _ = strings.Cut(scheme, "+") // SQLAlchemy names its driver: postgresql+psycopg2
	switch scheme {
	case "sqlite":
		return openSQLite(ctx, rest)
	case "postgres", "postgresql":
		return openPostgres(ctx, "postgres:"+rest)
	}
	return nil, errors.New("the address is neither sqlite:///path nor postgres://user@host/name")
}

func openSQLite(ctx context.Context, rest string) (*DB, error) {
	path, err := url.PathUnescape(strings.TrimPrefix(rest, "//"))
	if err != nil {
		return nil, errors.New("the path in the address cannot be read")
	}
	path = filepath.Clean(disk.FromURL(path))
	switch info, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s; sqlite:///path is a path from the root, "+
			"and sqlite://path one from this directory", path)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	}
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?mode=ro&_pragma=query_only(1)&_pragma=trusted_schema(0)&_pragma=busy_timeout(5000)"
	pool, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return begin(ctx, &DB{name: path, pool: pool, engine: onSQLite})
}

func openPostgres(ctx context.Context, address string) (*DB, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, errors.New("the postgres:// address cannot be read") // the cause holds the password
	}
	for name, value := range map[string]string{
		"application_name": "authy import", "default_transaction_read_only": "on", "TimeZone": "UTC",
	} {
		config.RuntimeParams[name] = value
	}
	name := config.Database + " on " + config.Host
	return begin(ctx, &DB{name: name, pool: stdlib.OpenDB(*config), engine: onPostgres})
}

// begin begins the one transaction of d, and finds out what there is.
func begin(ctx context.Context, d *DB) (*DB, error) {
	options := &sql.TxOptions{ReadOnly: true}
	if d.engine == onPostgres {
		options.Isolation = sql.LevelRepeatableRead
	}
	var err error
	if d.tx, err = d.pool.BeginTx(ctx, options); err == nil && d.engine == onSQLite {
		err = d.check(ctx)
	}
	if err == nil {
		err = d.list(ctx)
	}
	if err != nil {
		return nil, errors.Join(d.explain(err), d.Close())
	}
	return d, nil
}

// check reads a whole SQLite database, so that damage is found before it is half read.
func (d *DB) check(ctx context.Context) error {
	var found string
	if err := d.tx.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("%s is damaged (%s): restore it from a backup, or recover it with sqlite3's .recover",
			d.name, strings.TrimSpace(found))
	}
	return nil
}

func (d *DB) list(ctx context.Context) error {
	rows, err := d.tx.QueryContext(ctx, d.engine.columns)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	d.tables = map[string][]string{}
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return err
		}
		d.tables[table] = append(d.tables[table], column)
	}
	return rows.Err()
}

// explain says what is wrong with the database where its driver's words do not.
func (d *DB) explain(err error) error {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_NOTADB:
			return fmt.Errorf("%s is not a SQLite database", d.name)
		case sqlite3.SQLITE_CORRUPT:
			return fmt.Errorf("%s is damaged: restore it from a backup, or recover it with sqlite3's .recover", d.name)
		case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
			return fmt.Errorf("%s cannot be opened for reading alone: stop the program that writes to it, "+
				"and open it once with sqlite3 so that its journal is worked off (%w)", d.name, err)
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return fmt.Errorf("%s is held by another program: stop that one first", d.name)
		}
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Errorf("PostgreSQL refuses %s: %s", d.name, e.Message)
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fmt.Errorf("PostgreSQL does not answer for %s: check host, port and password in the address", d.name)
	}
	return err
}

// Name is what people call the database; it has no password in it.
func (d *DB) Name() string { return d.name }

// Tables are the tables that there are, and the columns of each.
func (d *DB) Tables() map[string][]string { return d.tables }

// Close ends reading.
func (d *DB) Close() error {
	var err error
	if d.tx != nil {
		if err = d.tx.Rollback(); errors.Is(err, sql.ErrTxDone) {
			err = nil
		}
	}
	return errors.Join(err, d.pool.Close())
}

// Count is how many rows a table has.
func (d *DB) Count(ctx context.Context, table string) (n int64, err error) {
	query := "SELECT COUNT(*) FROM " + quoted(table)
	if err := d.tx.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return 0, fmt.Errorf("count the rows of %s: %w", table, d.explain(err))
	}
	return n, nil
}

// Each calls do with each row of a table, in the order of its column id if it has one.
func (d *DB) Each(ctx context.Context, table string, do func(Row) error) error {
	columns := d.tables[table]
	names := make([]string, len(columns))
	order := ""
	for i, column := range columns {
		names[i] = quoted(column)
		if column == "id" {
			order = " ORDER BY id"
		}
	}
	what := strings.Replace(d.engine.row, "%s", strings.Join(names, ", "), 1)
	query := "SELECT " + what + " FROM " + quoted(table) + " AS t" + order //nolint:gosec // as above
	rows, err := d.tx.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("read %s: %w", table, d.explain(err))
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	for rows.Next() {
		row, err := d.scan(rows, columns)
		if err != nil {
			return fmt.Errorf("read %s: %w", table, d.explain(err))
		}
		if err := do(row); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", table, d.explain(err))
	}
	return nil
}

func (d *DB) scan(rows *sql.Rows, columns []string) (Row, error) {
	row := make(Row, len(columns))
	if d.engine == onPostgres {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		return row, decoder.Decode(&row)
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	for i, column := range columns {
		row[column] = values[i]
	}
	return row, nil
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
