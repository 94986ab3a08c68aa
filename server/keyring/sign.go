package keyring

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Type is what a token is for, as its header says: one is never taken for another
// (RFC 8725, section 3.11).
type Type string

// The types of the tokens that are signed here.
const (
	JWT         Type = "JWT"        // ID tokens and answers
	AccessToken Type = "at+jwt"     // RFC 9068, section 2.1
	LogoutToken Type = "logout+jwt" // OpenID Connect Back-Channel Logout 1.0, section 2.4
	// Introspection is an answer of introspection (RFC 9701, section 5).
	Introspection Type = "token-introspection+jwt"
	// ForwardAuth is what an application behind a proxy is told of who asks.
	ForwardAuth Type = "forward-auth+jwt"
)

// types are those that a signer has a header for.
var types = []Type{JWT, AccessToken, LogoutToken, Introspection, ForwardAuth}

// signer signs with one key. What the header of a token says depends on its
// type alone, so each is encoded once.
type signer struct {
	key     crypto.Signer
	alg     string
	headers map[Type]string // in base64url, with the dot behind
}

func newSigner(id, alg string, key crypto.Signer) (*signer, error) {
	s := &signer{key: key, alg: alg, headers: map[Type]string{}}
	for _, kind := range types {
		header, err := json.Marshal(struct {
			Algorithm string `json:"alg"`
			KeyID     string `json:"kid"`
			Type      Type   `json:"typ"`
		}{alg, id, kind})
		if err != nil {
			return nil, fmt.Errorf("encode a header of key %s: %w", id, err)
		}
		s.headers[kind] = base64.RawURLEncoding.EncodeToString(header) + "."
	}
	return s, nil
}

// Sign signs claims, which are encoded as JSON, as a token of a type, with the
// key that signs for an algorithm. It waits for a key that is still being made.
func (r *Ring) Sign(ctx context.Context, alg string, kind Type, claims any) (string, error) {
	if err := r.await(ctx, alg); err != nil {
		return "", err
	}
	set, err := r.Set(ctx)
	if err != nil {
		return "", err
	}
	signer := set.signers[alg]
	if signer == nil || signer.headers[kind] == "" {
		return "", fmt.Errorf("sign a token: there is no key of %s for %s", alg, kind)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode the claims of a token: %w", err)
	}
	return signer.compact(kind, payload)
}

// maxSignature is the longest signature, in bytes: that of RSA.
const maxSignature = rsaBits / 8

// compact returns a token in the serialization of RFC 7515, section 7.1.
func (s *signer) compact(kind Type, payload []byte) (string, error) {
	header, enc := s.headers[kind], base64.RawURLEncoding
	token := make([]byte, 0, len(header)+enc.EncodedLen(len(payload))+1+enc.EncodedLen(maxSignature))
	token = append(token, header...)
	token = enc.AppendEncode(token, payload)
	signature, err := s.sign(token)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return string(enc.AppendEncode(append(token, '.'), signature)), nil
}

// sign returns the signature over text as RFC 7518 and RFC 8037 have it.
func (s *signer) sign(text []byte) ([]byte, error) {
	if s.alg == EdDSA {
		return s.key.Sign(nil, text, crypto.Hash(0))
	}
	sum := sha256.Sum256(text)
	switch s.alg {
	case PS256: // RFC 7518, section 3.5: the salt is as long as the hash
		return s.key.Sign(rand.Reader, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256})
	case RS256:
		return s.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	der, err := s.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return fixed(der)
}

// coordinate is the size of each half of a signature with P-256, in bytes.
const coordinate = 32

// fixed returns an ECDSA signature with both its numbers at their full length
// (RFC 7518, section 3.4), from how X.509 has it.
func fixed(der []byte) ([]byte, error) {
	input := cryptobyte.String(der)
	var numbers, r, s cryptobyte.String
	if !input.ReadASN1(&numbers, asn1.SEQUENCE) || !numbers.ReadASN1Integer((*[]byte)(&r)) ||
		!numbers.ReadASN1Integer((*[]byte)(&s)) || len(r) > coordinate || len(s) > coordinate {
		return nil, errors.New("a signature of ECDSA has an unknown form")
	}
	out := make([]byte, 2*coordinate)
	copy(out[coordinate-len(r):], r)
	copy(out[2*coordinate-len(s):], s)
	return out, nil
}
