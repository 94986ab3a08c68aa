// Package dpoptest makes proofs of DPoP (RFC 9449), honest ones and others.
package dpoptest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Prover is a client's key that makes proofs.
type Prover struct {
	Alg jose.SignatureAlgorithm
	Key crypto.Signer
}

// NewProver makes a key for an algorithm.
func NewProver(t testing.TB, alg string) *Prover {
	t.Helper()
	var key crypto.Signer
	var err error
	switch alg {
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "EdDSA", "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "PS256", "RS256":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		t.Fatalf("nobody has a key for %s", alg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Prover{jose.SignatureAlgorithm(alg), key}
}

// Thumbprint names the key (RFC 7638).
func (p *Prover) Thumbprint(t testing.TB) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: p.Key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Claims are what an honest proof says of a request; pairs of names and values change
// it, and nil leaves one out.
func Claims(method, address string, pairs ...any) map[string]any {
	return changed(map[string]any{"jti": rand.Text(), "htm": method, "htu": address, "iat": time.Now().Unix()}, pairs)
}

func changed(members map[string]any, pairs []any) map[string]any {
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		if members[name] = pairs[i+1]; pairs[i+1] == nil {
			delete(members, name)
		}
	}
	return members
}

// TokenHash is the ath of an access token.
func TokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Sign signs claims as a proof; pairs change its header as those of [Claims] do.
func (p *Prover) Sign(t testing.TB, claims map[string]any, pairs ...any) string {
	t.Helper()
	header := map[string]any{"typ": "dpop+jwt", "jwk": jose.JSONWebKey{Key: p.Key.Public()}}
	return SignBy(t, p.Alg, p.Key, claims, changed(header, pairs))
}

// SignBy signs claims with any key and header.
func SignBy(t testing.TB, alg jose.SignatureAlgorithm, key any, claims, header map[string]any) string {
	t.Helper()
	o := &jose.SignerOptions{}
	for name, value := range header {
		o.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: SigningKey(key, string(alg))}, o)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
