package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// Flow is a sign-in that has begun and not ended. It belongs to the browser
// that began it and, from the moment someone has signed in, to their session.
type Flow struct {
	bun.BaseModel `bun:"table:flows"`
	ID            string `bun:",pk"`
	BrowserHash   string // [Hash] of the cookie of the browser
	SessionID     Ref
	Request       string // what the flow is for, as JSON
	Network       string // that it began in, "" once somebody has proved who they are
	CreatedAt     Time
	ExpiresAt     Time
}

// Flow returns the flow with an id.
func (r Reader) Flow(ctx context.Context, id string) (*Flow, error) {
	return find[Flow](ctx, r, "id = ?", id)
}

// InsertFlow adds a flow.
func (tx *Tx) InsertFlow(ctx context.Context, f *Flow) error { return insert(ctx, tx, f) }

// SaveFlow writes every column of f.
func (tx *Tx) SaveFlow(ctx context.Context, f *Flow) error { return save(ctx, tx, f) }

// TakeFlow deletes a flow; [ErrNotFound] says that someone else was first.
func (tx *Tx) TakeFlow(ctx context.Context, id string) error {
	n, err := remove[Flow](ctx, tx, "id = ?", id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
