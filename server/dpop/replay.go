package dpop

import (
	"context"
	"fmt"
	"time"

	"authy/storage"
	"authy/storage/kv"
)

// replays remembers the proofs that were used, for as long as they could be used
// again. What the store has forgotten, or never knew, is not taken.
type replays struct{ used kv.Store }

// forgot says whether a proof made at a time may have been used without the store
// knowing it.
func (r *replays) forgot(made time.Time) bool { return made.Unix() < r.used.Since().Unix() }

// first says whether the proof of a key with an id is used for the first time.
func (r *replays) first(ctx context.Context, key, id string, keep time.Duration) (bool, error) {
	first, err := r.used.SetIfAbsent(ctx, "dpop:"+storage.Hash(key+"."+id), nil, keep)
	if err != nil {
		return false, fmt.Errorf("remember a proof: %w", err)
	}
	return first, nil
}
