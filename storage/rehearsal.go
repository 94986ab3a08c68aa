package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// Rehearsal is what a migration did to a copy of a database.
type Rehearsal struct {
	Steps  []RehearsedStep
	Tables []RehearsedTable
}

// RehearsedStep is a step that waits, and how long it took.
type RehearsedStep struct {
	Name string
	Took time.Duration
}

// RehearsedTable is a table that was there before the steps, and how many rows it had
// before and after them.
type RehearsedTable struct {
	Name          string
	Before, After int64
	// Same says that the columns that were there hold what they held.
	Same bool
}

// Lost are the tables that have fewer rows than before.
func (r *Rehearsal) Lost() (names []string) {
	for _, t := range r.Tables {
		if t.After < t.Before {
			names = append(names, t.Name)
		}
	}
	return names
}

// Rehearse applies the steps in files that wait to a copy of the database, which is made
// beside it and removed: it needs as much room. The database stays as it is, and servers
// may use it meanwhile.
func (db *DB) Rehearse(ctx context.Context, files fs.FS, tell Progress) (*Rehearsal, error) {
	steps, err := db.known(ctx, files)
	if err != nil || !waiting(steps) {
		return &Rehearsal{}, err
	}
	if !hasSchema(steps) {
		return ofEmpty(steps), nil
	}
	if err := db.checkSecret(ctx); err != nil {
		return nil, err
	}
	r, err := db.Replace(ctx, files)
	if err != nil {
		return nil, err
	}
	rehearsal, err := db.rehearse(ctx, r, steps, tell)
	return rehearsal, errors.Join(err, r.Discard())
}

// ofEmpty is the rehearsal of a database that has nothing that could be harmed.
func ofEmpty(steps []Migration) *Rehearsal {
	r := &Rehearsal{}
	for _, step := range steps {
		r.Steps = append(r.Steps, RehearsedStep{Name: step.Name})
	}
	return r
}

func (db *DB) rehearse(ctx context.Context, r *Replacement, steps []Migration, tell Progress) (*Rehearsal, error) {
	before, err := db.transfer(ctx, r, tell)
	if err != nil {
		return nil, err
	}
	then, err := r.DB.layout(ctx)
	if err != nil {
		return nil, err
	}
	rehearsal := &Rehearsal{}
	for _, step := range steps {
		if !step.AppliedAt.IsZero() {
			continue
		}
		began := time.Now()
		if err := r.DB.applyStep(ctx, r.files, step.Name); err != nil {
			return nil, fmt.Errorf("on a copy, migrate %s: %w", step.Name, err)
		}
		rehearsal.Steps = append(rehearsal.Steps, RehearsedStep{step.Name, time.Since(began)})
	}
	if err := r.DB.engine.check(ctx); err != nil {
		return nil, fmt.Errorf("on a copy, after the steps: %w", err)
	}
	rehearsal.Tables, err = r.DB.since(ctx, then, before.Tables)
	return rehearsal, err
}

// layout is every table with its columns.
func (db *DB) layout(ctx context.Context) ([]table, error) {
	tx, err := db.engine.snapshot(ctx)
	if err != nil {
		return nil, translate(err)
	}
	tables, err := tablesOf(ctx, tx, db.engine.catalogue())
	return tables, errors.Join(err, ended(tx.Rollback()))
}

// since compares what is in tables now with what was in them, in the columns that they
// had then.
func (db *DB) since(ctx context.Context, then []table, sums []TableSum) (found []RehearsedTable, err error) {
	if len(then) != len(sums) {
		return nil, fmt.Errorf("the copy has %d tables, and %d were copied: another command has changed it; try again", len(then), len(sums))
	}
	now, err := db.layout(ctx)
	if err != nil {
		return nil, err
	}
	tx, err := db.engine.snapshot(ctx)
	if err != nil {
		return nil, translate(err)
	}
	defer func() { err = errors.Join(err, ended(tx.Rollback())) }()
	for i, t := range then {
		if t.Name == "migrations" {
			continue
		}
		compared := RehearsedTable{Name: t.Name, Before: sums[i].Rows}
		if left := t.within(now); len(left.Columns) > 0 {
			s, err := eachRow(ctx, tx, left, func([]any) error { return nil })
			if err != nil {
				return nil, fmt.Errorf("read table %s: %w", t.Name, err)
			}
			compared.After, compared.Same = s.Rows, s == sums[i]
		}
		found = append(found, compared)
	}
	return found, nil
}

// within is t with those of its columns that it has among tables, too.
func (t *table) within(tables []table) *table {
	left := &table{Name: t.Name}
	for _, now := range tables {
		if now.Name != t.Name {
			continue
		}
		for i, column := range t.Columns {
			if slices.Contains(now.Columns, column) {
				left.Columns, left.Kinds = append(left.Columns, column), append(left.Kinds, t.Kinds[i])
			}
		}
	}
	return left
}
