package cmd

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/storage"
)

func (a *app) migrateCommand() *cobra.Command {
	var asJSON, dryRun bool
	c := &cobra.Command{
		Use:   "migrate",
		Short: "Move the database's schema forward or back, or the database elsewhere",
		Long: `Apply the steps of the schema that wait. 'authy serve' does so by itself when it
starts; this is for doing it at another time, or looking first. What was there
before is kept as a snapshot in data_dir/snapshots, to which 'authy migrate
rollback' goes back.

With --dry-run the steps are applied to a copy of the database, which is made
beside it and removed: it says how long each took and which tables have other
rows afterwards, and exits with 1 if a table has lost some. The database itself
is not changed, and a server may run.`,
		Example: `  authy migrate --dry-run
  authy migrate
  authy migrate rollback
  authy migrate copy --to postgres://authy@db/authy`,
		RunE: func(c *cobra.Command, _ []string) error {
			if dryRun {
				return a.migrateDryRun(c.Context(), asJSON)
			}
			return a.migrateUp(c.Context(), asJSON)
		},
	}
	c.Flags().BoolVar(&dryRun, "dry-run", false, "only try it, on a copy of the database")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.AddCommand(a.migrateUpCommand(), a.migrateDownCommand(), a.migrateStatusCommand(),
		a.migrateRollbackCommand(), a.migrateSnapshotsCommand(), a.migrateCopyCommand())
	return c
}

func (a *app) migrateUpCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "up",
		Short:   "The same as 'authy migrate'",
		Example: `  authy migrate up`,
		Args:    takes(),
		RunE:    func(c *cobra.Command, _ []string) error { return a.migrateUp(c.Context(), asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) migrateUp(ctx context.Context, asJSON bool) error {
	return a.withDatabase(ctx, func(db *storage.DB) error {
		applied, err := db.Migrate(ctx, server.Migrations())
		for _, name := range applied {
			a.note("Applied %s.", name)
		}
		if err != nil {
			return err
		}
		a.note("The schema is up to date.")
		if asJSON {
			return a.printJSON(struct {
				Applied []string `json:"applied"`
			}{append([]string{}, applied...)})
		}
		return nil
	})
}

func (a *app) migrateDownCommand() *cobra.Command {
	var asJSON bool
	var y confirmation
	c := &cobra.Command{
		Use:   "down",
		Short: "Undo the newest step",
		Long: `Undo the newest step, and with it everything that is kept only in what it added.
Make a backup before. The server must not run.`,
		Example: `  authy migrate down
  authy migrate down --yes`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.canConfirm(c, y); err != nil {
				return err
			}
			return a.migrateDown(c.Context(), y, asJSON)
		},
	}
	y.add(c)
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) migrateDown(ctx context.Context, y confirmation, asJSON bool) error {
	return a.withDatabase(ctx, func(db *storage.DB) error {
		unlock, err := db.LockAlone()
		if err != nil {
			return err
		}
		defer unlock()
		name, err := newestStep(ctx, db)
		if err == nil && name != "" {
			question := fmt.Sprintf("Undo %s, and lose what is kept only in what it added?", name)
			if err = a.confirm(ctx, y, question); err == nil {
				name, err = db.Rollback(ctx, server.Migrations())
			}
		}
		if err != nil {
			return err
		}
		return a.tellUndone(name, asJSON)
	})
}

// newestStep returns the name of the newest step that is applied, or "".
func newestStep(ctx context.Context, db *storage.DB) (string, error) {
	steps, err := db.Migrations(ctx, server.Migrations())
	for _, step := range slices.Backward(steps) {
		if !step.AppliedAt.IsZero() {
			return step.Name, err
		}
	}
	return "", err
}

func (a *app) tellUndone(name string, asJSON bool) error {
	if name == "" {
		a.note("There is nothing to undo: no step is applied.")
	} else {
		a.note("Undid %s. The next 'authy serve' applies it again, unless it is an older authy.", name)
	}
	if !asJSON {
		return nil
	}
	undone := []string{}
	if name != "" {
		undone = append(undone, name)
	}
	return a.printJSON(struct {
		Undone []string `json:"undone"`
	}{undone})
}

func (a *app) migrateStatusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "List the steps of the schema and whether they are applied",
		Long: `List the steps of the schema, the oldest first. A step is applied, or waiting
for 'authy migrate', or unknown: then a newer authy has applied it.`,
		Example: `  authy migrate status
  authy migrate status --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.withDatabase(c.Context(), func(db *storage.DB) error {
				steps, err := db.Migrations(c.Context(), server.Migrations())
				if err != nil {
					return err
				}
				return a.printSteps(steps, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// stepOut is one step of the schema as programs see it.
type stepOut struct {
	Name      string     `json:"name"`
	State     string     `json:"state"` // applied, waiting or unknown
	AppliedAt *time.Time `json:"applied_at"`
}

func (a *app) printSteps(steps []storage.Migration, asJSON bool) error {
	out, rows := make([]stepOut, len(steps)), make([][]string, len(steps))
	for i, step := range steps {
		out[i] = stepOut{Name: step.Name, State: stateOf(step), AppliedAt: instantOrNull(step.AppliedAt.Time)}
		rows[i] = []string{step.Name, out[i].State, instant(step.AppliedAt.Time)}
	}
	if asJSON {
		return a.printJSON(out)
	}
	return a.printTable([]string{"STEP", "STATE", "APPLIED"}, rows)
}

func stateOf(step storage.Migration) string {
	switch {
	case !step.Known:
		return "unknown"
	case step.AppliedAt.IsZero():
		return "waiting"
	}
	return "applied"
}
