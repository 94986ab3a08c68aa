package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
)

func (a *app) panicUserCommand() *cobra.Command {
	var y confirmation
	var credentials bool
	c := &cobra.Command{
		Use:   "panic EMAIL-or-ID",
		Short: "End at once all that is open in an account that somebody else may be in",
		Long: `End at once all that is open in the account of a user that somebody else may be in:
sessions, access and refresh tokens, the access of applications, codes of devices, API
tokens, sign-ins that are half done, and links and invitations that wait. It is one
act, also on a running server; applications are told that the sessions have ended, and
the user is told by mail.

How the user signs in stays, and they can do so at once. With --credentials it is
taken away, too: password, passkeys, authenticator app, recovery codes and linked
accounts. They get in again by a link to a new password, which they have mailed or you
print with 'authy user reset-link'; whoever reads their mail can do the same, without a
second factor. To keep everyone out, suspend the user.

What they have made for an organization, such as its service tokens and clients, stays:
look through 'authy audit list' for it.`,
		Example: `  authy user panic bob@example.com
  authy user panic --yes --credentials bob@example.com`,
		Args: takes("EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.canConfirm(c, y); err != nil {
				return err
			}
			return a.withUser(c.Context(), args[0], func(s *server.Services, u *account.User) error {
				return a.panicUser(c.Context(), s, u, credentials, y)
			})
		},
	}
	c.Flags().BoolVar(&credentials, "credentials", false, "take away how they sign in, too")
	y.add(c)
	return c
}

func (a *app) panicUser(ctx context.Context, s *server.Services, u *account.User, credentials bool, y confirmation) error {
	question := "End all that is open in the account of " + u.Email + "?"
	if credentials {
		question = "End all that is open in the account of " + u.Email + ", and take away how they sign in?"
	}
	if err := a.confirm(ctx, y, question); err != nil {
		return err
	}
	if err := s.Accounts.Panic(ctx, audit.Shell(), u.ID, credentials); err != nil {
		return err
	}
	if credentials {
		a.note("Ended all that was open in the account of %s. Nothing signs in to it until they choose a new password:\n"+
			"  authy user reset-link %[1]s", u.Email)
		return nil
	}
	a.note("Ended all that was open in the account of %s: they can sign in again, as before.", u.Email)
	return nil
}
