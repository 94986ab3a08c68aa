package account

import (
	"context"
	"time"
)

// ExportSession is a session, live or not.
type ExportSession struct {
	ID              string     `json:"id"`
	Kind            string     `json:"kind"`
	Methods         []string   `json:"methods" doc:"How the user proved who they are (RFC 8176)"`
	IPAddress       string     `json:"ip_address"`
	UserAgent       string     `json:"user_agent"`
	CreatedAt       time.Time  `json:"created_at"`
	AuthenticatedAt time.Time  `json:"authenticated_at"`
	LastActivityAt  time.Time  `json:"last_activity_at"`
	ExpiresAt       time.Time  `json:"expires_at"`
	RevokedAt       *time.Time `json:"revoked_at" nullable:"true"`
	RevokedReason   string     `json:"revoked_reason"`
}

// ExportToken is a personal API token.
type ExportToken struct {
	ID         string     `json:"id"`
	Name       string     `json:"name"`
	Scopes     []string   `json:"scopes"`
	CreatedAt  time.Time  `json:"created_at"`
	ExpiresAt  *time.Time `json:"expires_at" nullable:"true"`
	LastUsedAt *time.Time `json:"last_used_at" nullable:"true"`
}

func (e *exporter) sessions(ctx context.Context) error {
	sessions, err := e.db.Sessions(ctx, e.userID)
	e.out.Sessions = make([]ExportSession, len(sessions))
	for i, one := range sessions {
		e.out.Sessions[i] = ExportSession{
			ID: one.ID, Kind: one.Kind, Methods: one.Methods, IPAddress: one.IPAddress, UserAgent: one.UserAgent,
			CreatedAt: one.CreatedAt.Time, AuthenticatedAt: one.AuthenticatedAt.Time, LastActivityAt: one.LastActivityAt.Time,
			ExpiresAt: one.ExpiresAt.Time, RevokedAt: moment(one.RevokedAt), RevokedReason: one.RevokedReason,
		}
	}
	return err
}

func (e *exporter) tokens(ctx context.Context) error {
	tokens, err := e.db.APITokensOfUser(ctx, e.userID)
	e.out.Tokens = make([]ExportToken, len(tokens))
	for i, one := range tokens {
		e.out.Tokens[i] = ExportToken{
			ID: one.ID, Name: one.Name, Scopes: one.Scopes, CreatedAt: one.CreatedAt.Time,
			ExpiresAt: moment(one.ExpiresAt), LastUsedAt: moment(one.LastUsedAt),
		}
	}
	return err
}
