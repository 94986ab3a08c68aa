package storage

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
)

// Migration is one step of the schema's history.
type Migration struct {
	// Name is YYYYMMDDHHMMSS_what.
	Name string
	// AppliedAt is zero while the step waits.
	AppliedAt Time
	// Known is false for a step that this build does not have: the database
	// was last used by a newer authy.
	Known bool
}

// appliedMigration is a row of the migrations table.
type appliedMigration struct {
	bun.BaseModel `bun:"table:migrations"`
	Name          string `bun:",pk"`
	AppliedAt     Time
}

// The schema's history is kept under the same rules as everything else: a step
// and the row that records it are one transaction, so that a crash leaves the
// schema before the step or after it.
const createMigrations = `CREATE TABLE IF NOT EXISTS migrations (
	name TEXT PRIMARY KEY, applied_at BIGINT NOT NULL)`

// Migrate applies the steps in files that wait, oldest first, and returns their
// names. It refuses a database that a newer authy has migrated, and one of another
// secret key, before it changes anything; and what is there is kept as a snapshot first.
func (db *DB) Migrate(ctx context.Context, files fs.FS) (applied []string, err error) {
	steps, err := db.known(ctx, files)
	if err != nil {
		return nil, err
	}
	if waiting(steps) {
		err = db.engine.alone(ctx, func() error {
			applied, err = db.migrate(ctx, files)
			return err
		})
	}
	if err != nil {
		return applied, err
	}
	return applied, db.checkSecret(ctx)
}

// migrate is Migrate while no other process does the same. One may have done so
// meanwhile.
func (db *DB) migrate(ctx context.Context, files fs.FS) (applied []string, err error) {
	steps, err := db.known(ctx, files)
	if err != nil || !waiting(steps) {
		return nil, err
	}
	if hasSchema(steps) {
		if err := db.checkSecret(ctx); err != nil {
			return nil, err
		}
		if err := db.snapshotBefore(ctx, files, steps, steps[len(steps)-1].Name, time.Now()); err != nil {
			return nil, err
		}
	}
	began := time.Now()
	for _, step := range steps {
		if !step.AppliedAt.IsZero() {
			continue
		}
		if err := db.applyStep(ctx, files, step.Name); err != nil {
			return applied, fmt.Errorf("migrate %s: %w", step.Name, advised(err))
		}
		applied = append(applied, step.Name)
	}
	db.finished(ctx)
	slog.InfoContext(ctx, "schema migrated", "steps", len(applied), "to", applied[len(applied)-1], "took", time.Since(began))
	return applied, nil
}

// waiting says whether a step is to be applied, hasSchema whether one was.
func waiting(steps []Migration) bool {
	return slices.ContainsFunc(steps, func(m Migration) bool { return m.AppliedAt.IsZero() })
}

func hasSchema(steps []Migration) bool {
	return slices.ContainsFunc(steps, func(m Migration) bool { return !m.AppliedAt.IsZero() })
}

// Rollback undoes the newest step and returns its name, or "" if there is none.
func (db *DB) Rollback(ctx context.Context, files fs.FS) (name string, err error) {
	err = db.engine.alone(ctx, func() error {
		name, err = db.rollback(ctx, files)
		return err
	})
	return name, err
}

func (db *DB) rollback(ctx context.Context, files fs.FS) (string, error) {
	steps, err := db.Migrations(ctx, files)
	if err != nil {
		return "", err
	}
	for _, step := range slices.Backward(steps) {
		if step.AppliedAt.IsZero() {
			continue
		}
		script, err := db.script(files, step.Name, "down")
		if err != nil {
			return "", err
		}
		if err := db.snapshotBefore(ctx, files, steps, "", time.Now()); err != nil {
			return "", err
		}
		return step.Name, db.engine.reshape(ctx, func(tx *Tx) error {
			if err := tx.run(ctx, script); err != nil {
				return err
			}
			_, err := remove[appliedMigration](ctx, tx, "name = ?", step.Name)
			return err
		})
	}
	return "", nil
}

// Migrations returns every step, oldest first. It changes nothing.
func (db *DB) Migrations(ctx context.Context, files fs.FS) ([]Migration, error) {
	names, err := stepNames(files)
	if err != nil {
		return nil, err
	}
	rows, err := db.appliedSteps(ctx)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", advised(err))
	}
	steps := make([]Migration, 0, len(names))
	for _, name := range names {
		steps = append(steps, Migration{Name: name, Known: true})
	}
	for _, row := range rows {
		i := slices.Index(names, row.Name)
		if i < 0 {
			steps = append(steps, Migration{Name: row.Name, AppliedAt: row.AppliedAt})
			continue
		}
		steps[i].AppliedAt = row.AppliedAt
	}
	slices.SortFunc(steps, func(a, b Migration) int { return cmp.Compare(a.Name, b.Name) })
	return steps, nil
}

// known is Migrations of a database that no newer authy has migrated.
func (db *DB) known(ctx context.Context, files fs.FS) ([]Migration, error) {
	steps, err := db.Migrations(ctx, files)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		if !step.Known {
			return nil, newerError(step.Name)
		}
	}
	return steps, nil
}

func newerError(step string) error {
	return fmt.Errorf("the database has migration %s, which this authy does not know: "+
		"it was last used by a newer version; start that one, or go back with 'authy migrate rollback'", step)
}

func (db *DB) appliedSteps(ctx context.Context) ([]appliedMigration, error) {
	tables, err := db.engine.tables(ctx)
	if err != nil || !slices.Contains(tables, "migrations") {
		return nil, err
	}
	return list[appliedMigration](ctx, db.Reader, "name", "TRUE")
}

// applyStep runs one step and records it.
func (db *DB) applyStep(ctx context.Context, files fs.FS, name string) error {
	script, err := db.script(files, name, "up")
	if err != nil {
		return err
	}
	return db.engine.reshape(ctx, func(tx *Tx) error {
		if _, err := tx.conn.ExecContext(ctx, createMigrations); err != nil {
			return err
		}
		if err := tx.run(ctx, script); err != nil {
			return err
		}
		return insert(ctx, tx, &appliedMigration{Name: name, AppliedAt: At(time.Now())})
	})
}

// script returns the text of a step for this database.
func (db *DB) script(files fs.FS, name, direction string) (string, error) {
	return scriptOf(files, name, db.kind(), direction)
}

// scriptOf returns the text of a step: its own for a kind of database, or the common one.
func scriptOf(files fs.FS, name, kind, direction string) (string, error) {
	own := fmt.Sprintf("%s.%s.tx.%s.sql", name, kind, direction)
	text, err := fs.ReadFile(files, own)
	if err != nil {
		text, err = fs.ReadFile(files, fmt.Sprintf("%s.tx.%s.sql", name, direction))
	}
	if err != nil {
		return "", fmt.Errorf("migration %s has no way %s", name, direction)
	}
	return string(text), nil
}

// kind is the name of the engine in the names of files.
func (db *DB) kind() string {
	if db.bun.Dialect().Name() == dialect.PG {
		return "postgres"
	}
	return "sqlite"
}

// run executes the statements of a script, which are divided by ";" at line ends.
func (tx *Tx) run(ctx context.Context, script string) error {
	for statement := range strings.SplitSeq(script, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if _, err := tx.conn.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// stepNames lists the steps of files, oldest first.
func stepNames(files fs.FS) ([]string, error) {
	entries, err := fs.Glob(files, "*.tx.up.sql")
	if err != nil {
		return nil, fmt.Errorf("list migrations: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name, _, _ := strings.Cut(entry, ".")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
