package storage

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	mathrand "math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"authy/storage/kv"
)

const (
	// conflictPatience is how long a transaction is run anew until PostgreSQL, at
	// its strictest isolation, finds no conflict with those beside it.
	conflictPatience = 10 * time.Second
	// conflictPauseMax is the longest pause before another attempt.
	conflictPauseMax = 64 * time.Millisecond
	// connections is the size of the pool, and so how many may turn out to have
	// been cut before one of them begins a transaction.
	connections = 16
	// schemaLock is the advisory lock of whoever changes the schema.
	schemaLock = 0x6175746879 // "authy"
	// chainLock is the advisory lock of whoever links events.
	chainLock = 0x6175646974 // "audit"
	// userLock is the first half of the advisory locks of users, see [Tx.Stay].
	userLock = 0x75736572 // "user"
	// updateTimeout ends a transaction that hangs, with its connection.
	updateTimeout = 30 * time.Second
	// lockPatience is how long a step of the schema waits for a table, and those who
	// come after it with it; reshapePatience is how long it is tried again.
	lockPatience    = 2 * time.Second
	reshapePatience = 2 * time.Minute
)

// postgresEngine is PostgreSQL: a pool, and one connection that listens for
// what other nodes change.
type postgresEngine struct {
	pool   *sql.DB
	config *pgx.ConnConfig // of the listener
	lines  *lines
	bun    *bun.DB
	cache  *cache
	seals  secret
	holds  kv.Store
	node   string
	noRoom atomic.Bool // the last that was written found none
	barred atomic.Bool // the claim of this server was lost
	echoed atomic.Bool // the listener has heard itself
	deaf   atomic.Bool // and has not, the last time it tried
	doubts atomic.Bool // a COMMIT failed, and may have been done or be done yet
	tally  tally
	ears   ears
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func openPostgres(ctx context.Context, o Options) (*DB, error) {
	config, err := pgx.ParseConfig(o.URL)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", unreadable(o.URL, err))
	}
	config.DialFunc = keepAlive
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = dialTime
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "authy"
	}
	listener := config.Copy()
	listener.RuntimeParams["application_name"] += " news"
	lines := newLines(config)
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(8)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	if err := pool.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", ErrUnavailable, advised(err)), pool.Close())
	}
	if err := checkEncoding(ctx, pool); err != nil {
		return nil, errors.Join(fmt.Errorf("open database on %s: %w", config.Host, err), pool.Close())
	}
	hot := newCache()
	hot.patience = newsPatience + alivePatience
	hot.suspend()
	listening, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e := &postgresEngine{
		pool: pool, config: listener, lines: lines, bun: bun.NewDB(pool, pgdialect.New()), cache: hot,
		seals: newSecret(o.Secret), holds: kv.OnPostgres(pool, translate), node: rand.Text(), cancel: cancel,
	}
	e.done.Go(func() { e.listen(listening) })
	return newDB(e, e.bun, pgConn{pool}, hot, o.Secret), nil
}

// update runs fn under SERIALIZABLE, which gives the rules what SQLite's one
// writer gives them: transactions that behave as if run one after another.
func (e *postgresEngine) update(ctx context.Context, fn func(*Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	return e.updateAll(ctx, fn)
}

func (e *postgresEngine) updateAll(ctx context.Context, fn func(*Tx) error) error {
	return e.tryAgain(ctx, e.begin, fn)
}

// updateFor takes the lock of a user before its transaction sees anything: what is made in their
// name has ended then, and the next waits. Without that each of them would have it run anew, for
// as long as somebody goes on.
func (e *postgresEngine) updateFor(ctx context.Context, userID string, fn func(*Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	held, err := e.holdUser(ctx, userID)
	if err != nil {
		return translate(err)
	}
	defer held.Close() //nolint:errcheck // it goes back to the pool
	err = e.tryAgain(ctx, func(ctx context.Context, level sql.IsolationLevel) (*sql.Tx, error) {
		if e.barred.Load() {
			return nil, errBarred
		}
		return held.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	}, fn)
	// A connection that is lost has lost its locks.
	_, _ = held.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1, $2)", userLock, lockOf(userID))
	return err
}

// holdUser takes the lock of a user on a connection. One that was cut while it was idle gives way
// to the next.
func (e *postgresEngine) holdUser(ctx context.Context, userID string) (held *sql.Conn, err error) {
	for range connections {
		if held, err = e.pool.Conn(ctx); err != nil {
			return nil, err
		}
		_, err = held.ExecContext(ctx, "SELECT pg_advisory_lock($1, $2)", userLock, lockOf(userID))
		if err == nil {
			return held, nil
		}
		_ = held.Close() // it is of no use any more
		if !isCut(err) {
			break
		}
	}
	return nil, err
}

// lockOf is the second half of the advisory lock of a user: of two that share one, one waits.
func lockOf(userID string) int32 {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(userID)) // never fails
	return int32(sum.Sum32())        //nolint:gosec // all 32 bits are meant
}

