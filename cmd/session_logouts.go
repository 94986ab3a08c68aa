package cmd

import (
	"cmp"
	"context"
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
	ClientID      string     `json:"client_id,omitempty"`
	Service       string     `json:"service,omitempty"` // the slug of a SAML service
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
	var user string
	var l listing
	c := &cobra.Command{
		Use:   "logouts",
		Short: "List what applications were told of the end of sessions",
		Long: `List what applications were told of the end of sessions, the newest first, for
thirty days: sent, retrying, delivered, or failed after a day. A server that runs
sends what this shell has queued; what waits while none does goes out when one
starts.`,
		Example: `  authy session logouts
  authy session logouts --client acme-portal-001 --json
  authy session logouts --service wiki
  authy session logouts --user bob@example.com`,
		Args: takes(),
		RunE: func(c *cobra.Command, _ []string) error {
			if err := l.check(c); err != nil {
				return err
			}
			return a.with(c.Context(), func(s *server.Services) error {
				return a.listLogouts(c.Context(), s, f, user, l)
			})
		},
	}
	c.Flags().StringVar(&f.ClientID, "client", "", "only what was told to this client (`CLIENT_ID`)")
	c.Flags().StringVar(&f.Service, "service", "", "only what was told to this SAML service (`SLUG`)")
	c.Flags().StringVar(&user, "user", "", "only the sessions of this user (`EMAIL-or-ID`)")
	l.add(c, listed, "begin after the one with this `ID`")
	return c
}

func (a *app) listLogouts(ctx context.Context, s *server.Services, f logout.Filter, user string, l listing) error {
	var err error
	if f.UserID, err = userID(ctx, s, user); err != nil {
		return err
	}
	found, next, err := s.Logouts.List(ctx, audit.Shell(), f, l.after, l.limit)
	if err != nil {
		return err
	}
	if err := a.printLogouts(found, l.asJSON); err != nil {
		return err
	}
	a.noteMore(next, false)
	return nil
}

func (a *app) printLogouts(found []logout.Receipt, asJSON bool) error {
	out, rows := make([]logoutOut, len(found)), make([][]string, len(found))
	for i, r := range found {
		out[i] = logoutOut{
			ID: r.ID, ClientID: r.Client.ClientID, Service: r.ServiceSlug(), UserID: r.UserID, SessionID: r.SessionID,
			URI: r.URI, State: r.State, Attempts: r.Attempts, LastError: r.LastError, CreatedAt: instantOrNull(r.CreatedAt.Time),
			NextAttemptAt: instantOrNull(r.NextAt.Time), DeliveredAt: instantOrNull(r.DeliveredAt.Time),
		}
		rows[i] = []string{
			cmp.Or(r.Client.ClientID, r.ServiceSlug()), r.State, strconv.FormatInt(r.Attempts, 10), instant(r.CreatedAt.Time), r.SessionID, r.LastError,
		}
	}
	head := []string{"APPLICATION", "STATE", "ATTEMPTS", "ENDED", "SESSION", "LAST ERROR"}
	return a.printList(asJSON, out, head, rows, "No application was told of a logout.")
}
