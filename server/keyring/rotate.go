package keyring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// When keys change, unless [Ring.Schedule] says otherwise.
const (
	RotateEvery = 90 * 24 * time.Hour
	PublishFor  = 24 * time.Hour
)

// hearsay is how long other nodes may take to hear of a key: so long one that is needed at
// once is published before it signs, where there may be others.
const hearsay = 2 * time.Second

// slack is added to how long a token lives, for clocks that differ.
const slack = 5 * time.Minute

// What is refused.
var (
	ErrNoKey   = fault.New(fault.NotFound, "key_not_found", "There is no key with this id.")
	ErrSigning = fault.New(fault.Conflict, "key_signs", "This key signs tokens: rotate the keys of its algorithm first.")
	ErrComing  = fault.New(fault.Conflict, "key_published", "The next key is published already, and will sign when its time has come.")
)

// errElsewhere says that another node has made the change.
var errElsewhere = errors.New("keyring: another node was first")

// Schedule has keys replaced after they have signed for every, or never if it
// is 0, and published for publishFor before. It is called before the ring is used.
func (r *Ring) Schedule(every, publishFor time.Duration) { r.every, r.publishFor = every, publishFor }

// phases are the keys of an algorithm.
type phases struct {
	published, signing *storage.Key // nil for none
	retired            []*storage.Key
}

func phasesOf(keys []storage.Key, alg string) (p phases) {
	for i := range keys {
		k := &keys[i]
		switch {
		case k.Algorithm != alg:
		case k.State == storage.PublishedKey:
			p.published = k
		case k.State == storage.SigningKey:
			p.signing = k
		default:
			p.retired = append(p.retired, k)
		}
	}
	return p
}

// Turn is [Ring.Advance] now, for a job; what fails is logged.
func (r *Ring) Turn(ctx context.Context) {
	if err := r.Advance(ctx, steady.Now()); err != nil && ctx.Err() == nil {
		slog.ErrorContext(ctx, "signing keys not rotated, trying again in a minute", "err", err)
	}
}

// Advance takes every key whose time has come at now to its next phase, and makes
// what is missing. Many nodes may do so at once: each change is made once.
func (r *Ring) Advance(ctx context.Context, now time.Time) error {
	keys, err := r.db.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	longest, err := r.db.LongestToken(ctx)
	if err != nil {
		return fmt.Errorf("look up how long tokens live: %w", err)
	}
	var failed error
	for _, alg := range Algorithms {
		err := r.advance(ctx, alg, phasesOf(keys, alg), longest, now)
		if err != nil && !errors.Is(err, errElsewhere) && !errors.Is(err, storage.ErrTaken) {
			failed = errors.Join(failed, fmt.Errorf("rotate the keys for %s: %w", alg, err))
		}
	}
	return failed
}

func (r *Ring) advance(ctx context.Context, alg string, p phases, longest storage.Seconds, now time.Time) error {
	for _, k := range p.retired {
		if !now.Before(k.EndsAt.Time) {
			if err := r.end(ctx, audit.Server(), now, k.ID, "expired"); err != nil {
				return err
			}
		}
	}
	if p.signing == nil {
		return r.makeFirst(ctx, alg)
	}
	r.arrive(alg)
	if p.signing.Longest < longest {
		err := r.db.Update(ctx, func(tx *storage.Tx) error { return tx.StretchKey(ctx, p.signing.ID, longest) })
		if err != nil {
			return err
		}
	}
	switch {
	case p.published != nil && !now.Before(p.published.SignsAt.Time):
		return r.db.Update(ctx, func(tx *storage.Tx) error {
			return r.promote(ctx, tx, audit.Server(), now, alg, p.published.ID, "scheduled")
		})
	case p.published == nil && r.every > 0 && !now.Before(p.signing.SignsAt.Add(r.every-r.publishFor)):
		return r.publish(ctx, alg, now)
	}
	return nil
}

