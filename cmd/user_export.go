package cmd

import (
	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
)

func (a *app) exportUserCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export EMAIL-or-ID",
		Short: "Print all that is kept about a user, as JSON",
		Long: `Print all that is kept about a user, as JSON: the account, sessions, memberships,
what applications may have and were given, and the newest rows of the audit
log. Secrets are left out, and so is who else acted on the account and from
where. That it was printed is recorded.`,
		Example: `  authy user export bob@example.com > bob.json
  authy user export bob@example.com | jq '.sessions[].ip_address'`,
		Args: takes("EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			return a.withUser(ctx, args[0], func(s *server.Services, u *account.User) error {
				export, err := s.Accounts.Export(ctx, audit.Shell(), u.ID)
				if err != nil {
					return err
				}
				return a.printJSON(export)
			})
		},
	}
}
