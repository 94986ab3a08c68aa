package api

import (
	"context"

	"authy/server/audit"
	"authy/server/session"
)

// adminSessionRoutes are for administrators of the server.
func (a *API) adminSessionRoutes() {
	signed(a, "GET /api/v1/admin/sessions", 200, "Sessions retrieved successfully", "All sessions, the newest first", a.allSessions)
	signed(a, "DELETE /api/v1/admin/sessions/{id}", 200, "Session revoked successfully", "End anybody's session", a.endAnySession)
}

type allSessionsIn struct {
	PageIn
	User    string `query:"user" maxLength:"36" pattern:"^[^\\x00]*$" doc:"Only those of the user with this id"`
	Kind    string `query:"kind" enum:"api,web" doc:"Only those of programs, or of browsers"`
	Address string `query:"address" maxLength:"64" pattern:"^[^\\x00]*$" doc:"Only those that began at this IP address"`
}

// ownedSession is a session as administrators see it.
type ownedSession struct {
	SessionView
	Kind  string `json:"kind" enum:"api,web" doc:"Whether it is a program's or a browser's"`
	Email string `json:"email" doc:"The address of its user"`
}

type allSessionsOut struct {
	Sessions []ownedSession `json:"sessions"`
	Count    int            `json:"count" doc:"How many there are on this page"`
	PageOut
}

func (a *API) allSessions(ctx context.Context, id *session.Identity, by audit.Actor, in *allSessionsIn) (*allSessionsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	f := session.Filter{UserID: in.User, Kind: in.Kind, IPAddress: in.Address}
	found, next, err := a.Sessions.All(ctx, by, f, after, in.Limit)
	if err != nil {
		return nil, err
	}
	out := &allSessionsOut{Sessions: make([]ownedSession, len(found)), Count: len(found), PageOut: PageOut{next}}
	for i, o := range found {
		view := sessionOf(o.Session, id.Session.ID)
		view.Status = o.State
		view.RevokedAt, view.RevokedReason = timeOrNull(o.Session.RevokedAt.Time), orNull(o.Session.RevokedReason)
		out.Sessions[i] = ownedSession{view, o.Session.Kind, o.User.Email}
	}
	return out, nil
}

func (a *API) endAnySession(ctx context.Context, _ *session.Identity, by audit.Actor, in *endSessionIn) (*nothing, error) {
	return nil, a.Sessions.Revoke(ctx, by, in.ID)
}
