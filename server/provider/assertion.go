package provider

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"authy/server/keyring"
	"authy/server/steady"
)

// The ways in which authy says at a token endpoint who it is; "" is one that the
// provider takes (OpenID Connect Core 1.0, section 9).
const (
	AuthBasic = "client_secret_basic"
	AuthPost  = "client_secret_post"
	AuthKey   = "private_key_jwt"
)

// AuthMethods are all that can be chosen.
var AuthMethods = []string{AuthBasic, AuthPost, AuthKey}

// assertionLife is how long a client assertion is good: it is used at once.
const assertionLife = time.Minute

// assertionAlgs are those that a client assertion is signed with, the first that
// a provider knows; RS256 if it does not say (OpenID Connect Discovery 1.0, section 3).
var assertionAlgs = []string{keyring.RS256, keyring.PS256, keyring.ES256, keyring.EdDSA}

// errNoAlgorithm says that a provider takes no signature that is made here.
var errNoAlgorithm = errors.New("provider: it takes no algorithm that there are keys for")

// clientAssertion are the claims of a client that proves who it is by a key
// (RFC 7523, section 3).
type clientAssertion struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
	ID       string `json:"jti"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// Assertion returns a JWT by which authy proves at a provider who it is. The
// audience is the issuer of the provider, which is known for sure: an endpoint may
// be named by another's metadata. algs are those that the provider takes; none for
// the usual one.
func (s *Service) Assertion(ctx context.Context, clientID, audience string, algs []string) (string, error) {
	alg := keyring.RS256
	if len(algs) > 0 {
		known := func(one string) bool { return slices.Contains(algs, one) }
		i := slices.IndexFunc(assertionAlgs, known)
		if i < 0 {
			return "", fmt.Errorf("%w: %.200q", errNoAlgorithm, algs)
		}
		alg = assertionAlgs[i]
	}
	if s.Keys == nil {
		return "", errors.New("provider: there are no keys to sign with")
	}
	now := steady.Now()
	return s.Keys.Sign(ctx, alg, keyring.JWT, &clientAssertion{
		clientID, clientID, audience, rand.Text(), now.Unix(), now.Add(assertionLife).Unix(),
	})
}
