package storage

import (
	"context"
	"time"
)

// UseAssertion marks a client assertion as used, by its hash, and keeps that until it
// expires; it says whether this call was the one to do so.
func (tx *Tx) UseAssertion(ctx context.Context, hash string, expires time.Time) (bool, error) {
	res, err := tx.conn.hot(ctx, "INSERT INTO assertions (hash, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
		hash, At(expires).UnixMilli())
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
