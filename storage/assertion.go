package storage

import (
	"context"
	"time"
)

// UseAssertion marks a client assertion as used, by its hash, and keeps that until it
// expires; it says whether this call was the one to do so.
func (tx *Tx) UseAssertion(ctx context.Context, hash string, expires time.Time) (bool, error) {
	return tx.one(ctx, "INSERT INTO assertions (hash, expires_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
		hash, At(expires).UnixMilli())
}

// UseMessage is [Tx.UseAssertion] for a SAML message, by the hash of who sent it
// and its id.
func (tx *Tx) UseMessage(ctx context.Context, hash string, expires time.Time) (bool, error) {
	return tx.UseAssertion(ctx, hash, expires)
}

// UseLogoutToken is [Tx.UseAssertion] for a token by which a provider says that a
// session has ended, by the hash of who sent it and its id.
func (tx *Tx) UseLogoutToken(ctx context.Context, hash string, expires time.Time) (bool, error) {
	return tx.UseAssertion(ctx, hash, expires)
}
