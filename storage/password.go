package storage

import (
	"context"
	"errors"

	"github.com/uptrace/bun"
)

// Password is the hash of a user's password; the hash names its parameters.
type Password struct {
	bun.BaseModel `bun:"table:passwords"`
	UserID        string `bun:",pk"`
	Hash          string
	ChangedAt     Time
}

// Password returns the password of a user.
func (r Reader) Password(ctx context.Context, userID string) (*Password, error) {
	return find[Password](ctx, r, "user_id = ?", userID)
}

// PasswordChangedAt returns when a user's password became what it is; it is
// zero for a user without one.
func (r Reader) PasswordChangedAt(ctx context.Context, userID string) (Time, error) {
	return cached(r, passwordKey, userID, func() (Time, error) {
		p, err := r.Password(ctx, userID)
		if errors.Is(err, ErrNotFound) {
			return Time{}, nil
		}
		if err != nil {
			return Time{}, err
		}
		return p.ChangedAt, nil
	})
}

// SavePassword sets the password of a user, whether there was one or not.
func (tx *Tx) SavePassword(ctx context.Context, p *Password) error {
	tx.change(passwordKey, p.UserID)
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(p).
		On("CONFLICT (user_id) DO UPDATE").
		Set("hash = EXCLUDED.hash").Set("changed_at = EXCLUDED.changed_at").Exec(ctx)
	return translate(err)
}

// DeletePassword takes the password of a user away; it says whether there was one.
func (tx *Tx) DeletePassword(ctx context.Context, userID string) (bool, error) {
	tx.change(passwordKey, userID)
	n, err := remove[Password](ctx, tx, "user_id = ?", userID)
	return n > 0, err
}
