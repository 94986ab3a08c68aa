package kv

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// answerTime is how long PostgreSQL may take to answer: each statement touches one row.
	answerTime = 3 * time.Second
	// sweepHolds is how often rows whose time is over are deleted, sweepMost how many at once.
	sweepHolds, sweepMost = 30 * time.Second, 10_000
)

// The table is not logged: no statement waits for a disk, and a crash of PostgreSQL empties it.
// The row with the empty key says since when it has been there. {now} is the server's clock in
// microseconds, one for all of a statement; {turn} is the same clock when the row is had, which
// others may have held for a while.
const (
	sinceHolds = "(SELECT until FROM holds WHERE key = '')"

	beginHolds = "INSERT INTO holds (key, until) VALUES ('', {now}) ON CONFLICT DO NOTHING"

	getHold = "SELECT value FROM holds WHERE key = $1 AND until > {now}"

	setHold = `INSERT INTO holds (key, value, until) VALUES ($1, $2, {now} + $3)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, until = excluded.until`

	claimHold = `WITH claimed AS (INSERT INTO holds AS h (key, value, until) VALUES ($1, $2, {now} + $3)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, until = excluded.until WHERE h.until <= {now}
		RETURNING 1) SELECT COUNT(*), ` + sinceHolds + " FROM claimed"

	// This is [Rate.spend]: $2 is what n cost, $3 the burst, both in microseconds.
	spendHold = `INSERT INTO holds AS h (key, until, taken)
		VALUES ($1, {now} + CASE WHEN {cost} <= $3 THEN GREATEST(0, {cost}) ELSE 0 END, {cost} <= $3)
		ON CONFLICT (key) DO UPDATE SET (until, taken) = (
			SELECT CASE WHEN b.fits THEN GREATEST(b.now, b.later) ELSE h.until END, b.fits
			FROM (SELECT c.now, GREATEST(h.until, c.now) + {cost} AS later,
					{cost} <= 0 OR GREATEST(h.until, c.now) + {cost} <= c.now + $3 AS fits
				FROM (SELECT {turn} AS now) AS c) AS b)
		RETURNING GREATEST(0, until - {turn}), taken, ` + sinceHolds

	deleteHolds = "DELETE FROM holds WHERE key = ANY($1) AND key <> ''"

	sweepOldHolds = `DELETE FROM holds WHERE key IN (SELECT key FROM holds WHERE until <= {now} AND key <> ''
		LIMIT $1 FOR UPDATE SKIP LOCKED)`
)

// shared is the engine on a PostgreSQL database, by the clock of its server.
type shared struct {
	pool      *sql.DB
	translate func(error) error
	since     atomic.Int64 // in microseconds
	closed    atomic.Bool
	stop      chan struct{}
	swept     sync.WaitGroup
}

// OnPostgres returns the store in the table holds of a database, which all nodes on it share;
// translate makes errors of the database the caller's own. Close leaves the database open.
func OnPostgres(pool *sql.DB, translate func(error) error) Store {
	s := &shared{pool: pool, translate: translate, stop: make(chan struct{})}
	s.since.Store(time.Now().UnixMicro())
	s.swept.Go(s.sweep)
	return s
}

func (s *shared) Get(ctx context.Context, key string) (value []byte, err error) {
	found := true
	err = s.do(ctx, "get", func(ctx context.Context) error {
		err := s.pool.QueryRowContext(ctx, at(getHold), keyOf(key)).Scan(&value)
		if errors.Is(err, sql.ErrNoRows) {
			found, err = false, nil
		}
		return err
	})
	if err == nil && !found {
		return nil, ErrNotFound
	}
	return value, err
}

func (s *shared) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return fmt.Errorf("set: %w", errLifetime)
	}
	return s.do(ctx, "set", func(ctx context.Context) error {
		_, err := s.pool.ExecContext(ctx, at(setHold), keyOf(key), value, ttl.Microseconds())
		return err
	})
}

func (s *shared) SetIfAbsent(
	ctx context.Context, key string, value []byte, ttl time.Duration,
) (set bool, err error) {
	if ttl <= 0 {
		return false, fmt.Errorf("set if absent: %w", errLifetime)
	}
	err = s.do(ctx, "set if absent", func(ctx context.Context) error {
		var since sql.NullInt64
		err := s.pool.QueryRowContext(ctx, at(claimHold), keyOf(key), value, ttl.Microseconds()).Scan(&set, &since)
		return s.learn(ctx, since, err)
	})
	return set && err == nil, err
}

