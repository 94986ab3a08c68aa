// Package keyset knows the public keys of others: it reads sets of keys, fetches those
// that are named by URL and keeps them for a while, reads the tokens that were signed with
// them and verifies those. It refuses to know what a token says, and signs nothing.
//
// Read keyset.go (a set), token.go (a token), cache.go (sets that are kept), claims.go
// (what the standard claims mean).
package keyset

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	// MaxDocument is the longest set of keys that is read, in bytes.
	MaxDocument = 64 << 10

	maxKeys = 32
	minRSA  = 2048 // bits; RFC 7518, section 3.3
)

// Signatures are the algorithms of signatures with a key pair, in the order in which they
// are advertised.
var Signatures = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", edDSA, Ed25519,
}

// MACs are the algorithms of signatures with a shared secret.
var MACs = []string{"HS256", "HS384", "HS512"}

// Set is an immutable set of public keys.
type Set struct{ keys []key }

// key is a public key with the issuer that it is for, "" if it does not say.
type key struct {
	jose.JSONWebKey
	issuer string
}

// Parse reads a set of keys (RFC 7517, section 5). Keys that cannot verify a signature
// here are left out, as that section asks; a private or symmetric key is an error, since it
// is no secret any more.
func Parse(document []byte) (*Set, error) {
	if len(document) > MaxDocument {
		return nil, fmt.Errorf("the set of keys is longer than %d bytes", MaxDocument)
	}
	var in struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &in); err != nil {
		return nil, errors.New("the set of keys is not a JSON object with a list of keys")
	}
	if len(in.Keys) > maxKeys {
		return nil, fmt.Errorf("the set has more than %d keys", maxKeys)
	}
	set := new(Set)
	for _, text := range in.Keys {
		var k key
		if k.UnmarshalJSON(text) != nil {
			continue
		}
		if !k.IsPublic() {
			return nil, fmt.Errorf("the key %.64q of the set is not a public key", k.KeyID)
		}
		if isUsable(&k.JSONWebKey) {
			k.issuer = issuerIn(text)
			set.keys = append(set.keys, k)
		}
	}
	return set, nil
}

// issuerIn returns the member issuer of a key, which Microsoft's have.
func issuerIn(text []byte) string {
	var claims Claims
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	issuer, err := claims.Text("issuer")
	if err != nil {
		return ""
	}
	return issuer
}

// Len returns how many usable keys the set has.
func (s *Set) Len() int { return len(s.keys) }

// isUsable says whether a key can verify a signature that is worth it.
func isUsable(k *jose.JSONWebKey) bool {
	if k.Use != "" && k.Use != "sig" || !k.Valid() {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// signs says whether a key makes signatures of alg (RFC 7518, section 3.1).
func signs(k *jose.JSONWebKey, alg string) bool {
	if k.Algorithm != "" && !IsOf(k.Algorithm, alg) {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return alg[0] == 'R' || alg[0] == 'P'
	case *ecdsa.PublicKey:
		return alg == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[key.Curve.Params().BitSize]
	case ed25519.PublicKey:
		return alg == edDSA || alg == Ed25519
	}
	return false
}

// Verifies says whether a key of the set signed a token. The keys choose the algorithm: a
// token's own is followed only where it is one of theirs.
func (s *Set) Verifies(t *Token) bool {
	return s.verifies(t, func(*key) bool { return true })
}

// verifies is Verifies with the keys alone that may sign the token.
func (s *Set) verifies(t *Token, may func(*key) bool) bool {
	if !slices.Contains(Signatures, t.Algorithm) {
		return false
	}
	return slices.ContainsFunc(s.keys, func(k key) bool {
		return (t.KeyID == "" || t.KeyID == k.KeyID) && may(&k) && signs(&k.JSONWebKey, t.Algorithm) && t.signedWith(k.Key)
	})
}

// isOf says whether a key is for the issuer of a token: by its exact name, or by a template
// for the one of any tenant, which the token names as tid.
func (k *key) isOf(t *Token) bool {
	issuer, err := t.Claims.Text("iss")
	tenant, tenantErr := t.Claims.Text("tid")
	return err == nil && tenantErr == nil && issuer != "" && issuer == strings.Replace(k.issuer, "{tenantid}", tenant, 1)
}
