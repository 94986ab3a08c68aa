package cmd

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/account"
	"authy/server/audit"
	"authy/server/session"
)

func (a *app) sessionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "session",
		Short: "Look at sessions and end them",
		Long: `Look at sessions and end them. The commands work beside a running server, which
heeds them at once, and without one.`,
		Example: `  authy session list --user bob@example.com
  authy session revoke --user bob@example.com`,
	}
	c.AddCommand(a.listSessionsCommand(), a.revokeSessionCommand(), a.logoutsCommand())
	return c
}

// sessionOut is a session as programs see it.
type sessionOut struct {
	ID             string     `json:"id"`
	UserID         string     `json:"user_id"`
	Email          string     `json:"email"`
	Kind           string     `json:"kind"`
	Status         string     `json:"status"`
	IPAddress      string     `json:"ip_address"`
	UserAgent      string     `json:"user_agent"`
	CreatedAt      *time.Time `json:"created_at"`
	LastActivityAt *time.Time `json:"last_activity_at"`
	ExpiresAt      *time.Time `json:"expires_at"`
	RevokedAt      *time.Time `json:"revoked_at"`
	RevokedReason  string     `json:"revoked_reason"`
}

func sessionOutOf(o session.Owned) sessionOut {
	s := o.Session
	return sessionOut{
		ID: s.ID, UserID: s.UserID, Email: o.User.Email, Kind: s.Kind, Status: o.State, IPAddress: s.IPAddress,
		UserAgent: s.UserAgent, CreatedAt: instantOrNull(s.CreatedAt.Time),
		LastActivityAt: instantOrNull(s.LastActivityAt.Time), ExpiresAt: instantOrNull(s.ExpiresAt.Time),
		RevokedAt: instantOrNull(s.RevokedAt.Time), RevokedReason: s.RevokedReason,
	}
}

func (a *app) listSessionsCommand() *cobra.Command {
	var f session.Filter
	var user string
	var l listing
	c := &cobra.Command{
		Use:   "list",
		Short: "List sessions, the newest first",
		Long: `List sessions, the newest first; those that have ended stay in the list for
thirty days.`,
		Example: `  authy session list
  authy session list --user bob@example.com
  authy session list --address 203.0.113.7 --json | jq -r '.[].email'`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := l.check(c); err != nil {
				return err
			}
			if f.Kind != "" && f.Kind != session.API && f.Kind != session.Web {
				return misused(c, "--kind is %s; give %s or %s", f.Kind, session.API, session.Web)
			}
			return a.with(c.Context(), func(s *server.Services) error {
				return a.listSessions(c.Context(), s, f, user, l)
			})
		},
	}
	c.Flags().StringVar(&user, "user", "", "only those of this user (`EMAIL-or-ID`)")
	c.Flags().StringVar(&f.Kind, "kind", "", "only those of programs, api, or of browsers, web (`KIND`)")
	c.Flags().StringVar(&f.IPAddress, "address", "", "only those that began at this `IP` address")
	l.add(c, listed, "begin after the session with this `ID`")
	return c
}

func (a *app) listSessions(ctx context.Context, s *server.Services, f session.Filter, user string, l listing) error {
	var err error
	if f.UserID, err = userID(ctx, s, user); err != nil {
		return err
	}
	found, next, err := s.Sessions.All(ctx, audit.Shell(), f, l.after, l.limit)
	if err != nil {
		return err
	}
	if err := a.printSessions(found, l.asJSON); err != nil {
		return err
	}
	a.noteMore(next, false)
	return nil
}

// userID returns the id of a user, "" for none.
func userID(ctx context.Context, s *server.Services, emailOrID string) (string, error) {
	if emailOrID == "" {
		return "", nil
	}
	u, err := s.Accounts.Find(ctx, emailOrID)
	if err != nil {
		return "", about(emailOrID, err)
	}
	return u.ID, nil
}

func (a *app) printSessions(found []session.Owned, asJSON bool) error {
	out, rows := make([]sessionOut, len(found)), make([][]string, len(found))
	for i, o := range found {
		s := sessionOutOf(o)
		out[i] = s
		rows[i] = []string{
			s.ID, s.Email, s.Kind, s.Status, s.IPAddress, instant(o.Session.CreatedAt.Time),
			instant(o.Session.LastActivityAt.Time),
		}
	}
	head := []string{"ID", "USER", "KIND", "STATUS", "ADDRESS", "BEGAN", "LAST USED"}
	return a.printList(asJSON, out, head, rows, "There are no such sessions.")
}

func (a *app) revokeSessionCommand() *cobra.Command {
	var user string
	var all bool
	c := &cobra.Command{
		Use:   "revoke [ID]",
		Short: "End a session, or every session of a user",
		Long: `End a session by its ID, or with --user every session of a user. The access that
applications have been given stays; with --all it ends, too, as by
'authy user sign-out'.`,
		Example: `  authy session revoke 0198c0de-0000-7000-8000-000000000000
  authy session revoke --user bob@example.com
  authy session revoke --user bob@example.com --all`,
		Args: func(c *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return misused(c, "give one ID")
			case len(args) == 0 && user == "":
				return misused(c, "ID is missing; or name a --user")
			case len(args) == 1 && user != "":
				return misused(c, "give an ID or a --user, not both")
			case all && user == "":
				return misused(c, "--all needs a --user")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if user != "" {
				return a.revokeSessions(c.Context(), user, all)
			}
			return a.with(c.Context(), func(s *server.Services) error {
				if err := s.Sessions.Revoke(c.Context(), audit.Shell(), args[0]); err != nil {
					return about(args[0], err)
				}
				a.note("Ended the session %s.", args[0])
				return nil
			})
		},
	}
	c.Flags().StringVar(&user, "user", "", "end every session of this user (`EMAIL-or-ID`)")
	c.Flags().BoolVar(&all, "all", false, "end the access of applications, too")
	return c
}

func (a *app) revokeSessions(ctx context.Context, user string, all bool) error {
	return a.withUser(ctx, user, func(s *server.Services, u *account.User) error {
		ended, err := s.Sessions.RevokeAll(ctx, audit.Shell(), u.ID)
		if err != nil {
			return err
		}
		if !all {
			a.note("Ended %d sessions of %s.", ended, u.Email)
			return nil
		}
		if err := s.Accounts.SignOut(ctx, audit.Shell(), u.ID); err != nil {
			return err
		}
		a.note("Ended %d sessions of %s, and the access of applications.", ended, u.Email)
		return nil
	})
}