// publish makes the key that signs next.
func (r *Ring) publish(ctx context.Context, alg string, now time.Time) error {
	k, err := newKey(alg)
	if err != nil {
		return err
	}
	r.plan(k, now)
	return r.db.Update(ctx, func(tx *storage.Tx) error { return insert(ctx, tx, audit.Server(), now, k) })
}

// plan has a new key published at now.
func (r *Ring) plan(k *storage.Key, now time.Time) {
	k.State, k.SignsAt = storage.PublishedKey, storage.At(now.Add(r.publishFor))
	k.CreatedAt, k.UpdatedAt = storage.At(now), storage.At(now)
}

// promote has the published key of an algorithm sign, and retires the one that
// signed, in tx. errElsewhere if it is not published any more.
func (r *Ring) promote(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, alg, id, reason string,
) error {
	if err := r.retireSigning(ctx, tx, by, now, alg, reason); err != nil {
		return err
	}
	used, err := tx.UseKey(ctx, id, now)
	if err != nil {
		return err
	}
	if !used {
		return errElsewhere
	}
	return audit.Record(ctx, tx, by, now, event("key.activate", &storage.Key{ID: id, Algorithm: alg}, reason))
}

// retireSigning has the key that signs for an algorithm, if there is one, sign
// no longer. It stays for as long as anything that it signed may live.
func (r *Ring) retireSigning(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, alg, reason string,
) error {
	keys, err := tx.Keys(ctx)
	if err != nil {
		return err
	}
	k := phasesOf(keys, alg).signing
	if k == nil {
		return nil
	}
	longest, err := tx.LongestToken(ctx)
	if err != nil {
		return err
	}
	stay := max(r.publishFor, max(longest, k.Longest).Duration()+slack)
	retired, err := tx.RetireKey(ctx, k.ID, now, now.Add(stay))
	if err != nil {
		return err
	}
	if !retired {
		return errElsewhere
	}
	return audit.Record(ctx, tx, by, now, event("key.retire", k, reason))
}

// end deletes a key that does not sign.
func (r *Ring) end(ctx context.Context, by audit.Actor, now time.Time, id, reason string) error {
	return r.db.Update(ctx, func(tx *storage.Tx) error {
		keys, err := tx.Keys(ctx)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(keys, func(k storage.Key) bool { return k.ID == id })
		if at < 0 {
			return errElsewhere
		}
		return endIn(ctx, tx, by, now, &keys[at], reason)
	})
}

func endIn(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, k *storage.Key, reason string) error {
	deleted, err := tx.DeleteKey(ctx, k.ID)
	if err != nil {
		return err
	}
	if !deleted {
		return errElsewhere
	}
	return audit.Record(ctx, tx, by, now, event("key.delete", k, reason))
}

// Rotate publishes, for who administers the server, a new key for an algorithm,
// or for each if alg is "", and returns the new ones. They sign when they have been
// published for long enough, or at once if they are needed at once: then whoever
// has cached the keys meets an unknown one. Other nodes have heard of it before it
// signs, which takes two seconds on PostgreSQL. [ErrComing] if a new one is published
// already.
func (r *Ring) Rotate(ctx context.Context, by audit.Actor, alg string, atOnce bool) ([]Info, error) {
	if err := mayAdminister(ctx, r.db.Reader, by); err != nil {
		return nil, err
	}
	algs := Algorithms
	if alg != "" {
		algs = []string{alg}
	}
	if alg != "" && !slices.Contains(Algorithms, alg) {
		return nil, fault.Field("algorithm", "Must be one of: "+strings.Join(Algorithms, ", ")+".")
	}
	fresh := make([]*storage.Key, len(algs))
	for i, alg := range algs {
		var err error
		if fresh[i], err = newKey(alg); err != nil {
			return nil, err
		}
	}
	added, err := r.add(ctx, by, fresh, atOnce)
	if err != nil || !atOnce || r.hearsay == 0 {
		return added, err
	}
	if err := r.signSoon(context.WithoutCancel(ctx), by, added); err != nil {
		return nil, err
	}
	return added, nil
}

