package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/session"
)

// SessionView is one of the user's sessions; its token is never shown again.
type SessionView struct {
	ID             string     `json:"id" format:"uuid"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	UserID         string     `json:"user_id" format:"uuid"`
	Status         string     `json:"status" enum:"active,expired,revoked"`
	Current        bool       `json:"current" doc:"Whether it is the one that asks"`
	IPAddress      string     `json:"ip_address"`
	UserAgent      string     `json:"user_agent"`
	DeviceInfo     *string    `json:"device_info" nullable:"true"`
	ExpiresAt      time.Time  `json:"expires_at"`
	LastActivityAt time.Time  `json:"last_activity_at"`
	RevokedAt      *time.Time `json:"revoked_at" nullable:"true"`
	RevokedReason  *string    `json:"revoked_reason" nullable:"true"`
}

type sessionsOut struct {
	Sessions []SessionView `json:"sessions"`
	Count    int           `json:"count"`
	PageOut
}

func (a *API) sessions(ctx context.Context, id *session.Identity, _ audit.Actor, in *PageIn) (*sessionsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	live, next, err := a.Sessions.List(ctx, id.User.ID, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &sessionsOut{Sessions: make([]SessionView, len(live)), Count: len(live), PageOut: PageOut{next}}
	for i := range live {
		out.Sessions[i] = sessionOf(&live[i], id.Session.ID)
	}
	return out, nil
}

func sessionOf(s *session.Session, current string) SessionView {
	return SessionView{
		ID: s.ID, CreatedAt: s.CreatedAt.Time, UpdatedAt: s.UpdatedAt.Time, UserID: s.UserID, Status: "active",
		Current: s.ID == current, IPAddress: s.IPAddress, UserAgent: s.UserAgent,
		ExpiresAt: s.ExpiresAt.Time, LastActivityAt: s.LastActivityAt.Time,
	}
}

type endSessionIn struct {
	ID string `path:"id"`
}

func (a *API) endSession(ctx context.Context, id *session.Identity, by audit.Actor, in *endSessionIn) (*nothing, error) {
	return nil, a.Sessions.End(ctx, by, id.User.ID, in.ID, "session.revoke", "Revoked by user")
}

type endedOut struct {
	Revoked int64 `json:"revoked" doc:"How many sessions were ended"`
}

func (a *API) endOtherSessions(ctx context.Context, id *session.Identity, by audit.Actor, _ *struct{}) (*endedOut, error) {
	ended, err := a.Sessions.EndOthers(ctx, by, id)
	return &endedOut{Revoked: ended}, err
}
