package storage

import (
	"context"
	"fmt"
	"time"
)

const (
	// sampleRows is how many rows of each index SQLite looks at for its statistics, so that
	// those of a large database cost no more than those of a small one.
	sampleRows = 400
	// smallTable is how many rows a table has of which nothing is kept.
	smallTable = 1000
	// readerLife is how long a connection reads: its statistics are those of its beginning.
	readerLife = time.Hour
)

// Analyze renews the statistics of tables that have grown or shrunk tenfold since it last
// did, by which the database chooses between indexes. PostgreSQL does so by itself.
func (db *DB) Analyze(ctx context.Context) error {
	if err := db.engine.analyze(ctx); err != nil {
		return fmt.Errorf("renew the statistics of the database: %w", err)
	}
	return nil
}

// analyze looks at all tables (0x10000), for those that are asked for are known to the
// connections that read, and this is the one that writes. Of a small table it forgets
// what it saw: it may be large before the next look, and would be read from end to end.
func (e *sqliteEngine) analyze(ctx context.Context) error {
	return e.writer.do(context.WithoutCancel(ctx), func(tx *Tx) error {
		for _, statement := range []string{
			"PRAGMA optimize = 0x10002",
			"ANALYZE meta", // one row; from here on sqlite_stat1 is there
			fmt.Sprintf(`DELETE FROM sqlite_stat1 WHERE tbl IN (SELECT tbl FROM sqlite_stat1 GROUP BY tbl
				HAVING MAX(CAST(stat AS INTEGER)) < %d)`, smallTable),
			"ANALYZE sqlite_schema", // reads what is left
		} {
			if _, err := tx.conn.ExecContext(ctx, statement); err != nil {
				return translate(err)
			}
		}
		return nil
	})
}

func (e *postgresEngine) analyze(context.Context) error { return nil }
