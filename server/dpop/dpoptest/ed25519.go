package dpoptest

import (
	"crypto/ed25519"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// SigningKey returns what go-jose signs with by an algorithm: the key itself, unless the
// algorithm is Ed25519 (RFC 9864), which it does not know.
func SigningKey(key any, alg string) any {
	if private, ok := key.(ed25519.PrivateKey); ok && alg == "Ed25519" {
		return edSigner(private)
	}
	return key
}

// edSigner signs with the algorithm Ed25519.
type edSigner ed25519.PrivateKey

// Public implements [jose.OpaqueSigner].
func (s edSigner) Public() *jose.JSONWebKey {
	return &jose.JSONWebKey{Key: ed25519.PrivateKey(s).Public()}
}

// Algs implements [jose.OpaqueSigner].
func (s edSigner) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{"Ed25519"}
}

// SignPayload implements [jose.OpaqueSigner].
func (s edSigner) SignPayload(payload []byte, alg jose.SignatureAlgorithm) ([]byte, error) {
	if alg != "Ed25519" {
		return nil, fmt.Errorf("sign by %s: not Ed25519", alg)
	}
	return ed25519.Sign(ed25519.PrivateKey(s), payload), nil
}
