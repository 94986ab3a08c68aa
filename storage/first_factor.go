package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// FirstFactor is a sign-in that has proved one factor and still needs the
// other. Whoever holds its secret may try; it opens nothing else.
type FirstFactor struct {
	bun.BaseModel `bun:"table:first_factors"`
	Hash          string `bun:",pk"` // [Hash] of the secret
	UserID        string
	FlowID        Ref    // the flow it goes on with
	Kind          string // of the session it becomes
	Methods       Words  // what was proved, as in RFC 8176
	Remember      bool
	// PasswordChangedAt tells the password that was proved from later ones.
	PasswordChangedAt Time
	Guesses           int64 // how often the other factor was tried
	CreatedAt         Time
	ExpiresAt         Time
}

// FirstFactor returns the sign-in with the hash of a secret.
func (r Reader) FirstFactor(ctx context.Context, hash string) (*FirstFactor, error) {
	return find[FirstFactor](ctx, r, "hash = ?", hash)
}

// InsertFirstFactor adds a sign-in that needs its second factor.
func (tx *Tx) InsertFirstFactor(ctx context.Context, f *FirstFactor) error { return insert(ctx, tx, f) }

// UseGuess counts a guess of the second factor; it says whether one was left
// of most at now.
func (tx *Tx) UseGuess(ctx context.Context, hash string, most int64, now time.Time) (bool, error) {
	res, err := tx.conn.hot(ctx, `UPDATE first_factors SET guesses = guesses + 1
		WHERE hash = ? AND guesses < ? AND expires_at > ?`, hash, most, At(now).UnixMilli())
	if err != nil {
		return false, translate(err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// TakeFirstFactor deletes a sign-in; [ErrNotFound] says that someone else was first.
func (tx *Tx) TakeFirstFactor(ctx context.Context, hash string) error {
	n, err := remove[FirstFactor](ctx, tx, "hash = ?", hash)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
