package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
)

// sampleUser is who the messages suggest to sign in as.
const sampleUser = "bob@acme-corp.com"

func (a *app) seedCommand() *cobra.Command {
	var force, asJSON bool
	c := &cobra.Command{
		Use:   "seed",
		Short: "Add sample data: organizations, users and clients to try things out",
		Long: `Add the sample data: 3 organizations, 12 users with their memberships, and 4
clients. Their passwords are public, so this refuses where public_url is not a
localhost address. What is there already is left as it is.`,
		Example: `  authy seed
  authy seed --json | jq -r '.[] | select(.kind == "client") | .name'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error { return a.seed(c.Context(), force, asJSON) },
	}
	c.Flags().BoolVar(&force, "force", false, "also where public_url is not a localhost address")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) seed(ctx context.Context, force, asJSON bool) error {
	return a.with(ctx, func(s *server.Services) error {
		if !s.Config.Localhost() && !force {
			return fmt.Errorf("the sample data has passwords that everyone knows, and %s is not a localhost "+
				"address; if this server is for trying things out, repeat with --force", s.Config.PublicURL)
		}
		made, err := s.Seed(ctx, audit.Shell())
		if err != nil {
			return err
		}
		if err := a.printSeed(made, asJSON); err != nil {
			return err
		}
		a.note("\nTry it:\n"+
			"  authy serve      start the server, and sign in at %s\n"+
			"                   as %s with the password %s\n"+
			"  authy demo rp    run an application that signs people in there",
			s.Config.PublicURL, sampleUser, server.SeedPassword(sampleUser))
		return nil
	})
}

func (a *app) printSeed(made []server.Seeded, asJSON bool) error {
	if asJSON {
		return a.printJSON(made)
	}
	rows := make([][]string, len(made))
	for i, m := range made {
		state := "was there"
		if m.Made {
			state = "made"
		}
		rows[i] = []string{m.Kind, m.Name, m.Detail, m.Secret, state}
	}
	return a.printTable([]string{"KIND", "NAME", "DETAIL", "PASSWORD OR SECRET", "STATE"}, rows)
}
