package openid

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
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

// algorithms are those a new server makes keys for: access tokens are signed
// with ES256, ID tokens with RS256 unless their client wants otherwise.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.RS256}

// keyring holds the keys in the form they are used in. It is parsed anew when
// the stored keys change, by whichever node.
type keyring struct {
	prepared chan struct{} // closed when every algorithm has a key
	mu       sync.Mutex
	version  string
	set      *keySet
	stored   *storage.Key // the first of the stored keys that set was parsed from
}

// keySet is an immutable set of keys.
type keySet struct {
	signers map[jose.SignatureAlgorithm]map[jose.ContentType]jose.Signer
	public  map[string]jose.JSONWebKey // by kid
	jwks    document
}

// The types of the tokens this provider signs.
const (
	typeJWT         jose.ContentType = "JWT"
	typeAccessToken jose.ContentType = "at+jwt" // RFC 9068, section 2.1
)

// Prepare makes the keys that are missing. An RSA key takes a while to find:
// it is made in the background, and whoever needs it before waits.
func (p *Provider) Prepare(ctx context.Context) error {
	keys, err := p.db.Keys(ctx)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	missing := map[jose.SignatureAlgorithm]bool{}
	for _, alg := range algorithms {
		missing[alg] = true
	}
	for _, k := range keys {
		if k.State == storage.SigningKey {
			delete(missing, jose.SignatureAlgorithm(k.Algorithm))
		}
	}
	if missing[jose.ES256] {
		if err := p.makeKey(ctx, jose.ES256); err != nil {
			return err
		}
	}
	if !missing[jose.RS256] {
		close(p.keys.prepared)
		return nil
	}
	go func() {
		err := p.makeKey(context.WithoutCancel(ctx), jose.RS256)
		if err != nil && ctx.Err() != nil {
			return // the server is stopping, and the next start makes the key
		}
		if err != nil {
			slog.ErrorContext(ctx, "no RSA key could be made: ID tokens cannot be signed; restart authy", "err", err)
			return
		}
		close(p.keys.prepared)
	}()
	return nil
}

// Ready says whether tokens can be issued now.
func (p *Provider) Ready(ctx context.Context) error {
	select {
	case <-p.keys.prepared:
		_, err := p.keySet(ctx)
		return err
	default:
		return errors.New("the RSA signing key is still being made")
	}
}

// makeKey makes and stores a key. Another node may have been quicker: then its
// key stands.
func (p *Provider) makeKey(ctx context.Context, alg jose.SignatureAlgorithm) error {
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
		ID: base64.RawURLEncoding.EncodeToString(sum), Algorithm: string(alg), State: storage.SigningKey,
		Private: der, CreatedAt: storage.At(now), UpdatedAt: storage.At(now),
	}
	err = p.db.Update(ctx, func(tx *storage.Tx) error {
		if err := tx.InsertKey(ctx, k); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Server(), now, audit.Event{
			Action: "key.create", TargetKind: "key", TargetID: k.ID, Details: map[string]string{"algorithm": string(alg)},
		})
	})
	if err != nil && !errors.Is(err, storage.ErrTaken) {
		return fmt.Errorf("store the key for %s: %w", alg, err)
	}
	return nil
}

func newPrivate(alg jose.SignatureAlgorithm) (crypto.Signer, error) {
	if alg == jose.RS256 {
		return rsa.GenerateKey(rand.Reader, rsaBits)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

// keySet returns the keys as they are now, waiting for those being made.
func (p *Provider) keySet(ctx context.Context) (*keySet, error) {
	select {
	case <-p.keys.prepared:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	stored, err := p.db.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	p.keys.mu.Lock()
	defer p.keys.mu.Unlock()
	if p.keys.set != nil && p.keys.stored == &stored[0] {
		return p.keys.set, nil // the cache holds what was parsed
	}
	var version strings.Builder
	for _, k := range stored {
		version.WriteString(k.ID + k.State + " ")
	}
	if p.keys.version != version.String() {
		if p.keys.set, err = parseKeys(stored); err != nil {
			return nil, err
		}
		p.keys.version = version.String()
	}
	p.keys.stored = &stored[0]
	return p.keys.set, nil
}

func parseKeys(stored []storage.Key) (*keySet, error) {
	set := &keySet{
		signers: map[jose.SignatureAlgorithm]map[jose.ContentType]jose.Signer{},
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
	set.jwks, err = newDocument(published)
	return set, err
}

// addSigner makes the signers of a key once, one for each type of token.
func (s *keySet) addSigner(k storage.Key, private any) error {
	alg := jose.SignatureAlgorithm(k.Algorithm)
	s.signers[alg] = map[jose.ContentType]jose.Signer{}
	for _, kind := range []jose.ContentType{typeJWT, typeAccessToken} {
		signer, err := jose.NewSigner(
			jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: private, KeyID: k.ID}},
			(&jose.SignerOptions{}).WithType(kind))
		if err != nil {
			return fmt.Errorf("sign with key %s: %w", k.ID, err)
		}
		s.signers[alg][kind] = signer
	}
	return nil
}
