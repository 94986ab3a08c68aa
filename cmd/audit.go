package cmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/activity"
	"authy/server/audit"
)

// eventsListed is how many events are in a list unless told otherwise.
const eventsListed = 50

// errDamaged ends a verification that has found something.
var errDamaged = errors.New("the audit log is not what the server wrote")

func (a *app) auditCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "audit",
		Short: "Read the audit log and check that it is whole",
		Long: `Read the audit log and check that it is whole. The server links each event to the
one before, under its secret key, about a second after it is written.`,
		Example: `  authy audit list --action user.login --outcome failure
  authy audit export --format csv > audit.csv
  authy audit verify`,
	}
	c.AddCommand(a.listAuditCommand(), a.exportAuditCommand(), a.verifyAuditCommand(), a.restartAuditCommand(),
		a.listActionsCommand())
	return c
}

// auditFlags say which events are meant.
type auditFlags struct {
	filter   activity.Filter
	from, to string
}

func (f *auditFlags) add(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.filter.Actor, "actor", "", "only what the user or client with this `ID` did")
	flags.StringVar(&f.filter.Target, "target", "", "only what was done to the record with this `ID`")
	flags.StringVar(&f.filter.Action, "action", "", "only this `ACTION`, such as user.login")
	flags.StringVar(&f.filter.Outcome, "outcome", "", "only this `OUTCOME`: success or failure")
	flags.StringVar(&f.filter.Organization, "org", "", "only what happened in the organization with this `ID`")
	flags.StringVar(&f.from, "from", "", "not before this `TIME`, such as 2026-11-25 or 2026-11-25T15:04:05Z")
	flags.StringVar(&f.to, "to", "", "before this `TIME`")
}

// read returns the filter that the flags make.
func (f *auditFlags) read(c *cobra.Command) (activity.Filter, error) {
	if o := f.filter.Outcome; o != "" && o != audit.Success && o != audit.Failure {
		return f.filter, misused(c, "--outcome is %q; give success or failure", o)
	}
	for _, one := range []struct {
		name, text string
		to         *time.Time
	}{{"from", f.from, &f.filter.From}, {"to", f.to, &f.filter.To}} {
		at, err := parseInstant(one.text)
		if err != nil {
			return f.filter, misused(c, "--%s is %q; give a time such as 2026-11-25 or 2026-11-25T15:04:05Z", one.name, one.text)
		}
		*one.to = at
	}
	return f.filter, nil
}

// parseInstant reads a day in UTC or an RFC 3339 time; "" is the zero time.
func parseInstant(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	return time.Parse(time.RFC3339, text)
}

