package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/logout"
	"authy/server/session"
)

// logoutRoutes are for administrators of the server.
func (a *API) logoutRoutes() {
	signed(a, "GET /api/v1/admin/logouts", 200, "Logouts retrieved successfully",
		"What applications were told of the end of sessions, the newest first", a.logouts)
}

type logoutsIn struct {
	PageIn
	Client  string `query:"client" maxLength:"255" pattern:"^[^\\x00]*$" doc:"Only those for the client with this client_id"`
	Service string `query:"service" maxLength:"63" pattern:"^[^\\x00]*$" doc:"Only those for the SAML service with this slug"`
	User    string `query:"user" maxLength:"36" pattern:"^[^\\x00]*$" doc:"Only those of the user with this id"`
}

// receipt is what became of telling an application that a session has ended.
type receipt struct {
	ID            string     `json:"id"`
	ClientID      string     `json:"client_id" doc:"Empty for a SAML service"`
	Service       *string    `json:"service" nullable:"true" doc:"The slug of the SAML service; null for a client"`
	UserID        string     `json:"user_id"`
	SessionID     string     `json:"session_id"`
	URI           string     `json:"backchannel_logout_uri" doc:"Where it is told; empty for a service that only a browser can tell"`
	State         string     `json:"state" enum:"sent,retrying,delivered,failed"`
	Attempts      int64      `json:"attempts"`
	LastError     *string    `json:"last_error" nullable:"true" doc:"Why the last attempt did not work"`
	CreatedAt     time.Time  `json:"created_at"`
	NextAttemptAt *time.Time `json:"next_attempt_at" nullable:"true"`
	DeliveredAt   *time.Time `json:"delivered_at" nullable:"true"`
}

type logoutsOut struct {
	Logouts []receipt `json:"logouts" nullable:"false"`
	Count   int       `json:"count" doc:"How many there are on this page"`
	PageOut
}

func (a *API) logouts(ctx context.Context, _ *session.Identity, by audit.Actor, in *logoutsIn) (*logoutsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	found, next, err := a.Logouts.List(ctx, by, logout.Filter{ClientID: in.Client, Service: in.Service, UserID: in.User}, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &logoutsOut{Logouts: make([]receipt, len(found)), Count: len(found), PageOut: PageOut{next}}
	for i, r := range found {
		out.Logouts[i] = receipt{
			ID: r.ID, ClientID: r.Client.ClientID, Service: orNull(r.ServiceSlug()), UserID: r.UserID, SessionID: r.SessionID, URI: r.URI,
			State: r.State, Attempts: r.Attempts, LastError: orNull(r.LastError), CreatedAt: r.CreatedAt.Time,
			NextAttemptAt: timeOrNull(r.NextAt.Time), DeliveredAt: timeOrNull(r.DeliveredAt.Time),
		}
	}
	return out, nil
}
