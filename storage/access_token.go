package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// AccessToken is an access token that is no JWT: of a grant, with which it
// ends, or of a client itself.
type AccessToken struct {
	bun.BaseModel `bun:"table:access_tokens"`
	Hash          string `bun:",pk"`
	GrantID       Ref    // "" for a client's own
	ClientID      Ref    // the client's row, where there is no grant
	Scopes        Words
	Audience      Words
	JKT           string `bun:"jkt"` // the thumbprint of the key it is bound to, or ""
	Actor         string // who acts for the user: the act claim, JSON, or ""
	CreatedAt     Time
	ExpiresAt     Time
}

// AccessToken returns the access token with a hash, expired or not.
func (r Reader) AccessToken(ctx context.Context, hash string) (*AccessToken, error) {
	return cached(r, accessKey, hash, func() (*AccessToken, error) {
		t := &AccessToken{Hash: hash}
		err := r.conn.hotRow(ctx, `SELECT grant_id, client_id, scopes, audience, jkt, actor, created_at, expires_at
			FROM access_tokens WHERE hash = ?`, hash).
			Scan(&t.GrantID, &t.ClientID, &t.Scopes, &t.Audience, &t.JKT, &t.Actor, &t.CreatedAt, &t.ExpiresAt)
		if err != nil {
			return nil, translate(err)
		}
		return t, nil
	})
}

// InsertAccessToken adds an access token.
func (tx *Tx) InsertAccessToken(ctx context.Context, t *AccessToken) error {
	grant, err := t.GrantID.Value()
	if err != nil {
		return err
	}
	client, err := t.ClientID.Value()
	if err != nil {
		return err
	}
	_, err = tx.conn.hot(ctx, `INSERT INTO access_tokens
		(hash, grant_id, client_id, scopes, audience, jkt, actor, created_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		t.Hash, grant, client, t.Scopes.String(), t.Audience.String(), t.JKT, t.Actor,
		t.CreatedAt.UnixMilli(), t.ExpiresAt.UnixMilli())
	return translate(err)
}

// EndAccessToken ends an access token at now; it says whether the token was
// good until then.
func (tx *Tx) EndAccessToken(ctx context.Context, hash string, now time.Time) (bool, error) {
	tx.change(accessKey, hash)
	res, err := tx.conn.hot(ctx, "DELETE FROM access_tokens WHERE hash = ? AND expires_at > ?",
		hash, At(now).UnixMilli())
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
