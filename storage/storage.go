package storage

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/uptrace/bun"

	"authy/storage/kv"
)

// Options say which database to open.
type Options struct {
	// URL is sqlite:///path/to/file or postgres://user@host/name.
	URL string
	// Secret is the server's secret key; sealed columns and keyed hashes need it.
	Secret []byte
	// Snapshots is the directory of what is kept before the schema changes, "" for nothing.
	Snapshots string
}

// DB is an open database. Its lookups see what is committed.
type DB struct {
	Reader
	secret
	cache     *cache
	engine    engine
	snapshots string // a directory, or ""
	close     func() error
}

// engine is what differs between the two databases.
type engine interface {
	// update runs fn in a transaction, and drops what it changed from the cache.
	update(ctx context.Context, fn func(*Tx) error) error
	// updateAll is update for as long as it takes.
	updateAll(ctx context.Context, fn func(*Tx) error) error
	// updateFor is update, before which who [Tx.Stay]s as a user comes to an end.
	updateFor(ctx context.Context, userID string, fn func(*Tx) error) error
	// chain runs fn in a transaction of which there is one at a time.
	chain(ctx context.Context, fn func(*Tx) error) error
	// alone runs fn while no other process runs one.
	alone(ctx context.Context, fn func() error) error
	// shared is what all nodes keep for a while, nil where there is one node.
	shared() kv.Store
	// reshape runs fn, which changes the schema, in a transaction for as long as that takes.
	reshape(ctx context.Context, fn func(*Tx) error) error
	// tables are the names of all tables.
	tables(ctx context.Context) ([]string, error)
	// check says what is damaged, or refers to what is not there.
	check(ctx context.Context) error
	// checkReferences names a row of one of tables that refers to one that is not there.
	checkReferences(ctx context.Context, q querier, tables []table) error
	ping(ctx context.Context) error
	// size is how many bytes the database takes.
	size(ctx context.Context) (int64, error)
	// analyze renews statistics that are out of date.
	analyze(ctx context.Context) error
	// stats is how the database has fared in this process.
	stats() Stats
	// hearing is what hears of events.
	hearing() *ears
	// clockAhead is how far the clock of the database is ahead of this machine's.
	clockAhead(ctx context.Context) (time.Duration, error)
	// snapshot begins a transaction that sees one moment and writes nothing.
	snapshot(ctx context.Context) (*sql.Tx, error)
	// catalogue asks for the tables, their columns and the types of those, by name.
	catalogue() string
	// beside makes an empty place for a database that is to take this one's, whose schema is
	// made by the migrations in files.
	beside(ctx context.Context, files fs.FS) (place, error)
	// lock claims the database beside other servers, or alone.
	lock(alone bool) (unlock func(), err error)
	close() error
}

// Reader looks records up. The records it returns may be shared with others
// and must not be changed; a [Tx] returns copies of its own.
type Reader struct {
	bun   *bun.DB
	conn  conn
	cache *cache // nil inside a transaction
	seals secret
}

// Tx is a transaction. It must not be kept after the function it was given to.
type Tx struct {
	Reader
	changed []string
	after   []func()
	ears    *ears
}

// AfterCommit has do called once what tx does is durable. It must not wait for
// anything.
func (tx *Tx) AfterCommit(do func()) { tx.after = append(tx.after, do) }

// conn is what statements run on: a pool, or the connection of a transaction.
type conn interface {
	bun.IConn
	// hot runs a statement that is worth preparing; arguments are marked "?".
	hot(ctx context.Context, query string, args ...any) (sql.Result, error)
	hotRow(ctx context.Context, query string, args ...any) *sql.Row
}

// legible replaces, in the arguments of a hot statement, what is not UTF-8, and
// NUL, as bun does for the rest: PostgreSQL refuses such text, and a header
// that somebody sent must not be able to undo a transaction.
func legible(args []any) []any {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return args
}

// Open opens the database that o names, without migrating it. The caller
// migrates with [DB.Migrate] and closes with [DB.Close].
func Open(ctx context.Context, o Options) (*DB, error) {
	open := openSQLite
	switch kind, _, _ := strings.Cut(o.URL, ":"); kind {
	case "sqlite":
	case "postgres", "postgresql":
		open = openPostgres
	default:
		// What it is instead may hold a password.
		return nil, errors.New("open database: the URL is neither sqlite:///path nor postgres://host/name")
	}
	db, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	db.snapshots = o.Snapshots
	return db, nil
}

func newDB(e engine, b *bun.DB, c conn, hot *cache, key []byte) *DB {
	s := newSecret(key)
	return &DB{
		Reader: Reader{bun: b, conn: c, cache: hot, seals: s},
		secret: s, cache: hot, engine: e, close: sync.OnceValue(e.close),
	}
}

// Stored reads what is in the database now, past what this node remembers: another one may have
// changed it, and word of that be on its way.
func (db *DB) Stored() Reader {
	r := db.Reader
	r.cache = nil
	return r
}

