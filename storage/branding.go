package storage

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
)

// Unbranded is what a server is called that nobody has named.
const Unbranded = "authy"

// brandingID is the id of the one row.
const brandingID = "server"

// Branding is what the server is called and how it looks.
type Branding struct {
	bun.BaseModel `bun:"table:brandings"`
	ID            string `bun:",pk"`
	Name          string // never ""
	// AccentLight and AccentDark are colours, #rrggbb; "" for authy's own, or for one
	// that follows from the light one.
	AccentLight, AccentDark string
	Encoded                 string `bun:"logo"` // base64
	Logo                    []byte `bun:"-"`    // PNG, nil for none
	UpdatedAt               Time   // zero if nobody has chosen anything
}

// Branding returns what the server is called and how it looks, by default as nobody
// has chosen anything.
func (r Reader) Branding(ctx context.Context) (*Branding, error) {
	return cached(r, brandingKey, "", func() (*Branding, error) {
		b, err := find[Branding](ctx, r, "id = ?", brandingID)
		if errors.Is(err, ErrNotFound) {
			return &Branding{Name: Unbranded}, nil
		}
		if err != nil || b.Encoded == "" {
			return b, err
		}
		if b.Logo, err = base64.StdEncoding.DecodeString(b.Encoded); err != nil {
			return nil, fmt.Errorf("decode the logo: %w", err)
		}
		return b, nil
	})
}

// SaveBranding keeps b in the place of what was there.
func (tx *Tx) SaveBranding(ctx context.Context, b *Branding) error {
	b.ID, b.Encoded = brandingID, base64.StdEncoding.EncodeToString(b.Logo)
	tx.changed = append(tx.changed, brandingKey)
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(b).On("CONFLICT (id) DO UPDATE").
		Set("name = EXCLUDED.name, accent_light = EXCLUDED.accent_light, accent_dark = EXCLUDED.accent_dark").
		Set("logo = EXCLUDED.logo, updated_at = EXCLUDED.updated_at").Exec(ctx)
	return translate(err)
}

// DeleteBranding forgets what was chosen; it says whether there was anything.
func (tx *Tx) DeleteBranding(ctx context.Context) (bool, error) {
	tx.changed = append(tx.changed, brandingKey)
	return tx.one(ctx, "DELETE FROM brandings WHERE id = ?", brandingID)
}
