// Package keyring makes and keeps the keys that sign tokens, signs with them and
// verifies what they signed. It refuses to know what a token says.
package keyring

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/server/audit"
	"authy/storage"
)

// rsaBits is the size of RSA keys (RFC 7518, section 3.3: 2048 at least).
const rsaBits = 2048

// The algorithms (RFC 7518, section 3.1).
const (
	ES256 = "ES256"
	RS256 = "RS256"
)

// Algorithms are those that there are keys for: access tokens are signed with
// ES256, ID tokens with RS256 unless their client wants otherwise.
var Algorithms = []string{RS256, ES256}

var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256}

// Ring holds the keys in the form they are used in. It is parsed anew when the
// stored keys change, by whichever node.
type Ring struct {
	db       *storage.DB
	prepared chan struct{} // closed when every algorithm has a key
	mu       sync.Mutex
	version  string
	set      *Set
	stored   *storage.Key // the first of the stored keys that set was parsed from
}

// New returns the keys that db holds. [Ring.Prepare] must be called before
// anything can be signed.
func New(db *storage.DB) *Ring { return &Ring{db: db, prepared: make(chan struct{})} }

// Set is an immutable set of keys.
type Set struct {
	// JWKS is the document with the public keys (RFC 7517, section 5).
	JWKS []byte

	signers map[string]map[Type]jose.Signer // by algorithm
	public  map[string]jose.JSONWebKey      // by kid
}

// Type is what a token is for, as its header says: one is never taken for another
// (RFC 8725, section 3.11).
type Type jose.ContentType

// The types of the tokens that are signed here.
const (
	JWT         Type = "JWT"    // ID tokens and answers
	AccessToken Type = "at+jwt" // RFC 9068, section 2.1
	// Logout is that of OpenID Connect Back-Channel Logout 1.0, section 2.4.
	Logout Type = "logout+jwt"
)

// Prepare makes the keys that are missing. An RSA key takes a while to find:
// it is made in the background, and whoever needs it before waits.
func (r *Ring) Prepare(ctx context.Context) error {
	keys, err := r.db.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	missing := map[string]bool{}
	for _, alg := range Algorithms {
		missing[alg] = true
	}
	for _, k := range keys {
		if k.State == storage.SigningKey {
			delete(missing, k.Algorithm)
		}
	}
	if missing[ES256] {
		if err := r.makeKey(ctx, ES256); err != nil {
			return err
		}
	}
	if !missing[RS256] {
		close(r.prepared)
		return nil
	}
	go func() {
		err := r.makeKey(context.WithoutCancel(ctx), RS256)
		if err != nil && ctx.Err() != nil {
			return // the server is stopping, and the next start makes the key
		}
		if err != nil {
			slog.ErrorContext(ctx, "no RSA key could be made: ID tokens cannot be signed; restart authy", "err", err)
			return
		}
		close(r.prepared)
	}()
	return nil
}

// Ready says whether tokens can be issued now.
func (r *Ring) Ready(ctx context.Context) error {
	select {
	case <-r.prepared:
		_, err := r.Set(ctx)
		return err
	default:
		return errors.New("the RSA signing key is still being made")
	}
}

// makeKey makes and stores a key. Another node may have been quicker: then its
// key stands.
func (r *Ring) makeKey(ctx context.Context, alg string) error {
	private, err := newPrivate(alg)
	if err != nil {
		return fmt.Errorf("make a key for %s: %w", alg, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("make a key for %s: %w", alg, err)
	}
	public := jose.JSONWebKey{Key: private.Public()}
	sum, err := public.Thumbprint(crypto.SHA256) // RFC 7638
	if err != nil {
		return fmt.Errorf("make a key for %s: %w", alg, err)
	}
	now := time.Now()
	k := &storage.Key{
		ID: base64.RawURLEncoding.EncodeToString(sum), Algorithm: alg, State: storage.SigningKey,
		Private: der, CreatedAt: storage.At(now), UpdatedAt: storage.At(now),
	}
	err = r.db.Update(ctx, func(tx *storage.Tx) error {
		if err := tx.InsertKey(ctx, k); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Server(), now, audit.Event{
			Action: "key.create", TargetKind: "key", TargetID: k.ID, Details: map[string]string{"algorithm": alg},
		})
	})
	if err != nil && !errors.Is(err, storage.ErrTaken) {
		return fmt.Errorf("store the key for %s: %w", alg, err)
	}
	return nil
}

func newPrivate(alg string) (crypto.Signer, error) {
	if alg == RS256 {
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// Set returns the keys as they are now, waiting for those being made.
func (r *Ring) Set(ctx context.Context) (*Set, error) {
	select {
	case <-r.prepared:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	stored, err := r.db.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.set != nil && r.stored == &stored[0] {
		return r.set, nil // the cache holds what was parsed
	}
	var version strings.Builder
	for _, k := range stored {
		version.WriteString(k.ID + k.State + " ")
	}
	if r.version != version.String() {
		if r.set, err = parseKeys(stored); err != nil {
			return nil, err
		}
		r.version = version.String()
	}
	r.stored = &stored[0]
	return r.set, nil
}

func parseKeys(stored []storage.Key) (*Set, error) {
	set := &Set{
		signers: map[string]map[Type]jose.Signer{},
		public:  map[string]jose.JSONWebKey{},
	}
	var published jose.JSONWebKeySet
	for _, k := range stored {
		if k.State == storage.RetiredKey {
			continue
		}
		private, err := x509.ParsePKCS8PrivateKey(k.Private)
		if err != nil {
			return nil, fmt.Errorf("parse key %s: %w", k.ID, err)
		}
		signer, ok := private.(crypto.Signer)
		if !ok {
			return nil, fmt.Errorf("parse key %s: %T cannot sign", k.ID, private)
		}
		public := jose.JSONWebKey{Key: signer.Public(), KeyID: k.ID, Algorithm: k.Algorithm, Use: "sig"}
		set.public[k.ID] = public
		published.Keys = append(published.Keys, public)
		if k.State == storage.SigningKey {
			if err := set.addSigner(k, private); err != nil {
				return nil, err
			}
		}
	}
	var err error
	if set.JWKS, err = json.Marshal(published); err != nil {
		return nil, fmt.Errorf("encode the public keys: %w", err)
	}
	return set, nil
}

// addSigner makes the signers of a key once, one for each type of token.
func (s *Set) addSigner(k storage.Key, private any) error {
	s.signers[k.Algorithm] = map[Type]jose.Signer{}
	for _, kind := range []Type{JWT, AccessToken, Logout} {
		signer, err := jose.NewSigner(
			jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm), Key: jose.JSONWebKey{Key: private, KeyID: k.ID}},
			(&jose.SignerOptions{}).WithType(jose.ContentType(kind)))
		if err != nil {
			return fmt.Errorf("sign with key %s: %w", k.ID, err)
		}
		s.signers[k.Algorithm][kind] = signer
	}
	return nil
}
