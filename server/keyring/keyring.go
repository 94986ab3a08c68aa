// Package keyring makes and keeps the keys that sign tokens, signs with them and
// verifies what they signed. It refuses to know what a token says.
//
// A key is published, then signs, is published still after that, and goes. Read
// keyring.go, then make.go (the first keys), rotate.go (from phase to phase),
// sign.go and token.go (what keys are for), list.go.
package keyring

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/storage"
)

// The algorithms (RFC 7518, section 3.1; RFC 8037, section 3.1). EdDSA is with
// Ed25519 alone.
const (
	ES256 = "ES256"
	RS256 = "RS256"
	EdDSA = "EdDSA"
	PS256 = "PS256"
)

// Algorithms are those that there are keys for: access tokens are signed with
// ES256, ID tokens with RS256 unless their client wants otherwise. Each has a
// key of its own, the two of RSA as well (RFC 8017, section 8).
var Algorithms = []string{RS256, ES256, EdDSA, PS256}

var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256, jose.EdDSA, jose.PS256}

// Ring holds the keys in the form they are used in. It is parsed anew when the
// stored keys change, by whichever node.
type Ring struct {
	db         *storage.DB
	every      time.Duration // 0 is never
	publishFor time.Duration
	hearsay    time.Duration            // 0 where there is one node
	arrived    map[string]chan struct{} // closed when the algorithm has a key
	current    atomic.Pointer[parsed]
	mu         sync.Mutex // over parsing, and over closing what arrived holds
}

// parsed is a set and what it was parsed from.
type parsed struct {
	set     *Set
	version string
	stored  *storage.Key // the first of the stored keys
}

// New returns the keys that db holds. [Ring.Prepare] must be called before
// anything can be signed.
func New(db *storage.DB) *Ring {
	r := &Ring{db: db, every: RotateEvery, publishFor: PublishFor, arrived: map[string]chan struct{}{}}
	if db.Shared() != nil {
		r.hearsay = hearsay
	}
	for _, alg := range Algorithms {
		r.arrived[alg] = make(chan struct{})
	}
	return r
}

// Set is an immutable set of keys.
type Set struct {
	// JWKS is the document with the public keys (RFC 7517, section 5).
	JWKS []byte

	signers map[string]*signer         // by algorithm
	public  map[string]jose.JSONWebKey // by kid
}

// Set returns the keys as they are now.
func (r *Ring) Set(ctx context.Context) (*Set, error) {
	stored, err := r.db.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	var first *storage.Key
	if len(stored) > 0 {
		first = &stored[0]
	}
	if known := r.current.Load(); known != nil && known.stored == first {
		return known.set, nil // the cache holds what was parsed
	}
	return r.parse(stored, first)
}

// parse returns the set of stored keys: the known one if they are the same.
func (r *Ring) parse(stored []storage.Key, first *storage.Key) (set *Set, err error) {
	var version strings.Builder
	for _, k := range stored {
		version.WriteString(k.ID + k.State + " ")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.current.Load(); known != nil && known.version == version.String() {
		set = known.set
	} else if set, err = parseKeys(stored); err != nil {
		return nil, err
	}
	r.current.Store(&parsed{set, version.String(), first})
	return set, nil
}

func parseKeys(stored []storage.Key) (*Set, error) {
	set := &Set{signers: map[string]*signer{}, public: map[string]jose.JSONWebKey{}}
	published := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range stored {
		private, err := parsePrivate(k.Private)
		if err != nil {
			return nil, fmt.Errorf("parse key %s: %w", k.ID, err)
		}
		public := jose.JSONWebKey{Key: private.Public(), KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"}
		set.public[k.ID] = public
		published.Keys = append(published.Keys, public)
		if k.State != storage.SigningKey {
			continue
		}
		if set.signers[k.Algorithm], err = newSigner(k.ID, k.Algorithm, private); err != nil {
			return nil, err
		}
	}
	var err error
	if set.JWKS, err = json.Marshal(published); err != nil {
		return nil, fmt.Errorf("encode the public keys: %w", err)
	}
	return set, nil
}

func parsePrivate(der []byte) (crypto.Signer, error) {
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	signer, ok := private.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%T cannot sign", private)
	}
	return signer, nil
}

// Complete returns the keys as they are now, waiting for those that are still
// being made: what is published must not lack a key that is about to sign.
func (r *Ring) Complete(ctx context.Context) (*Set, error) {
	for _, alg := range Algorithms {
		if err := r.await(ctx, alg); err != nil {
			return nil, err
		}
	}
	return r.Set(ctx)
}

// await waits until an algorithm has a key.
func (r *Ring) await(ctx context.Context, alg string) error {
	arrived, known := r.arrived[alg]
	if !known {
		return fmt.Errorf("sign a token: there are no keys for %s", alg)
	}
	select {
	case <-arrived:
		return nil
	default:
	}
	select {
	case <-arrived:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// arrive notes that an algorithm has a key.
func (r *Ring) arrive(alg string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.arrived[alg]:
	default:
		close(r.arrived[alg])
	}
}
