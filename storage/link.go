package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// SetupLink is the purpose of a link that makes the first administrator.
const SetupLink = "setup"

// Link is a secret that opens one door once.
type Link struct {
	bun.BaseModel `bun:"table:links"`
	Hash          string `bun:",pk"` // [Hash] of the secret
	Purpose       string
	UserID        Ref
	CreatedAt     Time
	ExpiresAt     Time
}

// Link returns the link with a hash and a purpose.
func (r Reader) Link(ctx context.Context, purpose, hash string) (*Link, error) {
	return find[Link](ctx, r, "hash = ? AND purpose = ?", hash, purpose)
}

// InsertLink adds a link.
func (tx *Tx) InsertLink(ctx context.Context, l *Link) error { return insert(ctx, tx, l) }

// DeleteLinks deletes every link of a purpose.
func (tx *Tx) DeleteLinks(ctx context.Context, purpose string) error {
	_, err := remove[Link](ctx, tx, "purpose = ?", purpose)
	return err
}

// TakeLink uses a link up; [ErrNotFound] says that there is none, that it was
// used, or that it has expired at now.
func (tx *Tx) TakeLink(ctx context.Context, purpose, hash string, now time.Time) error {
	n, err := remove[Link](ctx, tx, "hash = ? AND purpose = ? AND expires_at > ?", hash, purpose, At(now))
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
