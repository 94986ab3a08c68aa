package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// Identity is who a user is at a provider: the issuer and the subject there.
// The rest is what the provider said last.
type Identity struct {
	bun.BaseModel `bun:"table:identities"`
	ID            string `bun:",pk"`
	UserID        string
	ProviderID    string
	Issuer        string
	Subject       string // unique with provider and issuer
	Email         string
	EmailVerified bool
	Name          string
	Picture       string
	LinkedAt      Time
	LastUsedAt    Time
}

// Identity returns the identity with an id.
func (r Reader) Identity(ctx context.Context, id string) (*Identity, error) {
	return find[Identity](ctx, r, "id = ?", id)
}

// IdentityOf returns the identity of a subject of an issuer at a provider.
func (r Reader) IdentityOf(ctx context.Context, providerID, issuer, subject string) (*Identity, error) {
	return find[Identity](ctx, r, "provider_id = ? AND issuer = ? AND subject = ?", providerID, issuer, subject)
}

// Identities returns those of a user, the last used first.
func (r Reader) Identities(ctx context.Context, userID string) ([]Identity, error) {
	return list[Identity](ctx, r, "last_used_at DESC, id", "user_id = ?", userID)
}

// InsertIdentity adds an identity; [ErrTaken] says that it is linked already.
func (tx *Tx) InsertIdentity(ctx context.Context, i *Identity) error { return insert(ctx, tx, i) }

// SaveIdentity writes every column of i.
func (tx *Tx) SaveIdentity(ctx context.Context, i *Identity) error { return save(ctx, tx, i) }

// DeleteIdentity deletes an identity of a user.
func (tx *Tx) DeleteIdentity(ctx context.Context, userID, id string) error {
	n, err := remove[Identity](ctx, tx, "id = ? AND user_id = ?", id, userID)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// DeleteIdentities deletes the identities of a user.
func (tx *Tx) DeleteIdentities(ctx context.Context, userID string) error {
	_, err := remove[Identity](ctx, tx, "user_id = ?", userID)
	return err
}

// UpstreamSession is what a provider knows a session of a user by.
type UpstreamSession struct {
	bun.BaseModel `bun:"table:upstream_sessions"`
	SessionID     string `bun:",pk"`
	IdentityID    string
	ProviderID    string
	Subject       string // or SAML NameID
	UpstreamID    string // sid, or SAML SessionIndex; "" for none
	SealedHint    string
	Hint          string `bun:"-"` // the ID token, or the whole NameID; sealed in the database
	CreatedAt     Time
}

// UpstreamSession returns what a provider knows a session by.
func (r Reader) UpstreamSession(ctx context.Context, sessionID string) (*UpstreamSession, error) {
	u, err := find[UpstreamSession](ctx, r, "session_id = ?", sessionID)
	if err != nil || u.SealedHint == "" {
		return u, err
	}
	hint, err := r.seals.open("upstream_sessions.hint."+sessionID, u.SealedHint)
	u.Hint = string(hint)
	return u, err
}

// UpstreamSessions returns those of a subject at a provider, without their hints.
func (r Reader) UpstreamSessions(ctx context.Context, providerID, subject string) ([]UpstreamSession, error) {
	return list[UpstreamSession](ctx, r, "session_id", "provider_id = ? AND subject = ?", providerID, subject)
}

// UpstreamSessionsNamed returns those that a provider calls by a name, without
// their hints.
func (r Reader) UpstreamSessionsNamed(ctx context.Context, providerID, name string) ([]UpstreamSession, error) {
	return list[UpstreamSession](ctx, r, "session_id", "provider_id = ? AND upstream_id = ?", providerID, name)
}

// InsertUpstreamSession adds what a provider knows a session by; what was there
// for the session is replaced.
func (tx *Tx) InsertUpstreamSession(ctx context.Context, u *UpstreamSession) error {
	if u.Hint != "" {
		u.SealedHint = tx.seals.seal("upstream_sessions.hint."+u.SessionID, []byte(u.Hint))
	}
	if _, err := remove[UpstreamSession](ctx, tx, "session_id = ?", u.SessionID); err != nil {
		return err
	}
	return insert(ctx, tx, u)
}

// ProviderUse says how a provider is used.
type ProviderUse struct {
	Identities int64 // that came from it
	LastUsedAt Time  // when one did last; zero if none has
}

// ProviderUses returns how providers are used, by their ids; those that never were are left out.
func (r Reader) ProviderUses(ctx context.Context, providerIDs []string) (map[string]ProviderUse, error) {
	uses := make(map[string]ProviderUse, len(providerIDs))
	if len(providerIDs) == 0 {
		return uses, nil
	}
	var rows []struct {
		ProviderID string
		Identities int64
		LastUsedAt Time
	}
	err := r.bun.NewSelect().Conn(r.conn).Model((*Identity)(nil)).
		ColumnExpr("provider_id, COUNT(*) AS identities, MAX(last_used_at) AS last_used_at").
		Where("provider_id IN (?)", bun.List(providerIDs)).Group("provider_id").Scan(ctx, &rows)
	for _, row := range rows {
		uses[row.ProviderID] = ProviderUse{row.Identities, row.LastUsedAt}
	}
	return uses, translate(err)
}
