package cmd

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/importer"
	"authy/server/importer/gatehouse"
)

func (a *app) importCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "import",
		Short: "Bring the users, organizations and clients of another server",
		Long: `Bring what another server has: users with their ids and ways to sign in,
organizations, memberships and clients. The other database is only read.`,
		Example: `  authy import gatehouse --from sqlite:///srv/gatehouse/db_file.db --dry-run`,
	}
	c.AddCommand(a.importGatehouseCommand())
	return c
}

func (a *app) importGatehouseCommand() *cobra.Command {
	var from string
	var asJSON bool
	var o importer.Options
	c := &cobra.Command{
		Use:   "gatehouse --from URL",
		Short: "Bring what a Gatehouse server has, the Flask server that came before authy",
		Long: `Bring the users of a Gatehouse database, SQLite or PostgreSQL, with their ids (so
that "sub" is what applications know already), passwords, authenticators, backup
codes, passkeys and links to Google, GitHub and Microsoft; the organizations
with their members; and the clients with their secrets.

  1. The other database is read, as it is at one moment; nothing is ever
     written to it. Stop its server before the import that counts, so that
     nobody registers in between.
  2. Everything is written here in one transaction, with an event for each
     record: it is there as a whole or not at all.
  3. A report says what came along, what was here already, and what could not
     come along and why. It has no passwords or secrets in it.

Nothing here is overwritten: an address, slug or client_id that is in use is
named, and left as it is. A second run changes nothing. --dry-run does all of
this, reports, and takes it back.

Sessions, tokens, policies and logs do not come along: everyone signs in once
more, by what they know. Links need their provider to be there first ('authy
provider add'). Passkeys work on under the same host name only. docs/import.md
has each step, what to change at applications, and the way back.`,
		Example: `  authy import gatehouse --from sqlite:///srv/gatehouse/instance/db_file.db --dry-run
  authy import gatehouse --from postgres://gatehouse@db/authy2
  authy import gatehouse --from sqlite:///srv/db.db --json | jq '.items[] | select(.state == "left out")'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if from == "" {
				return misused(c, "--from is missing: the URL of the database of Gatehouse")
			}
			return a.importGatehouse(c.Context(), from, o, asJSON)
		},
	}
	c.Flags().StringVar(&from, "from", "", "`URL` of the other database: sqlite:///path or postgres://user@host/name")
	c.Flags().BoolVar(&o.DryRun, "dry-run", false, "say what would happen, and change nothing")
	c.Flags().BoolVar(&o.EmailsVerified, "emails-verified", false,
		"take every address for verified; Gatehouse never verified any")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON, with every record")
	return c
}

func (a *app) importGatehouse(ctx context.Context, from string, o importer.Options, asJSON bool) error {
	a.warnOfPassword("--from", from)
	records, err := gatehouse.Read(ctx, from)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	return a.with(ctx, func(s *server.Services) error {
		report, err := s.Import(ctx, audit.Shell(), records, o)
		if err != nil {
			return err
		}
		if asJSON {
			err = a.printJSON(report)
		} else {
			err = a.printImport(report)
		}
		a.noteImport(report)
		return err
	})
}

// printImport prints what became of each kind of record, and of those records of which
// there is something to say.
func (a *app) printImport(r *importer.Report) error {
	came := "CAME ALONG"
	if r.DryRun {
		came = "WOULD COME"
	}
	var counts [][]string
	for _, kind := range importer.Kinds {
		row := []string{kind}
		for _, state := range []importer.State{importer.Came, importer.WasThere, importer.LeftOut} {
			row = append(row, strconv.Itoa(r.Count(kind, state)))
		}
		counts = append(counts, row)
	}
	if err := a.printTable([]string{"WHAT", came, "WAS THERE", "LEFT OUT"}, counts); err != nil {
		return err
	}
	for _, part := range []struct {
		title string
		state importer.State
	}{
		{"OTHERWISE HERE", ""},
		{"LEFT OUT", importer.LeftOut},
		{"HAS NO PLACE", importer.NoPlace},
	} {
		if err := a.printItems(part.title, r.With(part.state)); err != nil {
			return err
		}
	}
	return nil
}

// nameMost is how long a name may be in a table, in bytes: one that is longer would push
// what is said of it off the screen.
const nameMost = 60

func (a *app) printItems(title string, items []importer.Item) error {
	if len(items) == 0 {
		return nil
	}
	rows := make([][]string, len(items))
	for i, item := range items {
		rows[i] = []string{item.Kind, audit.Cut(item.Name, nameMost), strings.Join(append(item.Notes, item.Reason), "; ")}
		rows[i][2] = strings.TrimSuffix(rows[i][2], "; ")
	}
	if err := a.printLine(""); err != nil {
		return err
	}
	return a.printTable([]string{title, "WHICH", "WHY"}, rows)
}

// noteImport says what was done, and what to do next.
func (a *app) noteImport(r *importer.Report) {
	for _, text := range r.Notes {
		a.note("Mind that %s.", printable(text))
	}
	var came int
	for _, kind := range importer.Kinds {
		came += r.Count(kind, importer.Came)
	}
	switch {
	case r.DryRun:
		a.note("Nothing was changed: this is what an import from %s would do.", r.From)
	case came == 0:
		a.note("Nothing was changed: all that can come along from %s was here.", r.From)
	default:
		a.note("Imported %d records from %s, which was only read. docs/import.md says what to do next.", came, r.From)
	}
}
