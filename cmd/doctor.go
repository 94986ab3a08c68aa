package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/backup"
	"authy/server/config"
	"authy/server/self"
	"authy/storage"
)

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with this set-up, and say what to do",
		Long: `Look for what is wrong with this set-up, and say what to do: weak settings, files
that others can read, the database and what it forgets, its file system, disk space,
Redis, the clock, certificates, the way from the public URL through the proxy to the
server that runs, the proxies of forward-auth and their cookies, the mail relay (no
mail is sent), the providers that people come from, passkeys that are lost by a new
host, the state file against what the server is, and the age of the last backup. It
works beside a running server and changes nothing. Each check takes ten seconds at
most; one that cannot be done is a finding, too. What follows from another finding is
left out. The exit code is 1 if something is wrong. docs/operations.md has a table of
all findings.`,
		Example: `  authy doctor
  authy doctor --json
  authy doctor client acme-portal-001`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return a.doctor(c.Context(), asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	c.AddCommand(a.doctorClientCommand())
	return c
}

func (a *app) doctorClientCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "client CLIENT_ID",
		Short: "Look for what is wrong with the settings of a relying party",
		Long: `Look for what is wrong with the settings of a relying party, and say what to do:
where it leads to, whether it can be reached, what it may ask for, how it proves
itself, who may use it, and why its requests were refused within the last hour and
would be still. It changes nothing; when the client was last used goes to standard
error. The exit code is 1 if something is wrong.`,
		Example: `  authy doctor client acme-portal-001
  authy doctor client acme-portal-001 --json | jq '.[].name'`,
		Args: takes("CLIENT_ID"),
		RunE: func(c *cobra.Command, args []string) error { return a.doctorClient(c.Context(), args[0], asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) doctor(ctx context.Context, asJSON bool) error {
	found, whole := a.diagnose(ctx)
	if !whole {
		a.note("The rest was not looked at: run this again once that is mended.")
	}
	return a.printFindings(found, asJSON, "this set-up")
}

func (a *app) doctorClient(ctx context.Context, clientID string, asJSON bool) error {
	c, _, found := a.prepared(ctx)
	if found != nil {
		return a.printFindings(found, asJSON, "this set-up")
	}
	p, err := server.ExamineClient(ctx, c, clientID)
	switch {
	case err != nil:
		return err
	case p.Client == nil:
		return a.printFindings(p.Findings, asJSON, "this set-up")
	case p.LastUsed.IsZero():
		a.note("Nobody is known to have used %s yet.", clientID)
	default:
		a.note("%s was last used at %s.", clientID, instant(p.LastUsed))
	}
	return a.printFindings(p.Findings, asJSON, "this client")
}

// printFindings prints what is wrong with something, and returns an error if anything is.
func (a *app) printFindings(found []self.Finding, asJSON bool, with string) error {
	out, rows := make([]findingOut, len(found)), make([][]string, len(found))
	for i, f := range found {
		out[i] = findingOut{f.Name, f.OK, f.String()}
		rows[i] = []string{f.Name, f.String()}
	}
	var err error
	switch {
	case asJSON:
		err = a.printJSON(out)
	case len(found) > 0:
		err = a.printTable([]string{"CHECK", "WRONG"}, rows)
	default:
		a.note("Nothing is wrong.")
	}
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("something is wrong with %s; findings: %d", with, len(found))
	}
	return err
}

// diagnose returns what is wrong, and whether everything was looked at; where one thing
// keeps the next from being looked at, it is the last.
func (a *app) diagnose(ctx context.Context) (found []self.Finding, whole bool) {
	c, report, found := a.prepared(ctx)
	if found != nil {
		return found, false
	}
	return server.Examine(ctx, c, report)
}

// prepared returns the configuration of what can be looked at, or else what is wrong.
func (a *app) prepared(ctx context.Context) (*config.Config, *config.Report, []self.Finding) {
	c, report, err := a.configure(ctx, slog.LevelError)
	if err != nil {
		return nil, nil, wrong("configuration", err.Error())
	}
	if found := keyless(ctx, c); found != nil {
		return nil, nil, found
	}
	if c.Unprepared() || storage.Missing(c.DatabaseURL()) {
		return nil, nil, wrong("data_dir", "nothing is in "+c.DataDir+" yet: 'authy serve' makes what it needs, "+
			"unless it was to be another directory (--data-dir)")
	}
	if _, err := c.Prepare(); err != nil {
		return nil, nil, wrong("data_dir", err.Error())
	}
	return c, report, nil
}

func wrong(name, text string) []self.Finding { return []self.Finding{self.Wrong(name, text)} }

// keyless is what is wrong where the database is there, and its secret key is not.
func keyless(ctx context.Context, c *config.Config) []self.Finding {
	if backup.Unfinished(ctx, c) {
		return wrong("data_dir", "a restore was interrupted before its secret key was in its place: "+
			"the next start, or any other command, puts it there")
	}
	err := server.KeyKept(ctx, c)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, server.ErrKeyGone):
		return wrong("data_dir", err.Error())
	}
	return wrong("database", err.Error())
}
