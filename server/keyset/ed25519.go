package keyset

import (
	"crypto/ed25519"
	"errors"

	"github.com/go-jose/go-jose/v4"
)

// Ed25519 names the same signatures as EdDSA with a key of that curve, the only one that is
// taken here (RFC 9864, section 2.2).
const Ed25519 = "Ed25519"

const edDSA = "EdDSA"

// IsOf says whether alg is the algorithm that was registered, or the one that there is of
// it: who has registered EdDSA may call it Ed25519. Who has registered Ed25519 was specific.
func IsOf(registered, alg string) bool {
	return registered == alg || registered == edDSA && alg == Ed25519
}

// Verifier returns what the library verifies a signature of alg with: the key itself, unless
// alg is one that the library does not know.
func Verifier(key any, alg string) any {
	if public, ok := key.(ed25519.PublicKey); ok && alg == Ed25519 {
		return edVerifier(public)
	}
	return key
}

// edVerifier verifies signatures of the algorithm Ed25519.
type edVerifier ed25519.PublicKey

// VerifyPayload implements [jose.OpaqueVerifier].
func (v edVerifier) VerifyPayload(payload, signature []byte, alg jose.SignatureAlgorithm) error {
	if alg != Ed25519 || !ed25519.Verify(ed25519.PublicKey(v), payload, signature) {
		return errors.New("keyset: not a signature of Ed25519")
	}
	return nil
}
