package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// RecoveryCode stands in for a user's authenticator once.
type RecoveryCode struct {
	bun.BaseModel `bun:"table:recovery_codes"`
	UserID        string `bun:",pk"`
	Hash          string `bun:",pk"` // keyed, see [DB.MAC]
	CreatedAt     Time
}

// CountRecoveryCodes returns how many codes a user has left.
func (r Reader) CountRecoveryCodes(ctx context.Context, userID string) (int64, error) {
	n, err := r.bun.NewSelect().Conn(r.conn).Model((*RecoveryCode)(nil)).Where("user_id = ?", userID).Count(ctx)
	return n, translate(err)
}

// SaveRecoveryCodes gives a user codes in place of all that they have.
func (tx *Tx) SaveRecoveryCodes(ctx context.Context, userID string, codes []RecoveryCode) error {
	if err := tx.deleteRecoveryCodes(ctx, userID); err != nil {
		return err
	}
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(&codes).Exec(ctx)
	return translate(err)
}

// UseRecoveryCode uses a code up; it says whether there was one to use.
func (tx *Tx) UseRecoveryCode(ctx context.Context, userID, hash string) (bool, error) {
	n, err := remove[RecoveryCode](ctx, tx, "user_id = ? AND hash = ?", userID, hash)
	return n > 0, err
}

func (tx *Tx) deleteRecoveryCodes(ctx context.Context, userID string) error {
	_, err := remove[RecoveryCode](ctx, tx, "user_id = ?", userID)
	return err
}