func (a *app) listActionsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "actions",
		Short: "List what is recorded, and what each means",
		Long: `List what is recorded, and what each means: the actions that --action takes here,
and that a webhook can be told of. No server is needed.`,
		Example: `  authy audit actions | grep mfa
  authy audit actions --json`,
		Args: takes(),
		RunE: func(*cobra.Command, []string) error {
			rows := make([][]string, len(audit.Actions))
			for i, action := range audit.Actions {
				rows[i] = []string{action.Name, action.Meaning}
			}
			return a.printList(asJSON, audit.Actions, []string{"ACTION", "MEANING"}, rows, "")
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) listAuditCommand() *cobra.Command {
	var from auditFlags
	var l listing
	c := &cobra.Command{
		Use:   "list",
		Short: "List events, the newest first",
		Example: `  authy audit list --limit 10
  authy audit list --actor 0198c0de-0000-7000-8000-000000000000 --from 2026-11-01
  authy audit list --json | jq -r '.[].action'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := l.check(c); err != nil {
				return err
			}
			filter, err := from.read(c)
			if err != nil {
				return err
			}
			return a.listAudit(c.Context(), filter, l)
		},
	}
	from.add(c)
	l.add(c, eventsListed, "begin after this event (`KEY`, as the list before gives it)")
	return c
}

func (a *app) listAudit(ctx context.Context, f activity.Filter, l listing) error {
	return a.with(ctx, func(s *server.Services) error {
		page, err := s.Activity.All(ctx, audit.Shell(), f, l.after, l.limit)
		if err != nil {
			return err
		}
		if err := a.printEvents(page.Entries, l.asJSON); err != nil {
			return err
		}
		a.noteMore(page.Next, false)
		return nil
	})
}

func (a *app) printEvents(events []activity.Entry, asJSON bool) error {
	rows := make([][]string, len(events))
	for i, e := range events {
		rows[i] = []string{
			instant(e.At), e.Action, e.Outcome, e.Reason, e.ActorKind + " " + e.ActorID,
			e.TargetKind + " " + e.TargetID, e.IPAddress,
		}
	}
	head := []string{"TIME", "ACTION", "OUTCOME", "REASON", "ACTOR", "TARGET", "ADDRESS"}
	return a.printList(asJSON, events, head, rows, "There are no such events.")
}

func (a *app) exportAuditCommand() *cobra.Command {
	var from auditFlags
	var format string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write events to standard output, the newest first",
		Long: `Write events to standard output, the newest first: as a JSON object in each line, or
as CSV. In CSV an apostrophe stands before what a spreadsheet would take for a
formula. The export is an event of its own.`,
		Example: `  authy audit export > audit.jsonl
  authy audit export --format csv --from 2026-11-01 --to 2026-12-01 > november.csv`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if format != activity.JSONL && format != activity.CSV {
				return misused(c, "--format is %q; give jsonl or csv", format)
			}
			filter, err := from.read(c)
			if err != nil {
				return err
			}
			return a.with(c.Context(), func(s *server.Services) error {
				entries, err := s.Activity.Export(c.Context(), audit.Shell(), "", filter)
				if err != nil {
					return err
				}
				return activity.Write(a.stdout, format, entries)
			})
		},
	}
	from.add(c)
	c.Flags().StringVar(&format, "format", activity.JSONL, "`FORMAT`: jsonl or csv")
	return c
}

func (a *app) verifyAuditCommand() *cobra.Command {
	var known string
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify",
		Short: "Check that no event was altered, taken away or cut off",
		Long: `Check that no event was altered, taken away or cut off, and name the first that was.
The command prints the head, which says where the log ends. Note it where the
database's keeper cannot write, and give it with --known the next time: then
also a database that was put back to an earlier state is noticed.

Events that are not linked yet are linked first, if the end of the log is as the
server wrote it. After damage the log begins anew with authy audit restart.`,
		Example: `  authy audit verify
  authy audit verify --known 4711:Jt2kYw...
  authy audit verify --json | jq -r .head`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			var noted audit.Note
			if known != "" {
				var err error
				if noted, err = audit.ParseNote(known); err != nil {
					return misused(c, "--known is %w", err)
				}
			}
			return a.verifyAudit(c.Context(), noted, asJSON)
		},
	}
	c.Flags().StringVar(&known, "known", "", "`HEAD` that an earlier verification printed")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// verdict is the result of a verification as programs see it.
type verdict struct {
	Whole    bool    `json:"whole"`
	Checked  int64   `json:"checked"`
	Unlinked int64   `json:"unlinked"`
	Head     string  `json:"head"`
	Damage   *damage `json:"damage"`
	Seams    []seam  `json:"seams"`
}

// damage is the first thing that is wrong.
type damage struct {
	Kind    string `json:"kind"`
	Seq     int64  `json:"seq"`
	EventID string `json:"event_id"`
	Message string `json:"message"`
}

func (a *app) verifyAudit(ctx context.Context, noted audit.Note, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		r, err := s.Activity.Verify(ctx, audit.Shell(), noted)
		if err != nil {
			return err
		}
		if err := a.printVerdict(r, asJSON); err != nil {
			return err
		}
		if r.Damage != nil {
			return errDamaged
		}
		return nil
	})
}

func (a *app) printVerdict(r *audit.Report, asJSON bool) error {
	if asJSON {
		out := verdict{Whole: r.Damage == nil, Checked: r.Checked, Unlinked: r.Unlinked, Head: r.Head, Seams: []seam{}}
		if r.Damage != nil {
			out.Damage = damageOf(r.Damage)
		}
		for i := range r.Seams {
			out.Seams = append(out.Seams, seamOf(&r.Seams[i]))
		}
		return a.printJSON(out)
	}
	for i := range r.Seams {
		a.note("%s", &r.Seams[i])
	}
	found := "none"
	if r.Damage != nil {
		found = r.Damage.String()
	}
	return a.printTable(nil, [][]string{
		{"Damage", found},
		{"Whole up to event", fmt.Sprint(r.Checked)},
		{"Not linked yet", fmt.Sprint(r.Unlinked)},
		{"Head", r.Head},
	})
}
