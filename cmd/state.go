package cmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/state"
)

// errDrift ends a plan that would change something.
var errDrift = errors.New("the server is not what the file says")

// stateFlags say how a state file is applied.
type stateFlags struct {
	state.Options
	asJSON bool
	confirmation
}

func (f *stateFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.Prune, "prune", false, "remove what the file has set before and says no more")
	c.Flags().BoolVar(&f.Take, "take", false, "take what another file sets, or somebody may have made who is not meant")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print JSON")
}

func (a *app) planCommand() *cobra.Command {
	var f stateFlags
	c := &cobra.Command{
		Use:   "plan FILE",
		Short: "Show what applying a state file would change",
		Long: `Show what 'authy apply' would change, and change nothing. The exit code is 0 if that
is nothing, 2 if there is something, and 1 if the file or the command is wrong.`,
		Example: `  authy plan state.toml
  authy plan --prune --json state.toml | jq '.changes[] | select(.action == "remove")'`,
		Args: takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			f.Only = true
			return a.withState(c.Context(), args[0], func(s *server.Services, d *state.Document) error {
				plan, err := s.State.Apply(c.Context(), audit.Shell(), d, f.Options)
				if err != nil {
					return err
				}
				if err := a.printPlan(plan, planned, f.asJSON); err != nil || len(plan.Changes) == 0 {
					return err
				}
				return errDrift
			})
		},
	}
	f.add(c)
	return c
}

func (a *app) applyCommand() *cobra.Command {
	var f stateFlags
	c := &cobra.Command{
		Use:   "apply FILE",
		Short: "Have the server be what a state file says",
		Long: `Have the server be what a file says of its users, organizations, memberships,
identity providers, clients, SAML services and branding: all of it, or nothing at all
if anything in it is wrong. What the file does not name stays as it is. Applying it
again changes nothing. A server that runs heeds it within a second.

What a file has set is changed in the file alone from then on; 'authy release' lets
go of an object. With --prune what the file has set before, and says no more, is
removed: that is asked, unless --yes is there. docs/state.md tells what a file can
say.`,
		Example: `  authy apply state.toml
  authy apply --prune --yes state.toml`,
		Args: takes("FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withState(c.Context(), args[0], func(s *server.Services, d *state.Document) error {
				return a.apply(c, s, d, f)
			})
		},
	}
	f.add(c)
	f.confirmation.add(c)
	return c
}

// withState reads a state file and opens the services.
func (a *app) withState(ctx context.Context, path string, do func(*server.Services, *state.Document) error) error {
	d, err := state.Read(path)
	if err != nil {
		return err
	}
	return a.with(ctx, func(s *server.Services) error { return do(s, d) })
}

func (a *app) apply(c *cobra.Command, s *server.Services, d *state.Document, f stateFlags) error {
	ctx := c.Context()
	var err error
	if f.Shown, err = a.confirmRemovals(c, s, d, f); err != nil {
		return err
	}
	plan, err := s.State.Apply(ctx, audit.Shell(), d, f.Options)
	if err != nil {
		return err
	}
	if f.Shown != nil && !f.asJSON { // it has been shown
		a.note("Done.")
		return nil
	}
	return a.printPlan(plan, applied, f.asJSON)
}

// confirmRemovals asks, if applying would remove anything, and returns what it has shown then.
func (a *app) confirmRemovals(c *cobra.Command, s *server.Services, d *state.Document, f stateFlags) (shown *state.Plan, err error) {
	if !f.Prune || f.yes {
		return nil, nil //nolint:nilnil // nothing was shown
	}
	only := f.Options
	only.Only = true
	plan, err := s.State.Apply(c.Context(), audit.Shell(), d, only)
	if err != nil {
		return nil, err
	}
	_, _, removed := plan.Sums()
	if removed == 0 {
		return nil, nil //nolint:nilnil // likewise
	}
	if no := a.cannotAsk(); no != "" {
		return nil, misused(c, "objects that would be removed: %d; %s; add --yes to go ahead", removed, no)
	}
	if f.asJSON { // which alone goes to standard output
		for _, change := range plan.Changes {
			a.note("%s", printable(change.String()))
		}
	} else if err := a.printPlan(plan, planned, false); err != nil {
		return nil, err
	}
	return plan, a.confirm(c.Context(), f.confirmation, fmt.Sprintf("Objects to remove: %d. Go ahead?", removed))
}

// How the sums of a plan are told.
const (
	planned = "%d to add, %d to change, %d to remove."
	applied = "%d added, %d changed, %d removed."
)

func (a *app) printPlan(plan *state.Plan, sums string, asJSON bool) error {
	added, changed, removed := plan.Sums()
	if asJSON {
		return a.printJSON(struct {
			*state.Plan
			Add    int `json:"add"`
			Change int `json:"change"`
			Remove int `json:"remove"`
		}{plan, added, changed, removed})
	}
	for _, c := range plan.Changes {
		if err := a.printLine(printable(c.String())); err != nil {
			return err
		}
	}
	if len(plan.Changes) == 0 {
		a.note("The server is what the file says: nothing changes.")
	} else {
		a.note(sums, added, changed, removed)
	}
	if len(plan.Left) > 0 {
		a.note("No longer in the file, and left (--prune removes them): %s", printable(strings.Join(plan.Left, ", ")))
	}
	for _, note := range plan.Notes {
		a.note("%s", printable(note))
	}
	return nil
}

func (a *app) exportCommand() *cobra.Command {
	var path string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write the state file of the server as it is",
		Long: `Write the users, organizations, memberships, identity providers, clients, SAML
services and branding of the server as one file, which 'authy apply' takes. There are
no secrets in it: where something has one, the file says so. What moves a server with
all that it has is a backup: see 'authy backup'.`,
		Example: `  authy export -o state.toml
  authy export | grep -A3 '^\[\[client'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return a.export(c.Context(), path) },
	}
	c.Flags().StringVarP(&path, "output", "o", "", "`FILE` to write, which must not be there (default standard output)")
	return c
}

func (a *app) export(ctx context.Context, path string) error {
	return a.with(ctx, func(s *server.Services) error {
		text, err := s.State.Export(ctx, audit.Shell())
		if err != nil {
			return err
		}
		if path == "" {
			if _, err := a.stdout.Write(text); err != nil {
				return fmt.Errorf("print: %w", err)
			}
			return nil
		}
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(text)
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(path)) // half a file would be in the way of the next
		}
		return err
	})
}

func (a *app) releaseCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "release KIND NAME",
		Short: "Let go of an object that a state file sets",
		Long: `Let go of an object that a state file sets, so that it can be changed and removed as
any other. That is recorded. When the file is applied again, and still names the
object, it is the file's again. KIND is ` + strings.Join(state.Kinds, ", ") + `.`,
		Example: `  authy release client acme-portal-001
  authy release member "bob@acme-corp.com of acme-corp"
  authy release branding server`,
		Args: takes("KIND", "NAME"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(s *server.Services) error {
				file, err := s.State.Release(c.Context(), audit.Shell(), args[0], args[1])
				if err == nil {
					a.note("The file %s no longer sets the %s %s.", file, args[0], args[1])
				}
				return about(args[0]+" "+args[1], err)
			})
		},
	}
}

// setByFile is the state file that sets an object, "" for none.
func setByFile(ctx context.Context, s *server.Services, kind, id string) (string, error) {
	files, err := s.State.Files(ctx, kind, []string{id})
	return files[id], err
}

// setByRow is a row of a table that says so, if there is such a file.
func setByRow(file string) [][]string {
	if file == "" {
		return nil
	}
	return [][]string{{"Set by", file}}
}
