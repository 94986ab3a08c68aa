package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// RecoveryCode stands in for a user's authenticator once.
type RecoveryCode struct {
	bun.BaseModel `bun:"table:recovery_codes"`
	UserID        string `bun:",pk"`
	Hash          string `bun:",pk"` // keyed, see [DB.MAC]; bcrypt, if it came from elsewhere
	CreatedAt     Time
	// Pending says that it was shown with an authenticator that is not confirmed
	// yet: it opens nothing.
	Pending bool
}

// RecoveryCodes returns the codes that a user has left.
func (r Reader) RecoveryCodes(ctx context.Context, userID string) ([]RecoveryCode, error) {
	return list[RecoveryCode](ctx, r, "hash", "user_id = ? AND pending = FALSE", userID)
}

// CountRecoveryCodes returns how many codes a user has left.
func (r Reader) CountRecoveryCodes(ctx context.Context, userID string) (int64, error) {
	n, err := r.bun.NewSelect().Conn(r.conn).Model((*RecoveryCode)(nil)).
		Where("user_id = ? AND pending = FALSE", userID).Count(ctx)
	return n, translate(err)
}

// SaveRecoveryCodes gives a user codes in place of all that they have, or of
// all that are pending; it may be none.
func (tx *Tx) SaveRecoveryCodes(ctx context.Context, userID string, pending bool, codes []RecoveryCode) error {
	if _, err := remove[RecoveryCode](ctx, tx, "user_id = ? AND pending = ?", userID, pending); err != nil {
		return err
	}
	if len(codes) == 0 {
		return nil
	}
	for i := range codes {
		codes[i].UserID, codes[i].Pending = userID, pending
	}
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(&codes).Exec(ctx)
	return translate(err)
}

// confirmRecoveryCodes makes the pending codes of a user, if there are any,
// count in place of all others.
func (tx *Tx) confirmRecoveryCodes(ctx context.Context, userID string) error {
	_, err := remove[RecoveryCode](ctx, tx, `user_id = ? AND pending = FALSE
		AND EXISTS (SELECT 1 FROM recovery_codes AS shown WHERE shown.user_id = ? AND shown.pending = TRUE)`, userID, userID)
	if err != nil {
		return err
	}
	_, err = tx.bun.NewUpdate().Conn(tx.conn).Model((*RecoveryCode)(nil)).Set("pending = FALSE").
		Where("user_id = ?", userID).Exec(ctx)
	return translate(err)
}

// UseRecoveryCode uses a code up; it says whether there was one to use.
func (tx *Tx) UseRecoveryCode(ctx context.Context, userID, hash string) (bool, error) {
	n, err := remove[RecoveryCode](ctx, tx, "user_id = ? AND hash = ? AND pending = FALSE", userID, hash)
	return n > 0, err
}
