package keyring

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/server/audit"
	"authy/server/steady"
	"authy/storage"
)

// rsaBits is the size of RSA keys (RFC 7518, section 3.3: 2048 at least).
const rsaBits = 2048

// Prepare makes the keys that are missing. An RSA key takes a while to find:
// it is made in the background, and whoever needs it before waits.
func (r *Ring) Prepare(ctx context.Context) error {
	keys, err := r.db.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	var slow []string
	for _, alg := range Algorithms {
		switch {
		case phasesOf(keys, alg).signing != nil:
			r.arrive(alg)
		case alg == RS256 || alg == PS256:
			slow = append(slow, alg)
		default:
			if err := r.makeFirst(ctx, alg); err != nil {
				return err
			}
		}
	}
	if len(slow) > 0 {
		go r.makeSlowly(ctx, slow)
	}
	return nil
}

// makeSlowly makes keys one after another. One that cannot be made
// [Ring.Advance] tries to make again.
func (r *Ring) makeSlowly(ctx context.Context, algs []string) {
	for _, alg := range algs {
		err := r.makeFirst(context.WithoutCancel(ctx), alg)
		if err != nil && ctx.Err() != nil {
			return // the server is stopping, and the next start makes the key
		}
		if err != nil {
			slog.ErrorContext(ctx, "no key could be made, trying again in a minute: nothing is signed with it until then",
				"algorithm", alg, "err", err)
		}
	}
}

// Ready says whether tokens can be issued now, those of clients that ask for
// no particular algorithm.
func (r *Ring) Ready(ctx context.Context) error {
	for _, alg := range []string{ES256, RS256} {
		select {
		case <-r.arrived[alg]:
		default:
			return errors.New("the " + alg + " signing key is still being made")
		}
	}
	_, err := r.Set(ctx)
	return err
}

// makeFirst makes the first key of an algorithm, which signs at once. Another
// node may have been quicker: then its key stands.
func (r *Ring) makeFirst(ctx context.Context, alg string) error {
	k, err := newKey(alg)
	if err != nil {
		return err
	}
	now := steady.Now()
	k.State = storage.SigningKey
	k.SignsAt, k.CreatedAt, k.UpdatedAt = storage.At(now), storage.At(now), storage.At(now)
	err = r.db.Update(ctx, func(tx *storage.Tx) error { return insert(ctx, tx, audit.Server(), now, k) })
	if err != nil && !errors.Is(err, storage.ErrTaken) {
		return fmt.Errorf("store the key for %s: %w", alg, err)
	}
	r.arrive(alg)
	return nil
}

// insert adds a key in tx.
func insert(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, k *storage.Key) error {
	if err := tx.InsertKey(ctx, k); err != nil {
		return err
	}
	return audit.Record(ctx, tx, by, now, event("key.create", k, k.State))
}

// event is an event about a key.
func event(action string, k *storage.Key, reason string) audit.Event {
	return audit.Event{
		Action: action, Reason: reason, TargetKind: "key", TargetID: k.ID, Details: map[string]string{"algorithm": k.Algorithm},
	}
}

// newKey makes a key that is in no phase yet. Its id is its thumbprint, and does
// not begin with a hyphen: "authy key retire" would take it for a flag.
func newKey(alg string) (*storage.Key, error) {
	for {
		k, err := drawKey(alg)
		if err != nil {
			return nil, fmt.Errorf("make a key for %s: %w", alg, err)
		}
		if !strings.HasPrefix(k.ID, "-") {
			return k, nil
		}
	}
}

func drawKey(alg string) (*storage.Key, error) {
	private, err := newPrivate(alg)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, err
	}
	print, err := thumbprint(private)
	if err != nil {
		return nil, err
	}
	return &storage.Key{ID: print, Algorithm: alg, Private: der}, nil
}

func newPrivate(alg string) (crypto.Signer, error) {
	switch alg {
	case RS256, PS256:
		return rsa.GenerateKey(rand.Reader, rsaBits)
	case EdDSA:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// thumbprint returns that of the public half of a key (RFC 7638), with SHA-256.
func thumbprint(private crypto.Signer) (string, error) {
	public := jose.JSONWebKey{Key: private.Public()}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}
