package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Replacement is a database that is made beside another to take its place. Until then
// the other is as it was, whatever happens.
type Replacement struct {
	// DB is the new database, once [Replacement.Load] has made it.
	DB    *DB
	files fs.FS
	place place
}

// place is where a replacement is made, and what differs there between the databases.
type place interface {
	// options open what is there.
	options() Options
	// load calls fn with a loader of what is there; what it does is kept if fn returns nil.
	load(ctx context.Context, db *DB, fn func(loader) error) error
	// publish puts what is there in the place of the database, which it sets aside
	// under a name that holds stamp. Nothing has it open.
	publish(ctx context.Context, stamp string) (aside string, err error)
	// discard removes what is there, and lets go of the lock that it has.
	discard() error
	// replaces says whether there is a database with anything in it to be replaced.
	replaces() bool
}

// loader changes tables in one transaction, in whichever order: rows refer to others once
// it is over.
type loader interface {
	querier
	// run runs a statement and says how many rows it changed.
	run(ctx context.Context, statement string) (int64, error)
	// copy adds the rows that next returns until it returns none.
	copy(ctx context.Context, t *table, next func() ([]any, error)) error
}

// errReplacing refuses a second replacement beside a first one: they are made in one place.
var errReplacing = errors.New("another restore, rollback, copy or dry run is under way on this database: wait for its end")

// Replace begins a replacement of db, whose schema is made by the migrations in files.
// What another has left of one is removed. There is no other until [Replacement.Discard].
func (db *DB) Replace(ctx context.Context, files fs.FS) (*Replacement, error) {
	p, err := db.engine.beside(ctx, files)
	if err != nil {
		return nil, fmt.Errorf("make room for a new database: %w", err)
	}
	return &Replacement{files: files, place: p}, nil
}

// Load is [Replacement.LoadUnmoved], after which the schema is moved forward.
func (r *Replacement) Load(ctx context.Context, secretKey []byte, archive io.Reader) (*Contents, error) {
	contents, err := r.LoadUnmoved(ctx, secretKey, archive)
	if err != nil {
		return nil, err
	}
	_, err = r.DB.Migrate(ctx, r.files)
	return contents, err
}

// LoadUnmoved makes the new database from an archive, with the schema that the archive
// has, and says what was in it. What was loaded is read again, and is what the archive
// has. An archive of a newer schema is refused, and one that is not whole is [ErrArchive].
func (r *Replacement) LoadUnmoved(ctx context.Context, secretKey []byte, archive io.Reader) (*Contents, error) {
	a, err := newArchiveReader(archive)
	if err != nil {
		return nil, err
	}
	then, err := stepsUpTo(r.files, a.contents.Steps)
	if err != nil {
		return nil, err
	}
	o := r.place.options()
	o.Secret = secretKey
	db, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	for _, name := range then {
		if err == nil {
			err = db.layOut(ctx, r.files, name)
		}
	}
	if err == nil {
		err = r.place.load(ctx, db, func(l loader) error { return load(ctx, l, db.engine.catalogue(), a) })
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	r.DB = db
	return &a.contents, nil
}

// layOut runs a step of an empty schema.
func (db *DB) layOut(ctx context.Context, files fs.FS, name string) error {
	script, err := db.script(files, name, "up")
	if err != nil {
		return err
	}
	err = db.Update(ctx, func(tx *Tx) error {
		if _, err := tx.conn.ExecContext(ctx, createMigrations); err != nil {
			return err
		}
		return tx.run(ctx, script)
	})
	if err != nil {
		return fmt.Errorf("lay out %s: %w", name, err)
	}
	return nil
}

// stepsUpTo are the steps that an archive has been through, if files has all of them.
func stepsUpTo(files fs.FS, steps []string) ([]string, error) {
	known, err := stepNames(files)
	if err != nil {
		return nil, err
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("%w: its database has no schema", ErrArchive)
	}
	for _, step := range steps {
		if !slices.Contains(known, step) {
			return nil, fmt.Errorf("it has migration %s, which this authy does not know: "+
				"it was made by a newer version; use that one, or a newer one", step)
		}
	}
	return steps, nil
}

// Loads says why an archive could not be loaded where files are the migrations, or nil.
func (c *Contents) Loads(files fs.FS) error {
	_, err := stepsUpTo(files, c.Steps)
	return err
}

// load loads the tables of an archive, and compares what is there then.
func load(ctx context.Context, l loader, catalogue string, a *archiveReader) error {
	tables, err := tablesOf(ctx, l, catalogue)
	if err != nil {
		return err
	}
	for i := range tables {
		// Migrations may have put something there.
		if _, err := l.run(ctx, "DELETE FROM "+tables[i].Name); err != nil {
			return fmt.Errorf("empty table %s: %w", tables[i].Name, err)
		}
	}
	for {
		more, err := a.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if !slices.ContainsFunc(tables, a.table.same) {
			return fmt.Errorf("%w: table %s is not as its migrations make it", ErrArchive, a.table.Name)
		}
		if err := l.copy(ctx, a.table, a.row); err != nil {
			return fmt.Errorf("load table %s: %w", a.table.Name, err)
		}
	}
	return compare(ctx, l, tables, a.contents.Tables)
}

// same reports whether another table has the same name and columns.
func (t *table) same(other table) bool {
	return t.Name == other.Name && slices.Equal(t.Columns, other.Columns) && slices.Equal(t.Kinds, other.Kinds)
}

// compare reads tables and refuses them if they do not hold what they should.
func compare(ctx context.Context, q querier, tables []table, want []TableSum) error {
	var found []TableSum
	for i := range tables {
		s, err := eachRow(ctx, q, &tables[i], func([]any) error { return nil })
		if err != nil {
			return fmt.Errorf("read table %s again: %w", tables[i].Name, err)
		}
		found = append(found, s)
	}
	if len(found) != len(want) {
		return fmt.Errorf("%w: it has %d tables, and its schema %d", ErrArchive, len(want), len(found))
	}
	for i, s := range found {
		if s != want[i] {
			return fmt.Errorf("table %s does not hold what was loaded: %d rows of %d, or other ones", s.Name, s.Rows, want[i].Rows)
		}
	}
	return nil
}

// Replaces says whether there was anything in the database that is replaced.
func (r *Replacement) Replaces() bool { return r.place.replaces() }

// Publish puts the new database in the place of the old one, which it sets aside under
// the name that it returns, "" if there was nothing. Nothing has either open: the caller
// has closed the old one, and holds what shuts servers out.
func (r *Replacement) Publish(ctx context.Context, now time.Time) (aside string, err error) {
	if err := r.DB.Close(); err != nil {
		return "", fmt.Errorf("close the new database: %w", err)
	}
	r.DB = nil
	return r.place.publish(ctx, strings.Replace(now.UTC().Format("20060102t150405.000"), ".", "", 1))
}

// Discard removes the new database, unless it was published. It ends the replacement, and
// does nothing a second time.
func (r *Replacement) Discard() error {
	var err error
	if r.DB != nil {
		err = r.DB.Close()
		r.DB = nil
	}
	return errors.Join(err, r.place.discard())
}
