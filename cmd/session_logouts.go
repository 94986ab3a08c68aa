package cmd

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"authy/server"
	"authy/server/audit"
	"authy/server/logout"
)

// logoutOut is what an application was told, as programs see it.
type logoutOut struct {
	ID            string     `json:"id"`
	ClientID      string     `json:"client_id"`
	UserID        string     `json:"user_id"`
	SessionID     string     `json:"session_id"`
	URI           string     `json:"backchannel_logout_uri"`
	State         string     `json:"state"`
	Attempts      int64      `json:"attempts"`
	LastError     string     `json:"last_error"`
	CreatedAt     *time.Time `json:"created_at"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	DeliveredAt   *time.Time `json:"delivered_at"`
}

func (a *app) logoutsCommand() *cobra.Command {
	var f logout.Filter
	var user, after string
	var limit int
	var asJSON bool
	c := &cobra.Command{
		Use:   "logouts",
		Short: "List what applications were told of the end of sessions",
		Long: `List what applications were told of the end of sessions, the newest first, for
thirty days: sent, retrying, delivered, or failed after a day. A server that runs
sends what this shell has queued; what waits while none does goes out when one
starts.`,
		Example: `  authy session logouts
  authy session logouts --client acme-portal-001 --json
  authy session logouts --user bob@example.com`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if limit < 1 || limit > maxSessionsList {
				return misused(c, "--limit is %d; give 1 to %d", limit, maxSessionsList)
			}
			return a.with(c.Context(), func(s *server.Services) error {
				return a.listLogouts(c.Context(), s, f, user, after, limit, asJSON)
			})
		},
	}
	c.Flags().StringVar(&f.ClientID, "client", "", "only what was told to this client (`CLIENT_ID`)")
	c.Flags().StringVar(&user, "user", "", "only the sessions of this user (`EMAIL-or-ID`)")
	c.Flags().StringVar(&after, "after", "", "begin after the one with this `ID`")
	c.Flags().IntVar(&limit, "limit", sessionsListed, fmt.Sprintf("how many to list at most, 1 to %d", maxSessionsList))
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

func (a *app) listLogouts(
	ctx context.Context, s *server.Services, f logout.Filter, user, after string, limit int, asJSON bool,
) error {
	if user != "" {
		u, err := s.Accounts.Find(ctx, user)
		if err != nil {
			return err
		}
		f.UserID = u.ID
	}
	found, next, err := s.Logouts.List(ctx, audit.Shell(), f, after, limit)
	if err != nil {
		return err
	}
	if err := a.printLogouts(found, asJSON); err != nil {
		return err
	}
	if next != "" {
		a.note("There are more: add --after %s", next)
	}
	return nil
}

func (a *app) printLogouts(found []logout.Receipt, asJSON bool) error {
	out, rows := make([]logoutOut, len(found)), make([][]string, len(found))
	for i, r := range found {
		out[i] = logoutOut{
			ID: r.ID, ClientID: r.Client.ClientID, UserID: r.UserID, SessionID: r.SessionID, URI: r.URI, State: r.State,
			Attempts: r.Attempts, LastError: r.LastError, CreatedAt: instantOrNull(r.CreatedAt.Time),
			NextAttemptAt: instantOrNull(r.NextAt.Time), DeliveredAt: instantOrNull(r.DeliveredAt.Time),
		}
		rows[i] = []string{
			r.Client.ClientID, r.State, strconv.FormatInt(r.Attempts, 10), instant(r.CreatedAt.Time), r.SessionID, r.LastError,
		}
	}
	switch {
	case asJSON:
		return a.printJSON(out)
	case len(found) == 0:
		a.note("No application was told of a logout.")
		return nil
	}
	return a.printTable([]string{"CLIENT", "STATE", "ATTEMPTS", "ENDED", "SESSION", "LAST ERROR"}, rows)
}
