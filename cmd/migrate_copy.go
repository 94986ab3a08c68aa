package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/backup"
	"authy/server/config"
	"authy/storage"
)

func (a *app) migrateCopyCommand() *cobra.Command {
	var from, to string
	var asJSON bool
	c := &cobra.Command{
		Use:   "copy --to URL",
		Short: "Copy the database to another, such as from SQLite to PostgreSQL",
		Long: `Copy everything in the database to another one, which must have nothing in it:
from SQLite to PostgreSQL, back, or between two of a kind. The schema is moved
forward on the way. Every row is read again at the target, and its tables have
the same number of rows and the same sum of them.

The copy is there as a whole or not at all. One that was interrupted leaves nothing
that a server would use, and is simply run again, from its beginning. Every
server must be stopped; the source is only read, and stays.`,
		Example: `  authy migrate copy --to postgres://authy@db/authy
  authy migrate copy --from postgres://authy@db/authy --to sqlite:///var/lib/authy/authy.db`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if to == "" {
				return misused(c, "--to is missing: the URL of the database to copy to")
			}
			return a.migrateCopy(c.Context(), from, to, asJSON)
		},
	}
	c.Flags().StringVar(&from, "from", "", "`URL` of the database to copy (default: the one in the configuration)")
	c.Flags().StringVar(&to, "to", "", "`URL` of the database to copy to")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// copyOut is what a copy tells programs.
type copyOut struct {
	From   string             `json:"from"`
	To     string             `json:"to"`
	Rows   int64              `json:"rows"`
	Tables []storage.TableSum `json:"tables"`
}

func (a *app) migrateCopy(ctx context.Context, from, to string, asJSON bool) error {
	if from != "" {
		a.settings["database.url"] = from
	}
	a.warnOfPassword("--from", from)
	a.warnOfPassword("--to", to)
	c, _, err := a.configure(ctx, slog.LevelError) // below it is read anew, and warned of
	switch {
	case err != nil:
		return err
	case storage.Missing(c.DatabaseURL()):
		return fmt.Errorf("there is no database to copy at %s: name another with --from, or its directory with --data-dir",
			config.MaskURL(c.DatabaseURL()))
	}
	return a.withStopped(ctx, func(c *config.Config, source *storage.DB) error {
		if to == c.DatabaseURL() {
			return errors.New("--to names the database that is copied")
		}
		target, unlock, err := openTarget(ctx, c, to)
		if err != nil {
			return fmt.Errorf("--to %s: %w", config.MaskURL(to), err)
		}
		defer unlock()
		tell := a.progress("Copying")
		contents, err := backup.Copy(ctx, audit.Shell(), source, target, config.MaskURL(c.DatabaseURL()), server.Migrations(), tell.to)
		tell.end()
		if err := errors.Join(err, target.Close()); err != nil {
			return err
		}
		return a.tellCopied(&copyOut{
			From: config.MaskURL(c.DatabaseURL()), To: config.MaskURL(to), Rows: contents.Rows(), Tables: contents.Tables,
		}, asJSON)
	})
}

// openTarget opens the database at url, which no server may use until unlock is called.
func openTarget(ctx context.Context, c *config.Config, url string) (db *storage.DB, unlock func(), err error) {
	db, err = storage.Open(ctx, storage.Options{URL: url, Secret: c.SecretBytes()})
	if err != nil {
		return nil, nil, err
	}
	if unlock, err = db.LockAlone(); err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return db, unlock, nil
}

func (a *app) tellCopied(out *copyOut, asJSON bool) error {
	a.note("Copied %d rows of %d tables, and read them again: they are the same.", out.Rows, len(out.Tables))
	a.note("Set database.url to %s, keep security.secret_key (or data_dir) as it is, and start authy.", out.To)
	if asJSON {
		return a.printJSON(out)
	}
	return nil
}
