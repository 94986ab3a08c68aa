package account

import (
	"context"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/logout"
	"authy/storage"
)

// Factors are the second factors of a user.
type Factors struct {
	TOTP     bool // an authenticator that is confirmed
	Passkeys bool // at least one
}

// Any says whether there is a second factor at all.
func (f Factors) Any() bool { return f.TOTP || f.Passkeys }

// FactorsOf returns the second factors of a user.
func FactorsOf(ctx context.Context, r storage.Reader, userID string) (f Factors, err error) {
	if f.TOTP, err = hasTOTP(ctx, r, userID); err != nil {
		return f, err
	}
	n, err := r.CountPasskeys(ctx, userID)
	if err != nil {
		return f, fmt.Errorf("count the passkeys of %s: %w", userID, err)
	}
	f.Passkeys = n > 0
	return f, nil
}

// Safety is how well the account of a user is kept.
type Safety struct {
	Factors
	PasswordSince time.Time // zero if there is no password
	RecoveryCodes int       // how many are left
}

// Safety returns how well the account of a user is kept.
func (s *Service) Safety(ctx context.Context, userID string) (out Safety, err error) {
	if out.Factors, err = FactorsOf(ctx, s.db.Reader, userID); err != nil {
		return out, err
	}
	since, err := s.db.PasswordChangedAt(ctx, userID)
	if err != nil {
		return out, fmt.Errorf("look for the password of %s: %w", userID, err)
	}
	out.PasswordSince = since.Time
	out.RecoveryCodes, err = s.RecoveryCodesLeft(ctx, userID)
	return out, err
}

// dropRecoveryCodes takes the recovery codes of a user away, in tx, who has no
// second factor left that they could stand in for.
func dropRecoveryCodes(ctx context.Context, tx *storage.Tx, userID string) error {
	left, err := FactorsOf(ctx, tx.Reader, userID)
	if err != nil || left.Any() {
		return err
	}
	if err := tx.SaveRecoveryCodes(ctx, userID, false, nil); err != nil {
		return fmt.Errorf("drop the recovery codes of %s: %w", userID, err)
	}
	return nil
}

// reset has remove take something away from a user who has lost it, on behalf
// of an operator, and signs them out everywhere.
func (s *Service) reset(
	ctx context.Context, by audit.Actor, userID string, remove func(tx *storage.Tx, now time.Time) error,
) error {
	if err := s.mayAdminister(ctx, by); err != nil {
		return err
	}
	return s.withUser(ctx, userID, func(tx *storage.Tx, user *User, now time.Time) error {
		if err := signOut(ctx, tx, now, user); err != nil {
			return err
		}
		return remove(tx, now)
	})
}

// signOut ends every session and grant of a user, and keeps what else of the
// record was changed.
func signOut(ctx context.Context, tx *storage.Tx, now time.Time, user *storage.User) error {
	user.UpdatedAt = storage.At(now)
	if err := tx.SaveUser(ctx, user); err != nil {
		return fmt.Errorf("sign %s out: %w", user.ID, err)
	}
	return logout.Everywhere(ctx, tx, now, user)
}
