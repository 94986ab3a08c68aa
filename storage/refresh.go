package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// RefreshToken is one member of a grant's chain of refresh tokens. Used ones
// are kept until they would have expired, so that a second use is noticed.
type RefreshToken struct {
	bun.BaseModel `bun:"table:refresh_tokens"`
	Hash          string `bun:",pk"`
	GrantID       string
	CreatedAt     Time
	ExpiresAt     Time
	UsedAt        Time
}

// RefreshToken returns the refresh token with a hash, used or not.
func (r Reader) RefreshToken(ctx context.Context, hash string) (*RefreshToken, error) {
	t := &RefreshToken{Hash: hash}
	err := r.conn.hotRow(ctx, "SELECT grant_id, created_at, expires_at, used_at FROM refresh_tokens WHERE hash = ?", hash).
		Scan(&t.GrantID, &t.CreatedAt, &t.ExpiresAt, &t.UsedAt)
	if err != nil {
		return nil, translate(err)
	}
	return t, nil
}

// InsertRefreshToken adds a refresh token.
func (tx *Tx) InsertRefreshToken(ctx context.Context, t *RefreshToken) error {
	_, err := tx.conn.hot(ctx, `INSERT INTO refresh_tokens
		(hash, grant_id, created_at, expires_at, used_at) VALUES (?, ?, ?, ?, NULL)`,
		t.Hash, t.GrantID, t.CreatedAt.UnixMilli(), t.ExpiresAt.UnixMilli())
	return translate(err)
}

// UseRefreshToken marks a refresh token as used; it says whether this call was
// the one to do so. That of a grant that was ended cannot be used.
func (tx *Tx) UseRefreshToken(ctx context.Context, hash string, now time.Time) (bool, error) {
	res, err := tx.conn.hot(ctx,
		`UPDATE refresh_tokens SET used_at = ? WHERE hash = ? AND used_at IS NULL
			AND EXISTS (SELECT 1 FROM grants WHERE grants.id = grant_id AND revoked_at IS NULL)`,
		At(now).UnixMilli(), hash)
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
