package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// RegistrationToken lets clients register themselves, a number of times.
type RegistrationToken struct {
	bun.BaseModel  `bun:"table:registration_tokens"`
	ID             string `bun:",pk"`
	Hash           string // [Hash] of the token; unique
	OrganizationID Ref    // whose the clients become; "" for nobody's
	Profile        string // of the clients; "" for the configuration's
	UsesLeft       int64
	CreatedAt      Time
	ExpiresAt      Time
}

// RegistrationToken returns the token with a hash, good or not.
func (r Reader) RegistrationToken(ctx context.Context, hash string) (*RegistrationToken, error) {
	return find[RegistrationToken](ctx, r, "hash = ?", hash)
}

// RegistrationTokens returns at most limit tokens with an id after the given
// one, good or not, the oldest first.
func (r Reader) RegistrationTokens(ctx context.Context, after string, limit int) ([]RegistrationToken, error) {
	var tokens []RegistrationToken
	err := r.bun.NewSelect().Conn(r.conn).Model(&tokens).
		Where("id > ?", after).OrderExpr("id").Limit(int64(limit)).Scan(ctx)
	return tokens, translate(err)
}

// InsertRegistrationToken adds a token.
func (tx *Tx) InsertRegistrationToken(ctx context.Context, t *RegistrationToken) error {
	return insert(ctx, tx, t)
}

// UseRegistrationToken takes one use of the token with a hash, which is good at
// now; [ErrNotFound] says that it is not, or has none left.
func (tx *Tx) UseRegistrationToken(ctx context.Context, hash string, now time.Time) error {
	res, err := tx.bun.NewUpdate().Conn(tx.conn).Model((*RegistrationToken)(nil)).
		Set("uses_left = uses_left - 1").
		Where("hash = ? AND uses_left > 0 AND expires_at > ?", hash, At(now)).Exec(ctx)
	if err != nil {
		return translate(err)
	}
	return one(res)
}

// DeleteRegistrationToken deletes a token; [ErrNotFound] says that it is gone.
func (tx *Tx) DeleteRegistrationToken(ctx context.Context, id string) error {
	n, err := remove[RegistrationToken](ctx, tx, "id = ?", id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
