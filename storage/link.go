package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// The purposes of links.
const (
	SetupLink       = "setup"          // makes the first administrator
	ResetLink       = "reset_password" // chooses a new password
	VerifyLink      = "verify_email"   // shows that an address is the user's
	ChangeEmailLink = "change_email"   // shows it of one that they want
	RegisterLink    = "register"       // makes the account that was asked for
)

// Link is a secret that opens one door once.
type Link struct {
	bun.BaseModel `bun:"table:links"`
	Hash          string `bun:",pk"` // [Hash] of the secret
	Purpose       string
	UserID        Ref
	Email         string // that it was sent to, normalized; "" for one that was not mailed
	Sealed        string `bun:"data"`
	Data          []byte `bun:"-"` // what it completes, sealed in the database; nil for most
	Network       string // of a stranger who asked for it, "" if it is of a user
	CreatedAt     Time
	ExpiresAt     Time
}

// Link returns the link with a hash and a purpose.
func (r Reader) Link(ctx context.Context, purpose, hash string) (*Link, error) {
	l, err := find[Link](ctx, r, "hash = ? AND purpose = ?", hash, purpose)
	if err != nil || l.Sealed == "" {
		return l, err
	}
	l.Data, err = r.seals.open(linkCell(hash), l.Sealed)
	return l, err
}

// InsertLink adds a link.
func (tx *Tx) InsertLink(ctx context.Context, l *Link) error {
	if l.Data != nil {
		l.Sealed = tx.seals.seal(linkCell(l.Hash), l.Data)
	}
	return insert(ctx, tx, l)
}

// DeleteLinks deletes every link of a purpose.
func (tx *Tx) DeleteLinks(ctx context.Context, purpose string) error {
	_, err := remove[Link](ctx, tx, "purpose = ?", purpose)
	return err
}

// DeleteLinksOf deletes every link of a purpose that a user has.
func (tx *Tx) DeleteLinksOf(ctx context.Context, userID, purpose string) error {
	_, err := remove[Link](ctx, tx, "user_id = ? AND purpose = ?", userID, purpose)
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

func linkCell(hash string) string { return "links.data." + hash }
