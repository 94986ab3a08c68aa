package storage

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
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
// names. It refuses a database that a newer authy has migrated.
func (db *DB) Migrate(ctx context.Context, files fs.FS) (applied []string, err error) {
	err = db.engine.alone(ctx, func() error {
		applied, err = db.migrate(ctx, files)
		return err
	})
	return applied, err
}

func (db *DB) migrate(ctx context.Context, files fs.FS) ([]string, error) {
	steps, err := db.migrations(ctx, files)
	if err != nil {
		return nil, err
	}
	for _, step := range steps {
		if !step.Known {
			return nil, fmt.Errorf("the database has migration %s, which this authy does not know: "+
				"it was last used by a newer version; start that one, or restore a backup made before it", step.Name)
		}
	}
	var applied []string
	for _, step := range steps {
		if !step.AppliedAt.IsZero() {
			continue
		}
		ran, err := db.applyStep(ctx, files, step.Name)
		if err != nil {
			return applied, fmt.Errorf("migrate %s: %w", step.Name, err)
		}
		if ran {
			applied = append(applied, step.Name)
		}
	}
	return applied, db.checkSecret(ctx)
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
	steps, err := db.migrations(ctx, files)
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
		return step.Name, db.Update(ctx, func(tx *Tx) error {
			if err := tx.run(ctx, script); err != nil {
				return err
			}
			_, err := remove[appliedMigration](ctx, tx, "name = ?", step.Name)
			return err
		})
	}
	return "", nil
}

// Migrations returns every step, oldest first.
func (db *DB) Migrations(ctx context.Context, files fs.FS) (steps []Migration, err error) {
	err = db.engine.alone(ctx, func() error {
		steps, err = db.migrations(ctx, files)
		return err
	})
	return steps, err
}

func (db *DB) migrations(ctx context.Context, files fs.FS) ([]Migration, error) {
	names, err := stepNames(files)
	if err != nil {
		return nil, err
	}
	var rows []appliedMigration
	err = db.Update(ctx, func(tx *Tx) error {
		if _, err := tx.conn.ExecContext(ctx, createMigrations); err != nil {
			return err
		}
		rows, err = list[appliedMigration](ctx, tx.Reader, "name", "TRUE")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
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

// applyStep runs one step unless another process has done so meanwhile.
func (db *DB) applyStep(ctx context.Context, files fs.FS, name string) (ran bool, err error) {
	script, err := db.script(files, name, "up")
	if err != nil {
		return false, err
	}
	err = db.Update(ctx, func(tx *Tx) error {
		ran = false
		_, err := find[appliedMigration](ctx, tx.Reader, "name = ?", name)
		if err == nil {
			return nil
		}
		if err := tx.run(ctx, script); err != nil {
			return err
		}
		ran = true
		return insert(ctx, tx, &appliedMigration{Name: name, AppliedAt: At(time.Now())})
	})
	return ran, err
}

// script returns the text of a step: its own for this database, or the common one.
func (db *DB) script(files fs.FS, name, direction string) (string, error) {
	engine := "sqlite"
	if db.bun.Dialect().Name() == dialect.PG {
		engine = "postgres"
	}
	own := fmt.Sprintf("%s.%s.tx.%s.sql", name, engine, direction)
	text, err := fs.ReadFile(files, own)
	if err != nil {
		text, err = fs.ReadFile(files, fmt.Sprintf("%s.tx.%s.sql", name, direction))
	}
	if err != nil {
		return "", fmt.Errorf("migration %s has no way %s", name, direction)
	}
	return string(text), nil
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