// beginning begins a transaction.
type beginning func(ctx context.Context, level sql.IsolationLevel) (*sql.Tx, error)

// tryAgain runs fn under SERIALIZABLE until it does not meet others.
func (e *postgresEngine) tryAgain(ctx context.Context, begin beginning, fn func(*Tx) error) error {
	begun := time.Now()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, conflictPauseMax) {
		err := e.try(ctx, begin, sql.LevelSerializable, fn)
		if isNoRoom(err) {
			e.noRoom.Store(true)
		}
		if !isRetryable(err) {
			return err
		}
		if time.Since(begun) > conflictPatience {
			return fmt.Errorf("%w: too many transactions want the same records", ErrUnavailable)
		}
		// Those that have met part again: pauses of one length would lead them
		// to the next conflict together.
		select {
		case <-ctx.Done():
			return translate(ctx.Err())
		case <-time.After(mathrand.N(pause)): //nolint:gosec // no secret
		}
	}
}

// chain runs fn under a lock instead of SERIALIZABLE: it reads where everyone
// else writes, and would count as a conflict with each of them.
func (e *postgresEngine) chain(ctx context.Context, fn func(*Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, updateTimeout)
	defer cancel()
	return e.try(ctx, e.begin, sql.LevelReadCommitted, func(tx *Tx) error {
		if _, err := tx.conn.hot(ctx, "SELECT pg_advisory_xact_lock(?)", int64(chainLock)); err != nil {
			return translate(err)
		}
		return fn(tx)
	})
}

func (e *postgresEngine) try(
	ctx context.Context, begin beginning, level sql.IsolationLevel, fn func(*Tx) error,
) (err error) {
	sqlTx, err := begin(ctx, level)
	if err != nil {
		return translate(err)
	}
	defer func() {
		if rollback := sqlTx.Rollback(); err == nil && !errors.Is(rollback, sql.ErrTxDone) {
			err = rollback
		}
	}()
	tx := &Tx{Reader: Reader{bun: e.bun, conn: pgConn{sqlTx}, seals: e.seals}, ears: &e.ears}
	if err := fn(tx); err != nil {
		return err
	}
	if err := e.announce(ctx, sqlTx, tx.changed); err != nil {
		return err
	}
	if err := translateCommit(sqlTx.Commit()); err != nil {
		if errors.Is(err, ErrInDoubt) {
			e.doubt(tx.changed)
		}
		return err
	}
	e.tally.transactions.Add(1)
	e.tally.commits.Add(1)
	e.cache.drop(tx.changed)
	for _, do := range tx.after {
		do()
	}
	return nil
}

// doubt forgets what a COMMIT that failed may have changed. It may also be done later, as
// when a standby comes back: from now on this node hears of its own changes, too.
func (e *postgresEngine) doubt(changed []string) {
	e.doubts.Store(true)
	e.cache.drop(changed)
}

// begin begins a transaction. A connection that was cut while it was idle gives
// way to the next: nothing has happened on it.
func (e *postgresEngine) begin(ctx context.Context, level sql.IsolationLevel) (sqlTx *sql.Tx, err error) {
	if e.barred.Load() {
		return nil, errBarred
	}
	for range connections {
		sqlTx, err = e.pool.BeginTx(ctx, &sql.TxOptions{Isolation: level})
		if !isCut(err) {
			break
		}
	}
	return sqlTx, err
}

