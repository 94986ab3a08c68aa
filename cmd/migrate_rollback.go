package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/backup"
	"authy/server/config"
	"authy/storage"
)

var errNoSnapshot = errors.New("there is no snapshot to go back to: one is made before a step of the schema is " +
	"applied to a database that has something in it, unless database.snapshot is false")

func (a *app) migrateRollbackCommand() *cobra.Command {
	var y confirmation
	var asJSON, keep bool
	c := &cobra.Command{
		Use:   "rollback [SNAPSHOT]",
		Short: "Go back to what was before an upgrade",
		Long: `Go back to the newest snapshot, or to the one that is named: a name from 'authy
migrate snapshots', or the path of a file. Every server must be stopped.

All that was written since the snapshot is no longer there, also that somebody
was suspended. Whatever was handed out by then, such as sessions, tokens and
links, is ended, because it may have been since; --keep-sessions leaves it. The
newer database is kept aside, under a name that is printed. Start the version of authy then that was in use before: this one
would move the schema forward again.`,
		Example: `  authy migrate rollback
  authy migrate rollback 20261126T143000.123Z-20261202000061.jsonl.gz --yes`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("unexpected argument %q", args[1])
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.canConfirm(c, y); err != nil {
				return err
			}
			name := ""
			if len(args) > 0 {
				name = args[0]
			}
			return a.migrateRollback(c.Context(), name, keep, y, asJSON)
		},
	}
	y.add(c)
	c.Flags().BoolVar(&keep, "keep-sessions", false, "leave sessions, tokens, links and keys as they were, revoked since or not")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) migrateRollback(ctx context.Context, name string, keep bool, y confirmation, asJSON bool) error {
	return a.withStopped(ctx, func(c *config.Config, db *storage.DB) error {
		path, err := findSnapshot(c, name)
		if err != nil {
			return err
		}
		question := fmt.Sprintf("Go back to %s, without all that was written since?", filepath.Base(path))
		if err := a.confirm(ctx, y, question); err != nil {
			return err
		}
		if keep {
			slog.WarnContext(ctx, "what was handed out is kept, though it may have been revoked since the snapshot")
		}
		back, err := backup.GoBack(ctx, audit.Shell(), db, server.Migrations(), path, keep)
		if err != nil {
			return err
		}
		a.note("The database is what it was in %s, at the step %s.", filepath.Base(path), back.Contents.Newest())
		a.note("%d sessions and grants that were alive then are ended.", back.Ended)
		a.note("What it was until now is kept as %s; remove it when it is not needed any more.", back.Aside)
		a.note("Start the version of authy that was in use then: this one moves the schema forward again.")
		if !asJSON {
			return nil
		}
		return a.printJSON(struct {
			Snapshot string `json:"snapshot"`
			Schema   string `json:"schema"`
			Rows     int64  `json:"rows"`
			Ended    int64  `json:"ended"`
			Aside    string `json:"aside"`
		}{path, back.Contents.Newest(), back.Contents.Rows(), back.Ended, back.Aside})
	})
}

// withStopped opens the database as it is while no server uses it, calls do, and closes it.
func (a *app) withStopped(ctx context.Context, do func(*config.Config, *storage.DB) error) error {
	c, err := a.ready(ctx)
	if err != nil {
		return err
	}
	db, err := server.OpenDB(ctx, c)
	if err != nil {
		return err
	}
	unlock, err := db.LockAlone()
	if err != nil {
		return errors.Join(err, db.Close())
	}
	defer unlock()
	return errors.Join(explain(do(c, db)), db.Close())
}

// findSnapshot returns the path of the snapshot called name, or of the newest.
func findSnapshot(c *config.Config, name string) (string, error) {
	dir := snapshotDir(c)
	found, err := storage.Snapshots(dir)
	switch {
	case err != nil:
		return "", err
	case name == "" && len(found) == 0:
		return "", errNoSnapshot
	case name == "":
		return filepath.Join(dir, found[0].Name), nil
	}
	for _, path := range []string{filepath.Join(dir, name), name} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no snapshot %s, in %s or as a path; 'authy migrate snapshots' lists them", name, dir)
}

// snapshotDir is where snapshots are, also if no new ones are made.
func snapshotDir(c *config.Config) string { return filepath.Join(c.DataDir, config.SnapshotsIn) }

func (a *app) migrateSnapshotsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "snapshots",
		Short: "List what 'authy migrate rollback' can go back to",
		Long: `List what 'authy migrate rollback' can go back to, the newest first. A snapshot is
made before the schema changes; the last three are kept. It holds everything in
the database, so treat it like that.`,
		Example: `  authy migrate snapshots
  authy migrate snapshots --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return a.migrateSnapshots(c.Context(), asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// snapshotOut is a snapshot as programs see it.
type snapshotOut struct {
	Name   string    `json:"name"`
	At     time.Time `json:"at"`
	Schema string    `json:"schema"`
	Bytes  int64     `json:"bytes"`
}

func (a *app) migrateSnapshots(ctx context.Context, asJSON bool) error {
	c, err := a.ready(ctx)
	if err != nil {
		return err
	}
	found, err := storage.Snapshots(snapshotDir(c))
	if err != nil {
		return err
	}
	out, rows := make([]snapshotOut, len(found)), make([][]string, len(found))
	for i, s := range found {
		out[i] = snapshotOut(s)
		rows[i] = []string{s.Name, instant(s.At), s.Schema, strconv.FormatInt(s.Bytes, 10)}
	}
	if asJSON {
		return a.printJSON(out)
	}
	return a.printTable([]string{"SNAPSHOT", "MADE", "SCHEMA", "BYTES"}, rows)
}
