package storage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5"
)

// Progress is told now and then how many rows of how many have been written.
type Progress func(rows, of int64)

// transfer loads what is in db at this moment into r, with the schema that it has, and
// returns what that is.
func (db *DB) transfer(ctx context.Context, r *Replacement, tell Progress) (*Contents, error) {
	total, err := db.countRows(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	in, out := io.Pipe()
	written := make(chan error, 1)
	go func() {
		_, err := db.WriteArchive(ctx, r.files, &lineCounter{out: out, tell: tell, of: total})
		out.CloseWithError(err)
		written <- err
	}()
	contents, err := r.LoadUnmoved(ctx, db.key, in)
	if err != nil {
		in.CloseWithError(err)
		if cause := ended(<-written); !errors.Is(err, cause) && !errors.Is(cause, err) {
			err = errors.Join(err, cause)
		}
		return nil, err
	}
	return contents, <-written
}

// lineCounter tells of the lines that pass by: an archive has one for each row.
type lineCounter struct {
	out  io.Writer
	tell Progress
	rows int64
	of   int64
}

// Write implements [io.Writer].
func (c *lineCounter) Write(p []byte) (int, error) {
	c.rows += int64(bytes.Count(p, []byte{'\n'}))
	if c.tell != nil {
		c.tell(min(c.rows, c.of), c.of)
	}
	return c.out.Write(p)
}

// countRows is how many rows all tables have.
func (db *DB) countRows(ctx context.Context) (n int64, err error) {
	tables, err := db.engine.tables(ctx)
	if err != nil {
		return 0, err
	}
	for _, table := range tables {
		var rows int64
		if err := db.conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+pgx.Identifier{table}.Sanitize()).Scan(&rows); err != nil {
			return 0, translate(err)
		}
		n += rows
	}
	return n, nil
}

// CopyTo makes target, which must have nothing in it, hold what db holds, with a schema
// that is moved forward by files. It is there as a whole or not at all, and what was
// copied has been read again and is equal; after an interruption it is done anew. What event
// makes, if it is not nil, waits in target then to be recorded. No server uses either, and target
// is closed.
func (db *DB) CopyTo(
	ctx context.Context, target *DB, files fs.FS, now time.Time, tell Progress, event Leaving,
) (*Contents, error) {
	if err := target.checkEmpty(ctx); err != nil {
		return nil, err
	}
	r, err := target.Replace(ctx, files)
	if err != nil {
		return nil, err
	}
	contents, err := db.transfer(ctx, r, tell)
	if err == nil {
		_, err = r.DB.Migrate(ctx, files)
	}
	if err == nil {
		err = r.leave(ctx, contents, 0, event)
	}
	if err == nil {
		err = target.Close()
	}
	if err == nil {
		_, err = r.Publish(ctx, now)
	}
	return contents, errors.Join(err, r.Discard())
}

// errNotEmpty refuses to write over what somebody has.
var errNotEmpty = errors.New("the target is not empty: it has users, or other records, of an authy; " +
	"name a new database, or remove what is in this one")

// checkEmpty refuses a database that has more in it than a schema.
func (db *DB) checkEmpty(ctx context.Context) error {
	tables, err := db.engine.tables(ctx)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if table == "migrations" || table == "meta" {
			continue
		}
		var found bool
		query := "SELECT EXISTS (SELECT 1 FROM " + pgx.Identifier{table}.Sanitize() + ")"
		if err := db.conn.QueryRowContext(ctx, query).Scan(&found); err != nil {
			return translate(err)
		}
		if found {
			return errNotEmpty
		}
	}
	return nil
}
