package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
)

func (a *app) updateUserCommand() *cobra.Command {
	var name string
	var admin, verified, asJSON bool
	c := &cobra.Command{
		Use:   "update EMAIL-or-ID",
		Short: "Change a user's name, and whether they are an administrator",
		Long: `Change a user: what you name is set, the rest stays. It counts from the next
request on. The last administrator stays one.`,
		Example: `  authy user update bob@example.com --name 'Bob Builder'
  authy user update bob@example.com --admin
  authy user update bob@example.com --admin=false --verified`,
		Args: takes("EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			var in account.Correction
			for flag, set := range map[string]func(){
				"name":     func() { in.FullName = &name },
				"admin":    func() { in.Admin = &admin },
				"verified": func() { in.EmailVerified = &verified },
			} {
				if c.Flags().Changed(flag) {
					set()
				}
			}
			if in == (account.Correction{}) {
				return misused(c, "say what to change")
			}
			return a.withUser(c.Context(), args[0], func(s *server.Services, u *account.User) error {
				return a.correctUser(c.Context(), s, u, in, asJSON)
			})
		},
	}
	c.Flags().StringVar(&name, "name", "", "full `NAME`; '' for none")
	c.Flags().BoolVar(&admin, "admin", false, "let the user administer the server, or not with --admin=false")
	c.Flags().BoolVar(&verified, "verified", false, "count the address as verified, or not with --verified=false")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) correctUser(
	ctx context.Context, s *server.Services, u *account.User, in account.Correction, asJSON bool,
) error {
	changed, err := s.Accounts.Correct(ctx, audit.Shell(), u.ID, in)
	if err != nil {
		return err
	}
	a.note("Changed %s.", changed.Email)
	if asJSON {
		return a.printJSON(userOutOf(changed))
	}
	return nil
}
