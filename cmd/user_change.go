package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
)

// userChange is a command that does one thing to one user.
type userChange struct {
	verb, short, long string
	do                func(*account.Service, context.Context, audit.Actor, string) error
	// question asks whether to go ahead, "" where all can be made good again; done says what
	// happened and what the user notices. %[1]s is the address.
	question, done string
}

var userChanges = []userChange{
	{
		verb:  "suspend",
		short: "Stop a user from signing in, and end everything they have open",
		long: `Stop a user from signing in. Their sessions and the access of applications end
at once, also on a running server.`,
		do: (*account.Service).Suspend,
		done: "Suspended %[1]s: signed out everywhere, and signing in is refused until you run\n" +
			"  authy user activate %[1]s",
	},
	{
		verb:  "activate",
		short: "Let a suspended user sign in again",
		long:  `Let a suspended user sign in again. Sessions that were ended stay ended.`,
		do:    (*account.Service).Activate,
		done:  "Activated %[1]s: signing in works again, with the same password as before.",
	},
	{
		verb:  "sign-out",
		short: "End every session of a user",
		long: `End every session of a user and the access they gave to applications, also on a
running server. They can sign in again.`,
		do:   (*account.Service).SignOut,
		done: "Signed %[1]s out everywhere: each browser and application asks to sign in again.",
	},
	{
		verb:  "unlock",
		short: "Forgive the attempts to sign in as a user that failed",
		long: `Forgive the attempts to sign in as a user that failed, from wherever they came,
also on a running server: the password and the second factor can be tried anew.
What one address has tried with all accounts together passes by itself, within
15 minutes.`,
		do:   (*account.Service).Unlock,
		done: "Unlocked %[1]s: they can try again at once.",
	},
	{
		verb:  "verify-email",
		short: "Note that the address of a user is theirs",
		long: `Note that the address of a user is theirs, where no mail can show it. Make sure
that it is: applications may trust it.`,
		do:   (*account.Service).MarkVerified,
		done: "Verified %[1]s: applications are told that the address is the user's.",
	},
	{
		verb:  "disable-totp",
		short: "Take the authenticator of a user away who has lost it",
		long: `Take the authenticator of a user away who has lost it and has no recovery codes
left. Make sure that it is they who ask: afterwards the password alone signs
them in. Their sessions and the access of applications end at once.`,
		do:       (*account.Service).ResetTOTP,
		question: "Take the authenticator and the recovery codes of %[1]s away, for good?",
		done: "Took the authenticator and the recovery codes of %[1]s away: signed out everywhere,\n" +
			"and the password alone signs them in until they set up another.",
	},
	{
		verb:  "remove-passkeys",
		short: "Take the passkeys of a user away who has lost them",
		long: `Take every passkey of a user away who has lost the device that holds them. Make
sure that it is they who ask: unless they have an authenticator app, too, the
password alone signs them in afterwards. Their sessions and the access of
applications end at once.`,
		do:       (*account.Service).ResetPasskeys,
		question: "Take the passkeys of %[1]s away, for good?",
		done:     "Took the passkeys of %[1]s away: signed out everywhere, and they sign in by password.",
	},
}

func (a *app) changeUserCommand(change userChange) *cobra.Command {
	y := confirmation{yes: change.question == ""}
	c := &cobra.Command{
		Use:     change.verb + " EMAIL-or-ID",
		Short:   change.short,
		Long:    change.long,
		Example: "  authy user " + change.verb + " bob@example.com",
		Args:    takes("EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			ctx := c.Context()
			if err := a.canConfirm(c, y); err != nil {
				return err
			}
			return a.withUser(ctx, args[0], func(s *server.Services, u *account.User) error {
				if err := a.confirm(ctx, y, fmt.Sprintf(change.question, u.Email)); err != nil {
					return err
				}
				if err := change.do(s.Accounts, ctx, audit.Shell(), u.ID); err != nil {
					return err
				}
				a.note(change.done, u.Email)
				return nil
			})
		},
	}
	if change.question != "" {
		y.add(c)
		c.Example += "\n  authy user " + change.verb + " --yes bob@example.com"
	}
	return c
}

func (a *app) deleteUserCommand() *cobra.Command {
	var y confirmation
	c := &cobra.Command{
		Use:   "delete EMAIL-or-ID",
		Short: "Delete a user with everything that is theirs",
		Long: `Delete a user with everything that is theirs: sessions, memberships, the access
of applications. It cannot be undone; 'authy user suspend' can. The only owner
of an organization cannot be deleted.`,
		Example: `  authy user delete bob@example.com
  authy user delete --yes bob@example.com`,
		Args: takes("EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := a.canConfirm(c, y); err != nil {
				return err
			}
			return a.withUser(c.Context(), args[0], func(s *server.Services, u *account.User) error {
				return a.deleteUser(c.Context(), s, u, y)
			})
		},
	}
	y.add(c)
	return c
}

func (a *app) deleteUser(ctx context.Context, s *server.Services, u *account.User, y confirmation) error {
	if err := a.confirm(ctx, y, "Delete "+u.Email+" and everything that is theirs, for good?"); err != nil {
		return err
	}
	if err := s.Accounts.Delete(ctx, audit.Shell(), u.ID); err != nil {
		return err
	}
	a.note("Deleted %s: signed out everywhere, and the account is gone.", u.Email)
	return nil
}

func (a *app) setPasswordCommand() *cobra.Command {
	var from passwordFlags
	c := &cobra.Command{
		Use:   "set-password EMAIL-or-ID",
		Short: "Set a user's password, and end their sessions",
		Long: `Set a user's password, and end their sessions and the access of applications.
The password is asked for; scripts give it on standard input or have one made,
which is printed alone on standard output.`,
		Example: `  authy user set-password bob@example.com
  authy user set-password --generate bob@example.com`,
		Args: takes("EMAIL-or-ID"),
		RunE: func(c *cobra.Command, args []string) error {
			password, err := a.password(c, from)
			if err != nil {
				return err
			}
			return a.withUser(c.Context(), args[0], func(s *server.Services, u *account.User) error {
				return a.setPassword(c.Context(), s, u, password, from.generate)
			})
		},
	}
	from.add(c)
	return c
}

func (a *app) setPassword(
	ctx context.Context, s *server.Services, u *account.User, password string, generated bool,
) error {
	if err := s.Accounts.SetPassword(ctx, audit.Shell(), u.ID, password); err != nil {
		return err
	}
	a.note("Set the password of %s: signed out everywhere, and the old one no longer works.", u.Email)
	if !generated {
		return nil
	}
	a.note("The new one is shown this once:")
	return a.printLine(password)
}
