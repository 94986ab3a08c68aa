package keyring

import (
	"context"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// ErrForbidden is the answer to who does not administer the server.
var ErrForbidden = fault.New(fault.Forbidden, "forbidden", "You may not do this.")

// Info is what can be told of a signing key.
type Info struct {
	ID         string // the kid in tokens
	Algorithm  string // RFC 7518
	State      string // published, signing or retired
	Thumbprint string // of the public key: RFC 7638, SHA-256
	SignsAt    time.Time
	EndsAt     time.Time // when a retired one goes; zero for others
	NextAt     time.Time // when another signs in the place of one that does; zero for never
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

func infoOf(k *storage.Key, print string) Info {
	return Info{
		ID: k.ID, Algorithm: k.Algorithm, State: k.State, Thumbprint: print,
		SignsAt: k.SignsAt.Time, EndsAt: k.EndsAt.Time, CreatedAt: k.CreatedAt.Time, UpdatedAt: k.UpdatedAt.Time,
	}
}

// List returns to who administers the server every signing key, the oldest
// first, without what is private.
func (r *Ring) List(ctx context.Context, by audit.Actor) ([]Info, error) {
	if err := mayAdminister(ctx, r.db.Reader, by); err != nil {
		return nil, err
	}
	stored, err := r.db.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	out := make([]Info, len(stored))
	for i := range stored {
		private, err := parsePrivate(stored[i].Private)
		if err != nil {
			return nil, fmt.Errorf("parse key %s: %w", stored[i].ID, err)
		}
		print, err := thumbprint(private)
		if err != nil {
			return nil, fmt.Errorf("thumbprint of key %s: %w", stored[i].ID, err)
		}
		out[i] = infoOf(&stored[i], print)
		if stored[i].State == storage.SigningKey {
			out[i].NextAt = r.nextAt(stored, &stored[i])
		}
	}
	return out, nil
}

// nextAt is when another key signs in the place of k, which does; zero for never.
func (r *Ring) nextAt(keys []storage.Key, k *storage.Key) time.Time {
	next := phasesOf(keys, k.Algorithm).published
	switch {
	case next != nil:
		return next.SignsAt.Time
	case r.every == 0:
		return time.Time{}
	}
	return k.SignsAt.Add(r.every)
}

func mayAdminister(ctx context.Context, r storage.Reader, by audit.Actor) error {
	may, err := by.Administers(ctx, r)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}
