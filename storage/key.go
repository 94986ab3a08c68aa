package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// States of a key: at most one per algorithm signs.
const (
	SigningKey = "signing"
	RetiredKey = "retired"
)

// Key is a key pair that signs tokens.
type Key struct {
	bun.BaseModel `bun:"table:keys"`
	ID            string `bun:",pk"` // the JWK thumbprint, RFC 7638
	Algorithm     string // as in RFC 7518: RS256, ES256
	State         string
	Sealed        string `bun:"private"`
	Private       []byte `bun:"-"` // PKCS #8; sealed in the database
	CreatedAt     Time
	UpdatedAt     Time
}

// Keys returns every key, the oldest first.
func (r Reader) Keys(ctx context.Context) ([]Key, error) {
	return cached(r, keysKey, "", func() ([]Key, error) {
		keys, err := list[Key](ctx, r, "created_at, id", "TRUE")
		if err != nil {
			return nil, err
		}
		for i := range keys {
			keys[i].Private, err = r.seals.open(keyCell(keys[i].ID), keys[i].Sealed)
			if err != nil {
				return nil, err
			}
		}
		return keys, nil
	})
}

// InsertKey adds a key, sealed; [ErrTaken] says that another key signs with
// the algorithm.
func (tx *Tx) InsertKey(ctx context.Context, k *Key) error {
	k.Sealed = tx.seals.seal(keyCell(k.ID), k.Private)
	tx.changed = append(tx.changed, keysKey)
	return insert(ctx, tx, k)
}

func keyCell(id string) string { return "keys.private." + id }
