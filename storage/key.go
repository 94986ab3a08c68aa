package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// States of a key, in their order; one that has ended is deleted. At most one
// per algorithm is published, and one signs.
const (
	PublishedKey = "published" // can be verified with, does not sign yet
	SigningKey   = "signing"
	RetiredKey   = "retired" // can be verified with still
)

// Key is a key pair that signs tokens.
type Key struct {
	bun.BaseModel `bun:"table:keys"`
	ID            string `bun:",pk"` // the JWK thumbprint, RFC 7638
	Algorithm     string // as in RFC 7518: RS256, ES256
	State         string
	Sealed        string  `bun:"private"`
	Private       []byte  `bun:"-"` // PKCS #8; sealed in the database
	Longest       Seconds // how long a token lives that it may have signed
	SignsAt       Time    // when it began to sign, or will
	EndsAt        Time    // when a retired one is deleted
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

// LongestToken returns how long the longest access or ID token of any client
// lives.
func (r Reader) LongestToken(ctx context.Context) (Seconds, error) {
	var access, id int64
	err := r.conn.hotRow(ctx, `SELECT COALESCE((SELECT MAX(access_token_lifetime) FROM clients), 0),
		COALESCE((SELECT MAX(id_token_lifetime) FROM clients), 0)`).Scan(&access, &id)
	return Seconds(max(access, id)), translate(err)
}

// InsertKey adds a key, sealed; [ErrTaken] says that another key of the
// algorithm signs, or is published, as it would.
func (tx *Tx) InsertKey(ctx context.Context, k *Key) error {
	k.Sealed = tx.seals.seal(keyCell(k.ID), k.Private)
	tx.changed = append(tx.changed, keysKey)
	return insert(ctx, tx, k)
}

// UseKey has a published key sign from now on; it says whether this was the
// change. No other key of the algorithm may sign.
func (tx *Tx) UseKey(ctx context.Context, id string, now time.Time) (bool, error) {
	return tx.turnKey(ctx, "UPDATE keys SET state = 'signing', signs_at = ?, updated_at = ? WHERE id = ? AND state = 'published'",
		At(now).UnixMilli(), At(now).UnixMilli(), id)
}

// RetireKey has a key sign no longer, and end later; it says whether this was
// the change.
func (tx *Tx) RetireKey(ctx context.Context, id string, now, end time.Time) (bool, error) {
	return tx.turnKey(ctx, "UPDATE keys SET state = 'retired', ends_at = ?, updated_at = ? WHERE id = ? AND state = 'signing'",
		At(end).UnixMilli(), At(now).UnixMilli(), id)
}

// StretchKey notes how long a token lives that a key may sign, if that is
// longer than any before.
func (tx *Tx) StretchKey(ctx context.Context, id string, longest Seconds) error {
	_, err := tx.turnKey(ctx, "UPDATE keys SET longest = ? WHERE id = ? AND longest < ?", int64(longest), id, int64(longest))
	return err
}

// DeleteKey deletes a key that does not sign; it says whether this was the
// change.
func (tx *Tx) DeleteKey(ctx context.Context, id string) (bool, error) {
	return tx.turnKey(ctx, "DELETE FROM keys WHERE id = ? AND state <> 'signing'", id)
}

func (tx *Tx) turnKey(ctx context.Context, statement string, args ...any) (bool, error) {
	res, err := tx.conn.hot(ctx, statement, args...)
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	if n > 0 {
		tx.changed = append(tx.changed, keysKey)
	}
	return n > 0, err
}

func keyCell(id string) string { return "keys.private." + id }
