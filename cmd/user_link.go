package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
)

// resetLinkOut is a link to a new password as programs see it.
type resetLinkOut struct {
	Link      string    `json:"link"`
	Email     string    `json:"email"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (a *app) resetLinkCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "reset-link EMAIL-or-ID",
		Short: "Print a link by which a user chooses a new password",
		Long: `Print a link by which a user chooses a new password, for one who has forgotten
theirs and cannot be sent mail. It works once, for an hour; earlier ones do not
work any more. Make sure that it is they who get it. Nobody but the user learns
the new password, and their second factor stays.`,
		Example: `  authy user reset-link bob@example.com
  authy user reset-link --json bob@example.com`,
		Args: takes("EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.with(c.Context(), func(s *server.Services) error {
				return a.resetLink(c.Context(), s, args[0], asJSON)
			})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) resetLink(ctx context.Context, s *server.Services, emailOrID string, asJSON bool) error {
	l, err := s.Accounts.NewResetLink(ctx, audit.Shell(), emailOrID)
	if err != nil {
		return err
	}
	link := s.Config.PublicURL + l.Path
	if asJSON {
		return a.printJSON(resetLinkOut{Link: link, Email: l.User.Email, ExpiresAt: l.ExpiresAt.UTC().Truncate(time.Second)})
	}
	a.note("Give this link to %s, and to nobody else. It works once, for an hour:", l.User.Email)
	return a.printLine(link)
}

func (a *app) setEmailCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "set-email EMAIL-or-ID NEW-EMAIL",
		Short: "Change the address of a user",
		Long: `Change the address of a user, which they sign in with from then on. Make sure
that it is theirs: it counts as verified. The old address is told, if mail is
set up. Sessions and the access of applications go on.`,
		Example: `  authy user set-email bob@example.com robert@example.com`,
		Args:    takes("EMAIL-or-ID", "NEW-EMAIL"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withUser(c.Context(), args[0], func(s *server.Services, u *account.User) error {
				email, err := account.ParseEmail(args[1])
				if err != nil {
					return err
				}
				if err := s.Accounts.SetEmail(c.Context(), audit.Shell(), u.ID, email); err != nil {
					return err
				}
				a.note("Changed %s to %s: the user signs in with it from now on.", u.Email, email)
				return nil
			})
		},
	}
}
