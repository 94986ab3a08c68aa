package storage

import (
	"context"

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

// SavePassword sets the password of a user, whether there was one or not.
func (tx *Tx) SavePassword(ctx context.Context, p *Password) error {
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(p).
		On("CONFLICT (user_id) DO UPDATE").
		Set("hash = EXCLUDED.hash").Set("changed_at = EXCLUDED.changed_at").Exec(ctx)
	return translate(err)
}
