package storage

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// WriteArchive writes everything that is in the database at one moment, whatever is
// written meanwhile, and returns what that was. It holds no more than a row in memory.
// What the migrations in files have not made is left out, and said; what could not be
// loaded again, because something is missing, is refused.
func (db *DB) WriteArchive(ctx context.Context, files fs.FS, out io.Writer) (contents *Contents, err error) {
	tx, err := db.engine.snapshot(ctx)
	if err != nil {
		return nil, translate(err)
	}
	defer func() { err = errors.Join(err, ended(tx.Rollback())) }()
	contents = &Contents{}
	if contents.Steps, err = stepsOf(ctx, tx); err != nil {
		return nil, err
	}
	tables, err := db.ours(ctx, tx, files, contents.Steps)
	if err != nil {
		return nil, err
	}
	if err := db.engine.checkReferences(ctx, tx, tables); err != nil {
		return nil, err
	}
	buffered := bufio.NewWriterSize(out, 64<<10)
	w := archiveWriter{buffered, json.NewEncoder(buffered), nil}
	if err := w.json.Encode(archiveHead{archiveFormat, contents.Steps}); err != nil {
		return nil, err
	}
	for i := range tables {
		s, err := w.table(ctx, tx, &tables[i])
		if err != nil {
			return nil, fmt.Errorf("read table %s: %w", tables[i].Name, err)
		}
		contents.Tables = append(contents.Tables, s)
	}
	if err := w.json.Encode(archiveEnd{contents.Tables}); err != nil {
		return nil, err
	}
	return contents, buffered.Flush()
}

// ended is nil where a transaction that only read had been ended by its context.
func ended(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

type archiveWriter struct {
	out  *bufio.Writer
	json *json.Encoder
	line []byte
}

func (w *archiveWriter) table(ctx context.Context, q querier, t *table) (TableSum, error) {
	if err := w.json.Encode(t); err != nil {
		return TableSum{}, err
	}
	s, err := eachRow(ctx, q, t, func(row []any) (err error) {
		if w.line, err = appendRow(w.line[:0], row); err != nil {
			return err
		}
		_, err = w.out.Write(w.line)
		return err
	})
	if err != nil {
		return TableSum{}, err
	}
	return s, w.json.Encode(s)
}

// querier is what rows are read from.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// eachRow calls do with each row of a table, which is valid until the next, and sums the
// rows up.
func eachRow(ctx context.Context, q querier, t *table, do func(row []any) error) (TableSum, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+strings.Join(t.Columns, ", ")+" FROM "+t.Name)
	if err != nil {
		return TableSum{}, translate(err)
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	var s sum
	row, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range row {
		into[i] = &row[i]
	}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return TableSum{}, translate(err)
		}
		for i, raw := range row {
			if row[i], err = t.value(i, raw); err != nil {
				return TableSum{}, err
			}
		}
		s.add(row)
		if err := do(row); err != nil {
			return TableSum{}, err
		}
	}
	return s.of(t), translate(rows.Err())
}

// stepsOf are the migrations that a schema has been through.
func stepsOf(ctx context.Context, q querier) (names []string, err error) {
	rows, err := q.QueryContext(ctx, "SELECT name FROM migrations")
	if err != nil {
		return nil, translate(err)
	}
	defer rows.Close() //nolint:errcheck // Err says what matters
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, translate(err)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return names, translate(rows.Err())
}
