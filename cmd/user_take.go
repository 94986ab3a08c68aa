package cmd

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
	"authy/server/openid"
)

func (a *app) unlinkUserCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use:   "unlink EMAIL-or-ID PROVIDER",
		Short: "Take a linked account of a user away",
		Long: `Take a linked account of a user away: they can no longer sign in from that
provider, which is named by its slug. What is the last way in stays.`,
		Example: `  authy user unlink bob@example.com google
  authy user unlink --yes bob@example.com google`,
		Args: takes("EMAIL-or-ID", "PROVIDER"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.canConfirm(c, y); err != nil {
				return err
			}
			return a.withUser(c.Context(), args[0], func(s *server.Services, u *account.User) error {
				linked, err := s.Accounts.Identities(c.Context(), u.ID)
				if err != nil {
					return err
				}
				linked = slices.DeleteFunc(linked, func(l account.Linked) bool { return l.Provider.Slug != args[1] })
				if len(linked) == 0 {
					return fmt.Errorf("%s has no account linked by %s", u.Email, args[1])
				}
				question := fmt.Sprintf("Unlink %s from %s? They can link it again, if they get in otherwise.", u.Email, args[1])
				if err := a.confirm(c.Context(), y, question); err != nil {
					return err
				}
				for _, l := range linked {
					if err := s.Accounts.UnlinkFor(c.Context(), audit.Shell(), u.ID, l.ID); err != nil {
						return err
					}
				}
				a.note("Unlinked %s from %s: they can no longer sign in from there.", u.Email, args[1])
				return nil
			})
		},
	}
	y.add(c)
	return c
}

func (a *app) removeAppCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove-app EMAIL-or-ID CLIENT_ID",
		Short: "Take away what a user let an application have",
		Long: `Take away what a user let an application have: its tokens for them end at once,
and it asks them again.`,
		Example: `  authy user remove-app bob@example.com grafana`,
		Args:    takes("EMAIL-or-ID", "CLIENT_ID"),
		RunE: func(c *cobra.Command, args []string) error {
			return a.withUser(c.Context(), args[0], func(s *server.Services, u *account.User) error {
				err := s.OpenID.RevokeConsentOf(c.Context(), audit.Shell(), u.ID, args[1])
				if errors.Is(err, openid.ErrNoConsent) {
					return fmt.Errorf("%s has not let %s have anything", u.Email, args[1])
				}
				if err != nil {
					return err
				}
				a.note("Removed %s from the applications of %s.", args[1], u.Email)
				return nil
			})
		},
	}
}
