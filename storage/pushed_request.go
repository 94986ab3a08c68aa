package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// PushedRequest is an authorization request that a client has sent ahead of its user.
type PushedRequest struct {
	bun.BaseModel `bun:"table:pushed_requests"`
	Hash          string `bun:",pk"` // [Hash] of the reference that the client was given
	ClientID      string
	Request       string // what was asked, in the words of who keeps it
	Network       string // of a client that anyone can speak for, "" of one that has proved who it is
	ExpiresAt     Time
}

// InsertPushedRequest adds a pushed request.
func (tx *Tx) InsertPushedRequest(ctx context.Context, r *PushedRequest) error {
	_, err := tx.conn.hot(ctx, "INSERT INTO pushed_requests (hash, client_id, request, network, expires_at) VALUES (?, ?, ?, ?, ?)",
		r.Hash, r.ClientID, r.Request, r.Network, r.ExpiresAt.UnixMilli())
	return translate(err)
}

// TakePushedRequest uses up a pushed request of a client, and returns what was asked;
// [ErrNotFound] says that the client has none with the hash, that it was used, or that it
// has expired at now.
func (tx *Tx) TakePushedRequest(ctx context.Context, hash, clientID string, now time.Time) (request string, err error) {
	err = tx.conn.hotRow(ctx,
		"DELETE FROM pushed_requests WHERE hash = ? AND client_id = ? AND expires_at > ? RETURNING request",
		hash, clientID, At(now).UnixMilli()).Scan(&request)
	return request, translate(err)
}
