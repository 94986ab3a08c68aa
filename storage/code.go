package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Code is an authorization code. It is kept after its use for as long as its
// grant, so that a second use is noticed.
type Code struct {
	bun.BaseModel `bun:"table:codes"`
	Hash          string `bun:",pk"`
	GrantID       string
	RedirectURI   string `bun:"redirect_uri"`
	CodeChallenge string
	Nonce         string
	CreatedAt     Time
	ExpiresAt     Time
	UsedAt        Time
}

// Code returns the code with a hash, used or not.
func (r Reader) Code(ctx context.Context, hash string) (*Code, error) {
	c := &Code{Hash: hash}
	err := r.conn.hotRow(ctx, `SELECT grant_id, redirect_uri, code_challenge, nonce, created_at, expires_at, used_at
		FROM codes WHERE hash = ?`, hash).
		Scan(&c.GrantID, &c.RedirectURI, &c.CodeChallenge, &c.Nonce, &c.CreatedAt, &c.ExpiresAt, &c.UsedAt)
	if err != nil {
		return nil, translate(err)
	}
	return c, nil
}

// InsertCode adds a code.
func (tx *Tx) InsertCode(ctx context.Context, c *Code) error {
	_, err := tx.conn.hot(ctx, `INSERT INTO codes (hash, grant_id, redirect_uri, code_challenge,
		nonce, created_at, expires_at, used_at) VALUES (?, ?, ?, ?, ?, ?, ?, NULL)`,
		c.Hash, c.GrantID, c.RedirectURI, c.CodeChallenge, c.Nonce,
		c.CreatedAt.UnixMilli(), c.ExpiresAt.UnixMilli())
	return translate(err)
}

// UseCode marks a code as used; it says whether this call was the one to do so.
func (tx *Tx) UseCode(ctx context.Context, hash string, now time.Time) (bool, error) {
	res, err := tx.conn.hot(ctx,
		"UPDATE codes SET used_at = ? WHERE hash = ? AND used_at IS NULL", At(now).UnixMilli(), hash)
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
