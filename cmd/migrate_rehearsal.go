package cmd

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"authy/server"
	"authy/storage"
)

// rehearsalOut is what a dry run tells programs.
type rehearsalOut struct {
	Steps  []rehearsedStepOut  `json:"steps"`
	Tables []rehearsedTableOut `json:"tables"`
}

type rehearsedStepOut struct {
	Name   string `json:"name"`
	Millis int64  `json:"milliseconds"`
}

type rehearsedTableOut struct {
	Name   string `json:"name"`
	Before int64  `json:"rows_before"`
	After  int64  `json:"rows_after"`
	Same   bool   `json:"same"` // in the columns that were there before
}

func (a *app) migrateDryRun(ctx context.Context, asJSON bool) error {
	return a.withDatabase(ctx, func(db *storage.DB) error {
		tell := a.progress("Copying")
		r, err := db.Rehearse(ctx, server.Migrations(), tell.to)
		tell.end()
		if err != nil {
			return err
		}
		if err := a.printRehearsal(r, asJSON); err != nil {
			return err
		}
		if lost := r.Lost(); len(lost) > 0 {
			return fmt.Errorf("after the steps, rows are missing from %s; the database itself was not changed",
				strings.Join(lost, ", "))
		}
		return nil
	})
}

func (a *app) printRehearsal(r *storage.Rehearsal, asJSON bool) error {
	out := rehearsalOut{Steps: []rehearsedStepOut{}, Tables: []rehearsedTableOut{}}
	var steps, tables [][]string
	var rows int64
	same := 0
	for _, s := range r.Steps {
		out.Steps = append(out.Steps, rehearsedStepOut{s.Name, s.Took.Milliseconds()})
		steps = append(steps, []string{s.Name, s.Took.Round(time.Millisecond).String()})
	}
	for _, t := range r.Tables {
		out.Tables = append(out.Tables, rehearsedTableOut(t))
		rows += t.Before
		if t.Same {
			same++
			continue
		}
		tables = append(tables, []string{t.Name, strconv.FormatInt(t.Before, 10), strconv.FormatInt(t.After, 10)})
	}
	if asJSON {
		return a.printJSON(out)
	}
	if len(r.Steps) == 0 {
		a.note("No step waits: the schema is up to date.")
		return nil
	}
	if err := a.printTable([]string{"STEP", "TOOK"}, steps); err != nil {
		return err
	}
	a.note("%d of %d tables, of %d rows in all, hold what they held.", same, len(r.Tables), rows)
	if len(tables) > 0 {
		a.note("In these a step has changed something:")
		if err := a.printTable([]string{"TABLE", "ROWS BEFORE", "AFTER"}, tables); err != nil {
			return err
		}
	}
	a.note("This was a copy: the database itself was not changed. 'authy migrate' does it.")
	return nil
}
