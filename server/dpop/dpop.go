// Package dpop checks the proofs by which a client shows, with each request, that it has
// the key that its tokens are bound to (RFC 9449). It refuses to know what a token is:
// server/openid binds tokens to the thumbprints that it returns.
//
// Read dpop.go, then proof.go (what a proof says), nonce.go and replay.go (that it is
// new).
package dpop

import (
	"context"
	"net/http"
	"time"

	"authy/server/steady"
	"authy/storage"
	"authy/storage/kv"
)

// Names of RFC 9449.
const (
	// TokenType is the token_type of a token that is bound to a key, and the scheme by
	// which it is presented.
	TokenType = "DPoP"
	// InvalidProof is the error code for a proof that is not good.
	InvalidProof = "invalid_dpop_proof"
	// NeedsNonce is the error code for one that must be made again, with the nonce that
	// came with the answer.
	NeedsNonce = "use_dpop_nonce"
)

const (
	proofHeader = "Dpop" // as net/http spells it
	nonceHeader = "Dpop-Nonce"
	proofWindow = time.Minute // how far iat may be off
)

// Refusal is what a client is told of a proof that is not taken.
type Refusal struct {
	Code        string // [InvalidProof] or [NeedsNonce]
	Description string
}

// Error implements error.
func (r *Refusal) Error() string { return r.Code + ": " + r.Description }

// Verifier checks proofs, each of which works once.
type Verifier struct {
	db      *storage.DB // its secret key is that of nonces
	replays replays
}

// New returns a verifier that remembers in a store what was used: one that all nodes
// share, and without which the server does not go on.
func New(db *storage.DB, used kv.Store) *Verifier { return &Verifier{db, replays{used}} }

// Request is what a proof must be for.
type Request struct {
	Method string
	URL    string // query and fragment do not count
	Token  string // the access token that is presented, or ""
	Nonce  bool   // whether the proof needs a nonce of this server's
}

// IsGiven says whether a request with these headers has a proof.
func IsGiven(h http.Header) bool {
	_, given := h[proofHeader]
	return given
}

// OfferNonce gives a client whose request has a proof the nonce of its next one
// (RFC 9449, section 8.2).
func (v *Verifier) OfferNonce(h, of http.Header) {
	if IsGiven(of) {
		h.Set(nonceHeader, v.newNonce(steady.Now()))
	}
}

// Verify returns the thumbprint of the key (RFC 7638) that the proof in the headers of a
// request is made with, once everything of RFC 9449, section 4.3 is checked. A
// [*Refusal] says what is wrong with it.
func (v *Verifier) Verify(ctx context.Context, h http.Header, of Request) (thumbprint string, err error) {
	given := h[proofHeader]
	if len(given) != 1 { // check 1
		return "", &Refusal{InvalidProof, "send one DPoP header"}
	}
	shown, err := parseProof(given[0])
	if err == nil {
		err = shown.isFor(of.Method, of.URL, of.Token)
	}
	if err != nil {
		return "", &Refusal{InvalidProof, err.Error()}
	}
	made, fresh := v.made(shown, of.Nonce, steady.Now())
	if !fresh {
		return "", errStale
	}
	// Longer than either of a nonce and a time that is ahead can be used.
	first, err := v.replays.first(ctx, shown.key, shown.ID, nonceLife+2*proofWindow)
	switch {
	case err != nil:
		return "", err
	case !first:
		return "", &Refusal{InvalidProof, "the DPoP proof was used before"}
	case v.replays.forgot(made):
		return "", errStale
	}
	return shown.key, nil
}

var errStale = &Refusal{NeedsNonce, "make a new DPoP proof, with the nonce of the header DPoP-Nonce"}

// made returns when a proof was made, and whether that was just now: by a nonce of
// ours or, where none is needed, by its own time (RFC 9449, section 4.3, checks 10
// and 11).
func (v *Verifier) made(shown *proof, nonce bool, now time.Time) (at time.Time, fresh bool) {
	if nonce || shown.Nonce != "" {
		return v.isNonce(shown.Nonce, now)
	}
	at = time.Unix(int64(*shown.IssuedAt), 0)
	return at, now.Sub(at).Abs() <= proofWindow
}