func (s *shared) Spend(ctx context.Context, key string, rate Rate, n int64) (left Budget, err error) {
	if err := rate.usable(); err != nil {
		return Budget{}, fmt.Errorf("spend: %w", err)
	}
	every := rate.Every.Microseconds()
	err = s.do(ctx, "spend", func(ctx context.Context) error {
		var debt int64
		var ok bool
		var since sql.NullInt64
		err := s.pool.QueryRowContext(ctx, at(spendHold), keyOf(key), n*every, rate.Burst*every).Scan(&debt, &ok, &since)
		left = rate.budget(time.Duration(debt)*time.Microsecond, ok)
		return s.learn(ctx, since, err)
	})
	if err != nil {
		return Budget{}, err
	}
	return left, nil
}

func (s *shared) Since() time.Time { return time.UnixMicro(s.since.Load()) }

// learn notes since when the table has been there. Where nobody has noted that, it is new: all
// before this moment is forgotten.
func (s *shared) learn(ctx context.Context, since sql.NullInt64, err error) error {
	if err != nil {
		return err
	}
	if since.Valid {
		s.since.Store(since.Int64)
		return nil
	}
	s.since.Store(time.Now().UnixMicro())
	_, err = s.pool.ExecContext(ctx, at(beginHolds))
	return err
}

func (s *shared) Delete(ctx context.Context, keys ...string) error {
	names := make([][]byte, len(keys))
	for i, key := range keys {
		names[i] = keyOf(key)
	}
	return s.do(ctx, "delete", func(ctx context.Context) error {
		_, err := s.pool.ExecContext(ctx, deleteHolds, names)
		return err
	})
}

func (s *shared) Ping(ctx context.Context) error { return s.do(ctx, "ping", s.pool.PingContext) }

func (s *shared) Close() error {
	if !s.closed.Swap(true) {
		close(s.stop)
	}
	s.swept.Wait()
	return nil
}

// do gives PostgreSQL a while to do what act names.
func (s *shared) do(ctx context.Context, act string, do func(ctx context.Context) error) error {
	if s.closed.Load() {
		return fmt.Errorf("%s: %w", act, errClosed)
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	if err := s.translate(do(ctx)); err != nil {
		return fmt.Errorf("%s in the table holds: %w", act, err)
	}
	return nil
}

// sweep deletes what is over until the store is closed, and notes it soon when the table is new.
// It may run on every node at once.
func (s *shared) sweep() {
	tick := time.NewTicker(sweepHolds)
	defer tick.Stop()
	for {
		select {
		case <-s.stop:
			return
		case <-tick.C:
		}
		ctx := context.Background()
		if err := s.sweepOld(ctx); err != nil {
			slog.DebugContext(ctx, "rows of the table holds whose time is over not deleted, trying again", "err", err)
		}
	}
}

// sweepOld deletes what is over, in slices.
func (s *shared) sweepOld(ctx context.Context) error {
	for !s.closed.Load() {
		n, err := s.sweepSlice(ctx)
		if err != nil || n < sweepMost {
			return err
		}
	}
	return nil
}

func (s *shared) sweepSlice(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	swept, err := s.pool.ExecContext(ctx, at(sweepOldHolds), sweepMost)
	if err != nil {
		return 0, err
	}
	if _, err := s.pool.ExecContext(ctx, at(beginHolds)); err != nil {
		return 0, err
	}
	return swept.RowsAffected()
}

// at puts the clock into a statement, and the type of a parameter.
func at(statement string) string {
	clock := func(function string) string {
		return "CAST(EXTRACT(EPOCH FROM " + function + "()) * 1000000 AS BIGINT)"
	}
	return strings.NewReplacer(
		"{now}", clock("statement_timestamp"), "{turn}", clock("clock_timestamp"), "{cost}", "CAST($2 AS BIGINT)",
	).Replace(statement)
}

// keyOf is what a key is kept under: of one length, whatever somebody sent.
func keyOf(key string) []byte {
	sum := sha256.Sum256([]byte(key))
	return sum[:]
}
