package dpop

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"authy/storage"
	"authy/storage/kv"
)

// replays remembers the proofs that were used, for as long as they could be used
// again. They are in the fast copy: all nodes share it where there is Redis. What a
// process that keeps them by itself has forgotten when it begins, it does not take.
type replays struct {
	shared, local kv.Store
	began         time.Time
}

// forgot says whether a proof made at a time may have been used before this process
// began.
func (r *replays) forgot(made time.Time) bool { return made.Unix() < r.began.Unix() }

// first says whether the proof of a key with an id is used for the first time. While
// the shared store is away each node remembers for itself.
func (r *replays) first(ctx context.Context, key, id string, keep time.Duration) (bool, error) {
	name := "dpop:" + storage.Hash(key+"."+id)
	fresh, err := r.shared.SetIfAbsent(ctx, name, []byte{1}, keep)
	if err == nil {
		return fresh, nil
	}
	slog.WarnContext(ctx, "session store away, remembering proofs on this node alone", "err", err)
	if fresh, err = r.local.SetIfAbsent(ctx, name, []byte{1}, keep); err != nil {
		return false, fmt.Errorf("remember a proof: %w", err)
	}
	return fresh, nil
}