// Update runs fn in a transaction and commits it if fn returns nil. When
// Update returns nil the change is durable and the cache has dropped what it
// changed; other nodes hear of it with the commit, a server beside which a
// command has written to SQLite within a quarter of a second.
//
// fn may run more than once: it sets variables of its caller anew each time
// and has no other effect. It must not use the DB itself, wait for anything, or
// keep tx. A statement that fails fails the transaction, whatever fn makes of
// it. Errors of fn are returned as they are; a database that cannot be written
// to is [ErrUnavailable].
func (db *DB) Update(ctx context.Context, fn func(tx *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return noteChange(ctx, db.engine.update(context.WithoutCancel(ctx), guarded(ctx, fn)))
}

// UpdateFor is [DB.Update] for what ends all that a user has: it waits for what is being made in
// their name, and cannot be put off by more of that.
func (db *DB) UpdateFor(ctx context.Context, userID string, fn func(tx *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return noteChange(ctx, db.engine.updateFor(context.WithoutCancel(ctx), userID, guarded(ctx, fn)))
}

// UpdateAll is [DB.Update] for what writes very much at once, such as the records of
// another server: it has as long as it takes. Others may be refused meanwhile.
func (db *DB) UpdateAll(ctx context.Context, fn func(tx *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return noteChange(ctx, db.engine.updateAll(ctx, guarded(ctx, fn)))
}

// Chain is [DB.Update] for what links events: one such transaction runs at a
// time, over all nodes, and none beside it is run again on its account.
func (db *DB) Chain(ctx context.Context, fn func(tx *Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return db.engine.chain(context.WithoutCancel(ctx), fn)
}

// Shared is the key-value store of all nodes that share the database; nil on
// SQLite, which has one. It is closed with the database.
func (db *DB) Shared() kv.Store { return db.engine.shared() }

// Ping says whether the database answers and can be written to.
func (db *DB) Ping(ctx context.Context) error {
	if err := db.engine.ping(ctx); err != nil {
		return errors.Join(ErrUnavailable, err)
	}
	return nil
}

// Close waits for running transactions and closes the database. Closing it
// again does nothing more.
func (db *DB) Close() error { return db.close() }

// change notes that the record under key is no longer what caches hold.
func (tx *Tx) change(kind, key string) {
	if key != "" {
		tx.changed = append(tx.changed, kind+key)
	}
}

// find loads the one record that where describes into a new T. It is a hot statement:
// where has no values in it, so that the text is the same at each call.
func find[T any](ctx context.Context, r Reader, where string, args ...any) (*T, error) {
	if slices.ContainsFunc(args, hasNUL) {
		return nil, errNUL
	}
	record := new(T)
	table := r.bun.Table(reflect.TypeFor[T]())
	columns, into := make([]string, len(table.Fields)), make([]any, len(table.Fields))
	for i, field := range table.Fields {
		columns[i] = string(field.SQLName)
		into[i] = field.Value(reflect.ValueOf(record).Elem()).Addr().Interface()
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + string(table.SQLName) + " WHERE " + where
	if err := r.conn.hotRow(ctx, query, args...).Scan(into...); err != nil {
		return nil, translate(err)
	}
	return record, nil
}

// errNUL refuses a look-up that would find another text than the one it names.
var errNUL = errors.New("storage: a text with NUL cannot be looked up")

func hasNUL(arg any) bool {
	text, ok := arg.(string)
	return ok && strings.ContainsRune(text, 0)
}

// list loads every record that where describes, in the given order.
func list[T any](ctx context.Context, r Reader, order, where string, args ...any) ([]T, error) {
	var records []T
	err := r.bun.NewSelect().Conn(r.conn).Model(&records).
		Where(where, args...).OrderExpr(order).Scan(ctx)
	return records, translate(err)
}

// insert adds a record; [ErrTaken] says that a unique value of it is in use.
func insert[T any](ctx context.Context, tx *Tx, record *T) error {
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(record).Exec(ctx)
	return translate(err)
}

// save writes every column of a record that exists but some; [ErrNotFound] if it
// does not exist.
func save[T any](ctx context.Context, tx *Tx, record *T, but ...string) error {
	res, err := tx.bun.NewUpdate().Conn(tx.conn).Model(record).ExcludeColumn(but...).WherePK().Exec(ctx)
	if err != nil {
		return translate(err)
	}
	return one(res)
}

// remove deletes the records that where describes and says how many there were.
func remove[T any](ctx context.Context, tx *Tx, where string, args ...any) (int64, error) {
	res, err := tx.bun.NewDelete().Conn(tx.conn).Model((*T)(nil)).Where(where, args...).Exec(ctx)
	if err != nil {
		return 0, translate(err)
	}
	return res.RowsAffected()
}

// one is nil when a statement changed a row, and [ErrNotFound] when it did not.
func one(res sql.Result) error {
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// column returns the one column of what a query finds.
func column(ctx context.Context, pool *sql.DB, query string, args ...any) (values []string, err error) {
	rows, err := pool.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	for rows.Next() {
		var value string
		if err := rows.Scan(&value); err != nil {
			return nil, translate(err)
		}
		values = append(values, value)
	}
	return values, translate(rows.Err())
}
