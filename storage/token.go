package storage

import (
	"context"
	"errors"

	"github.com/uptrace/bun"
)

// RevokedToken is an access token that was ended before its time; live ones
// are not kept, they prove themselves by their signature and their grant.
type RevokedToken struct {
	bun.BaseModel `bun:"table:revoked_tokens"`
	ID            string `bun:",pk"` // the token's jti
	ExpiresAt     Time   // when it would have ended anyway
}

// IsRevokedToken says whether the access token with an id was ended.
func (r Reader) IsRevokedToken(ctx context.Context, id string) (bool, error) {
	return cached(r, revokedKey, id, func() (bool, error) {
		_, err := find[RevokedToken](ctx, r, "id = ?", id)
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	})
}

// InsertRevokedToken ends an access token; doing so twice is no error.
func (tx *Tx) InsertRevokedToken(ctx context.Context, t *RevokedToken) error {
	tx.change(revokedKey, t.ID)
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(t).On("CONFLICT DO NOTHING").Exec(ctx)
	return translate(err)
}
