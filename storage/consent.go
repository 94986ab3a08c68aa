package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// Consent is what a user lets a client have, asked once and remembered.
type Consent struct {
	bun.BaseModel `bun:"table:consents"`
	UserID        string `bun:",pk"`
	ClientID      string `bun:",pk"` // the client's row
	Scopes        Words
	CreatedAt     Time
	UpdatedAt     Time
}

// Consent returns what a user lets a client (by its row) have.
func (r Reader) Consent(ctx context.Context, userID, client string) (*Consent, error) {
	return find[Consent](ctx, r, "user_id = ? AND client_id = ?", userID, client)
}

// Consents returns what a user lets clients have, the oldest first.
func (r Reader) Consents(ctx context.Context, userID string) ([]Consent, error) {
	return list[Consent](ctx, r, "created_at", "user_id = ?", userID)
}

// SaveConsent sets what a user lets a client have.
func (tx *Tx) SaveConsent(ctx context.Context, c *Consent) error {
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(c).
		On("CONFLICT (user_id, client_id) DO UPDATE").
		Set("scopes = EXCLUDED.scopes").Set("updated_at = EXCLUDED.updated_at").Exec(ctx)
	return translate(err)
}

// DeleteConsent deletes what a user lets a client have. [ErrNotFound] if that is
// nothing.
func (tx *Tx) DeleteConsent(ctx context.Context, userID, client string) error {
	n, err := remove[Consent](ctx, tx, "user_id = ? AND client_id = ?", userID, client)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
