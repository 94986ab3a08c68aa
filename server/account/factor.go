package account

import (
	"context"

	"authy/storage"
)

// Factors are the second factors of a user.
type Factors struct {
	TOTP bool // an authenticator that is confirmed
}

// Any says whether there is a second factor at all.
func (f Factors) Any() bool { return f.TOTP }

// FactorsOf returns the second factors of a user.
func FactorsOf(ctx context.Context, r storage.Reader, userID string) (f Factors, err error) {
	f.TOTP, err = hasTOTP(ctx, r, userID)
	return f, err
}
