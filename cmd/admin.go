package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
)

func (a *app) adminCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "admin",
		Short: "Get in again as an administrator",
		Long: `Get in again as an administrator. Users are made administrators, and are no longer
so, by 'authy user update'.`,
		Example: `  authy admin recover
  authy user update bob@example.com --admin
  authy user list --admin`,
	}
	c.AddCommand(a.recoverCommand())
	return c
}

// recoveryOut is a link that lets an administrator in, as programs see it.
type recoveryOut struct {
	Link         string    `json:"link"`
	Email        string    `json:"email"`
	Creates      bool      `json:"creates"`
	Activates    bool      `json:"activates"`
	ResetFactors bool      `json:"reset_factors"`
	ExpiresAt    time.Time `json:"expires_at"`
}

func (a *app) recoverCommand() *cobra.Command {
	var in account.Recovery
	var asJSON bool
	c := &cobra.Command{
		Use:   "recover [EMAIL-or-ID]",
		Short: "Print a link that signs an administrator in",
		Long: `Print a link that signs an administrator in who cannot sign in any more: the
password or passkey is lost, the account is suspended, the provider they come from
is broken, or no administrator is left. It works once, for 15 minutes, on a server
that runs or is started in that time, and needs neither mail nor a provider. Whoever
opens it can choose a password or add a passkey: give it to nobody else.

Until the link is used nothing is changed. Then a suspended account is active again,
and with --create an administrator is made if nobody has the address. A second factor
is still asked for, unless it is lost: --reset-factors takes the passkeys, the
authenticator app and the recovery codes away.

Without a user it is for the only administrator; where there are others they are
listed. Link and use are in the audit log, and the administrator is told by mail.`,
		Example: `  authy admin recover
  authy admin recover alice@example.com --reset-factors
  authy admin recover alice@example.com --create`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				in.User = args[0]
			}
			if in.Create && in.User == "" {
				return misused(c, "--create needs the address of the administrator to make")
			}
			return a.with(c.Context(), func(s *server.Services) error {
				return a.recoverAdmin(c.Context(), s, in, asJSON)
			})
		},
	}
	c.Flags().BoolVar(&in.Create, "create", false, "make an administrator if nobody has the address")
	c.Flags().BoolVar(&in.ResetFactors, "reset-factors", false, "take passkeys, authenticator app and recovery codes away")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) recoverAdmin(ctx context.Context, s *server.Services, in account.Recovery, asJSON bool) error {
	l, err := s.Accounts.NewRecoveryLink(ctx, audit.Shell(), in)
	if err != nil {
		return err
	}
	link := s.Config.PublicURL + l.Path
	if asJSON {
		return a.printJSON(recoveryOut{
			Link: link, Email: l.User.Email, Creates: l.Created, Activates: l.Activated, ResetFactors: l.ResetFactors,
			ExpiresAt: l.ExpiresAt.UTC().Truncate(time.Second),
		})
	}
	switch {
	case l.Created:
		a.note("The link makes %s an administrator, who has no account yet.", l.User.Email)
	case l.Activated:
		a.note("The account is %s: the link makes it active again.", l.User.Status)
	}
	switch {
	case l.ResetFactors:
		a.note("The link takes their passkeys, authenticator app and recovery codes away.")
	case l.Factors.Any():
		a.note("Their second factor is asked for; if it is lost, run this again with --reset-factors.")
	}
	a.note("Open this link to sign in as %s. It works once, for 15 minutes:", l.User.Email)
	return a.printLine(link)
}