// signSoon has new keys sign once other nodes have heard of them. [ErrComing] if another
// rotation has put others in their place meanwhile.
func (r *Ring) signSoon(ctx context.Context, by audit.Actor, fresh []Info) error {
	<-time.After(r.hearsay)
	now := steady.Now()
	err := r.db.Update(ctx, func(tx *storage.Tx) error {
		for i := range fresh {
			if k := &fresh[i]; k.State == storage.PublishedKey {
				if err := r.promote(ctx, tx, by, now, k.Algorithm, k.ID, "replaced"); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if errors.Is(err, errElsewhere) {
		return ErrComing
	}
	for i := range fresh {
		if k := &fresh[i]; err == nil && k.State == storage.PublishedKey {
			k.State, k.SignsAt = storage.SigningKey, now
		}
	}
	return err
}

// add stores new keys. Where one is published already another is not needed.
func (r *Ring) add(ctx context.Context, by audit.Actor, fresh []*storage.Key, atOnce bool) ([]Info, error) {
	now := steady.Now()
	var out []Info
	err := r.db.Update(ctx, func(tx *storage.Tx) error {
		out = nil
		if err := mayAdminister(ctx, tx.Reader, by); err != nil {
			return err
		}
		for _, k := range fresh {
			added, err := r.addIn(ctx, tx, by, now, k, atOnce)
			if err != nil {
				return err
			}
			if added {
				out = append(out, infoOf(k, k.ID))
			}
		}
		if len(out) == 0 {
			return ErrComing
		}
		return nil
	})
	if errors.Is(err, storage.ErrTaken) || errors.Is(err, errElsewhere) {
		return nil, ErrComing // at the same moment
	}
	if err != nil {
		return nil, err
	}
	for _, k := range out {
		if k.State == storage.SigningKey {
			r.arrive(k.Algorithm)
		}
	}
	return out, nil
}

// addIn adds a new key in tx; it says whether one was needed.
func (r *Ring) addIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, k *storage.Key, atOnce bool,
) (bool, error) {
	keys, err := tx.Keys(ctx)
	if err != nil {
		return false, err
	}
	r.plan(k, now)
	p := phasesOf(keys, k.Algorithm)
	switch {
	case p.signing == nil, atOnce && r.hearsay == 0:
		k.State, k.SignsAt = storage.SigningKey, storage.At(now)
	case atOnce:
		k.SignsAt = storage.At(now.Add(10 * r.hearsay)) // if this process has ended by then
	}
	switch {
	case p.published != nil && !atOnce && k.State == storage.PublishedKey:
		return false, nil
	case p.published != nil: // it may have leaked, too
		if err := endIn(ctx, tx, by, now, p.published, "replaced"); err != nil {
			return false, err
		}
	}
	if k.State == storage.SigningKey {
		if err := r.retireSigning(ctx, tx, by, now, k.Algorithm, "replaced"); err != nil {
			return false, err
		}
	}
	return true, insert(ctx, tx, by, now, k)
}

// Retire takes, for who administers the server, a key out of the published ones
// at once: whatever it signed is refused from then on. [ErrSigning] for one that
// signs, [ErrNoKey] if there is none.
func (r *Ring) Retire(ctx context.Context, by audit.Actor, id string) error {
	now := steady.Now()
	return r.db.Update(ctx, func(tx *storage.Tx) error {
		if err := mayAdminister(ctx, tx.Reader, by); err != nil {
			return err
		}
		keys, err := tx.Keys(ctx)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(keys, func(k storage.Key) bool { return k.ID == id })
		switch {
		case at < 0:
			return ErrNoKey
		case keys[at].State == storage.SigningKey:
			return ErrSigning
		}
		if err := endIn(ctx, tx, by, now, &keys[at], "by_hand"); !errors.Is(err, errElsewhere) {
			return err
		}
		return ErrNoKey
	})
}
