package cmd

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/self"
	"authy/storage"
)

func (a *app) doctorCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what is wrong with this set-up, and say what to do",
		Long: `Look for what is wrong with this set-up, and say what to do: the configuration and
weak settings, the secret key and who can read it, the database and its file
system, Redis, the clock, and whether the public URL leads to the server that
runs. It works beside a running server and changes nothing. The exit code is 1 if
something is wrong.`,
		Example: `  authy doctor
  authy doctor --json`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return a.doctor(c.Context(), asJSON) },
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) doctor(ctx context.Context, asJSON bool) error {
	found := a.diagnose(ctx)
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
		err = fmt.Errorf("something is wrong with this set-up; findings: %d", len(found))
	}
	return err
}

// diagnose returns what is wrong; where one thing keeps the next from being looked
// at, it is the last.
func (a *app) diagnose(ctx context.Context) []self.Finding {
	c, report, err := a.configure(ctx, slog.LevelError)
	if err != nil {
		return []self.Finding{self.Wrong("configuration", err.Error())}
	}
	if c.Unprepared() || storage.Missing(c.DatabaseURL()) {
		return []self.Finding{self.Wrong("data_dir", "nothing is in "+c.DataDir+" yet: 'authy serve' makes what it needs, "+
			"unless it was to be another directory (--data-dir)")}
	}
	if _, err := c.Prepare(); err != nil {
		return []self.Finding{self.Wrong("data_dir", err.Error())}
	}
	return server.Examine(ctx, c, report)
}
