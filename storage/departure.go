package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Departure is someone who was sent to a provider and has not come back, or who
// came back and has not said yet how to go on.
type Departure struct {
	bun.BaseModel `bun:"table:departures"`
	Hash          string `bun:",pk"` // [Hash] of the state, or of what follows it
	ProviderID    string
	BrowserHash   string // [Hash] of the cookie of the browser
	FlowID        Ref    // the sign-in it belongs to
	SessionID     Ref    // of who wants to link
	Purpose       string // what for, in the words of who keeps it
	Kind          string // of the session it becomes
	SealedDetails string
	Details       string `bun:"-"` // nonce, verifier and so on; sealed in the database
	Network       string // of a stranger, "" of who has proved who they are
	CreatedAt     Time
	ExpiresAt     Time
}

// Departure returns the departure with the hash of a state, in whatever state.
func (r Reader) Departure(ctx context.Context, hash string) (*Departure, error) {
	return r.openDeparture(find[Departure](ctx, r, "hash = ?", hash))
}

func (r Reader) openDeparture(d *Departure, err error) (*Departure, error) {
	if err != nil {
		return nil, err
	}
	details, err := r.seals.open("departures.details."+d.Hash, d.SealedDetails)
	d.Details = string(details)
	return d, err
}

// InsertDeparture adds a departure.
func (tx *Tx) InsertDeparture(ctx context.Context, d *Departure) error {
	d.SealedDetails = tx.seals.seal("departures.details."+d.Hash, []byte(d.Details))
	return insert(ctx, tx, d)
}

// TakeDeparture uses up the departure of a browser that has not expired at now;
// [ErrNotFound] says that there is none, or that someone else was first.
func (tx *Tx) TakeDeparture(ctx context.Context, hash, browserHash string, now time.Time) (*Departure, error) {
	d, err := tx.openDeparture(find[Departure](ctx, tx.Reader, "hash = ?", hash))
	if err != nil {
		return nil, err
	}
	n, err := remove[Departure](ctx, tx, "hash = ? AND browser_hash = ? AND expires_at > ?",
		hash, browserHash, At(now).UnixMilli())
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return d, err
}