// alone holds a lock of the whole database: two statements that make the same
// table at once collide, and not in a way that asks for another attempt.
func (e *postgresEngine) alone(ctx context.Context, fn func() error) error {
	held, err := e.pool.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	if _, err := held.ExecContext(ctx, "SELECT pg_advisory_lock($1)", schemaLock); err != nil {
		return errors.Join(translate(err), held.Close())
	}
	err = fn()
	_, unlock := held.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", schemaLock)
	return errors.Join(err, unlock, held.Close())
}

func (e *postgresEngine) shared() kv.Store { return e.holds }

// ping also asks whether the server takes writes, and has it write where it could
// not before.
func (e *postgresEngine) ping(ctx context.Context) error {
	if e.barred.Load() {
		return errBarred
	}
	var readOnly bool
	err := e.pool.QueryRowContext(ctx, "SELECT current_setting('transaction_read_only')::bool").Scan(&readOnly)
	switch {
	case err != nil:
		return err
	case readOnly:
		return errors.New("the PostgreSQL server takes no writes: it is a standby, or default_transaction_read_only is on")
	case !e.noRoom.Load():
		return nil
	}
	if err := e.update(ctx, tryWriting(time.Now())); err != nil {
		return err
	}
	e.noRoom.Store(false)
	return nil
}

// reshape runs fn without a limit of time, alone in changing the schema. What it waits
// for waits with everyone who comes after it: so it gives up soon, and tries again.
func (e *postgresEngine) reshape(ctx context.Context, fn func(*Tx) error) error {
	for begun := time.Now(); ; {
		err := e.try(ctx, e.begin, sql.LevelReadCommitted, func(tx *Tx) error {
			if _, err := tx.conn.ExecContext(ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", lockPatience.Milliseconds())); err != nil {
				return err
			}
			return fn(tx)
		})
		if !isRetryable(err) && !isLockTimeout(err) {
			return err
		}
		if time.Since(begun) > reshapePatience {
			return fmt.Errorf("%w: other transactions hold the tables; end them and try again: %w", ErrUnavailable, err)
		}
		select {
		case <-ctx.Done():
			return translate(ctx.Err())
		case <-time.After(lockPatience / 4):
		}
	}
}

func (e *postgresEngine) tables(ctx context.Context) ([]string, error) {
	return column(ctx, e.pool, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename")
}

// check finds nothing: PostgreSQL checks references with each statement, and its pages by
// checksums.
func (e *postgresEngine) check(context.Context) error { return nil }

func (e *postgresEngine) checkReferences(context.Context, querier, []table) error { return nil }

func (e *postgresEngine) size(ctx context.Context) (bytes int64, err error) {
	err = e.pool.QueryRowContext(ctx, "SELECT pg_database_size(current_database())").Scan(&bytes)
	return bytes, err
}

func (e *postgresEngine) close() error {
	e.cancel()
	e.done.Wait()
	return errors.Join(e.holds.Close(), e.pool.Close())
}

// pgRunner is what *sql.DB and *sql.Tx share.
type pgRunner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// pgConn sends bun's statements, which carry their values, unprepared (a text
// that never comes back is not worth preparing), and hot ones prepared.
type pgConn struct{ run pgRunner }

func (c pgConn) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return c.run.ExecContext(ctx, query, simple(args)...)
}

func (c pgConn) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return c.run.QueryContext(ctx, query, simple(args)...)
}

func (c pgConn) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return c.run.QueryRowContext(ctx, query, simple(args)...)
}

func (c pgConn) hot(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return c.run.ExecContext(ctx, dollars(query), legible(args)...)
}

func (c pgConn) hotRow(ctx context.Context, query string, args ...any) *sql.Row {
	return c.run.QueryRowContext(ctx, dollars(query), legible(args)...)
}

func simple(args []any) []any {
	return append([]any{pgx.QueryExecModeSimpleProtocol}, args...)
}

// dollars turns the marks of a hot statement into PostgreSQL's $1, $2, ….
func dollars(query string) string {
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(query, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}
