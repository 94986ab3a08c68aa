package storage

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
)

// Statement is a statement as it was given to the database.
type Statement struct {
	Query string
	Args  []any
}

// recorder is a conn that notes what runs on it.
type recorder struct {
	conn
	seen *[]Statement
}

func (r recorder) note(query string, args []any) {
	*r.seen = append(*r.seen, Statement{query, args})
}

func (r recorder) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r.note(query, args)
	return r.conn.ExecContext(ctx, query, args...)
}

func (r recorder) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	r.note(query, args)
	return r.conn.QueryContext(ctx, query, args...)
}

func (r recorder) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	r.note(query, args)
	return r.conn.QueryRowContext(ctx, query, args...)
}

func (r recorder) hot(ctx context.Context, query string, args ...any) (sql.Result, error) {
	r.note(query, args)
	return r.conn.hot(ctx, query, args...)
}

func (r recorder) hotRow(ctx context.Context, query string, args ...any) *sql.Row {
	r.note(query, args)
	return r.conn.hotRow(ctx, query, args...)
}

// errBack takes a transaction back.
var errBack = errors.New("back")

// Probe runs fn in a transaction, takes it back, and returns the statements that
// fn ran.
func (db *DB) Probe(t testing.TB, fn func(tx *Tx)) (seen []Statement) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *Tx) error {
		seen = nil
		tx.conn = recorder{tx.conn, &seen}
		fn(tx)
		return errBack
	})
	if !errors.Is(err, errBack) {
		t.Fatal(err)
	}
	return seen
}

// Plan returns how the database would run s, line by line: on PostgreSQL, which
// reads a small table from end to end, as it would if it could not.
func (tx *Tx) Plan(ctx context.Context, s Statement) ([]string, error) {
	run, explain, plan := tx.conn, "EXPLAIN QUERY PLAN "+s.Query, ""
	if r, ok := run.(recorder); ok {
		run = r.conn
	}
	into := []any{new(int), new(int), new(int), &plan}
	query := run.QueryContext
	if pg, ok := run.(pgConn); ok {
		query, explain, into = pg.run.QueryContext, "EXPLAIN "+dollars(s.Query), []any{&plan}
		if _, err := pg.run.ExecContext(ctx, "SET LOCAL enable_seqscan = off"); err != nil {
			return nil, err
		}
	}
	rows, err := query(ctx, explain, s.Args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	var lines []string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		lines = append(lines, strings.TrimSpace(plan))
	}
	return lines, rows.Err()
}
