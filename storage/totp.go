package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// TOTP is a user's authenticator: the secret it shares with the server, and
// what of it has been used (RFC 6238).
type TOTP struct {
	bun.BaseModel `bun:"table:totps"`
	UserID        string `bun:",pk"`
	Sealed        string `bun:"secret"`
	Secret        []byte `bun:"-"` // sealed in the database
	LastStep      int64  // the latest time step whose code was used
	CreatedAt     Time
	ConfirmedAt   Time // zero until its owner has shown a code of it
}

// TOTP returns the authenticator of a user, confirmed or not.
func (r Reader) TOTP(ctx context.Context, userID string) (*TOTP, error) {
	t, err := find[TOTP](ctx, r, "user_id = ?", userID)
	if err != nil {
		return nil, err
	}
	t.Secret, err = r.seals.open(totpCell(userID), t.Sealed)
	return t, err
}

// SaveTOTP keeps an authenticator that is not confirmed, sealed, in place of
// an earlier one that was not either; [ErrTaken] if the user has a confirmed one.
func (tx *Tx) SaveTOTP(ctx context.Context, t *TOTP) error {
	t.Sealed = tx.seals.seal(totpCell(t.UserID), t.Secret)
	res, err := tx.conn.hot(ctx, `INSERT INTO totps (user_id, secret, last_step, created_at, confirmed_at)
		VALUES (?, ?, 0, ?, NULL)
		ON CONFLICT (user_id) DO UPDATE SET secret = EXCLUDED.secret, last_step = 0,
			created_at = EXCLUDED.created_at
		WHERE totps.confirmed_at IS NULL`,
		t.UserID, t.Sealed, t.CreatedAt.UnixMilli())
	if err != nil {
		return translate(err)
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	return ErrTaken
}

// ConfirmTOTP confirms the authenticator of a user by the code of a step, and
// with it the recovery codes that are pending; it says whether this call was
// the one to do so.
func (tx *Tx) ConfirmTOTP(ctx context.Context, userID string, step int64, now time.Time) (bool, error) {
	tx.change(mfaKey, userID)
	confirmed, err := tx.stepTOTP(ctx, "confirmed_at = ?, last_step = ? WHERE user_id = ? AND confirmed_at IS NULL",
		At(now).UnixMilli(), step, userID)
	if err != nil || !confirmed {
		return false, err
	}
	return true, tx.confirmRecoveryCodes(ctx, userID)
}

// UseTOTP notes that the code of a step was used to sign in; it says whether
// this call was the one to do so: no step is used twice, and none before one
// that was.
func (tx *Tx) UseTOTP(ctx context.Context, userID string, step int64) (bool, error) {
	return tx.stepTOTP(ctx, "last_step = ? WHERE user_id = ? AND confirmed_at IS NOT NULL AND last_step < ?",
		step, userID, step)
}

func (tx *Tx) stepTOTP(ctx context.Context, change string, args ...any) (bool, error) {
	res, err := tx.conn.hot(ctx, "UPDATE totps SET "+change, args...)
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// DeleteTOTP deletes the authenticator of a user; it says whether there was one.
func (tx *Tx) DeleteTOTP(ctx context.Context, userID string) (bool, error) {
	tx.change(mfaKey, userID)
	n, err := remove[TOTP](ctx, tx, "user_id = ?", userID)
	return n > 0, err
}

func totpCell(userID string) string { return "totps.secret." + userID }
