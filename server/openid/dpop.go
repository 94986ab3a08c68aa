package openid

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"authy/server/dpop"
	"authy/server/registry"
	"authy/storage"
)

// DPoP binds tokens to a key of the client's, which proves with each request that it
// has the key (RFC 9449); server/dpop checks the proofs. A request without one pays for
// a look at its headers.

// proofToken is the type of a token that is bound to a key.
const proofToken = dpop.TokenType

// dpopMetadata is what discovery says of DPoP (RFC 9449, section 5.1).
type dpopMetadata struct {
	ProofAlgs []string `json:"dpop_signing_alg_values_supported"`
}

func newDPoPMetadata() dpopMetadata { return dpopMetadata{dpop.Algorithms()} }

// offerNonce is [dpop.Verifier.OfferNonce].
func (p *Provider) offerNonce(h, of http.Header) { p.proofs.OfferNonce(h, of) }

// ProvenKey returns the thumbprint of the key that a request to an endpoint where
// clients authenticate proves, "" if it has no proof and c needs none. An
// [*oidc.Error] says what is wrong with the proof.
func (p *Provider) ProvenKey(ctx context.Context, h http.Header, path string, c *storage.Client) (string, error) {
	if !dpop.IsGiven(h) && c.Options.DPoPTokens {
		return "", refusedProof(&dpop.Refusal{
			Code:        dpop.InvalidProof,
			Description: "the client is registered for tokens that are bound to a key: send a DPoP proof",
		})
	}
	return p.postedKey(ctx, h, path, c.Options.DPoPTokens)
}

// pushedKey returns the thumbprint of the key that a pushed authorization request
// proves, "" for none: its code is bound to it (RFC 9449, section 10.1).
func (p *Provider) pushedKey(ctx context.Context, h http.Header) (string, error) {
	return p.postedKey(ctx, h, PushPath, false)
}

// postedKey returns the thumbprint of the key that a POST to an endpoint proves, with
// one of our nonces if that is needed, "" for none.
func (p *Provider) postedKey(ctx context.Context, h http.Header, path string, nonce bool) (string, error) {
	if !dpop.IsGiven(h) {
		return "", nil
	}
	key, err := p.proofs.Verify(ctx, h, dpop.Request{Method: http.MethodPost, URL: p.Issuer + path, Nonce: nonce})
	return key, refusedProof(err)
}

// refusedProof makes the error of a token endpoint of one that refuses a proof; others
// stay as they are.
func refusedProof(err error) error {
	refusal, ok := errors.AsType[*dpop.Refusal](err)
	if !ok {
		return err
	}
	e := oidc.ErrInvalidRequest().WithDescription("%s", refusal.Description)
	switch refusal.Code {
	case dpop.NeedsNonce:
		e.ErrorType = dpop.NeedsNonce
	default:
		e.ErrorType = dpop.InvalidProof
	}
	return e
}

// confirmed is the cnf of a token that is bound to the key with a thumbprint.
func confirmed(jkt string) *confirmation {
	if jkt == "" {
		return nil
	}
	return &confirmation{JKT: jkt}
}

// tokenType is the type of a token that is bound to a key, "" for none.
func tokenType(jkt string) string {
	if jkt == "" {
		return oidc.BearerToken
	}
	return proofToken
}

// bind checks the key that a client has proved at the token endpoint against the one
// that its code or refresh token is bound to, and says whether it fits. The refresh
// tokens of a public client are bound to the first key that it proves; those of
// others are bound to the client (RFC 9449, section 5).
func (p *Provider) bind(ctx context.Context, tx *storage.Tx, out *issued, byCode bool) (fits bool, err error) {
	bound := out.grant.Details.JKT
	public := registry.IsPublic(out.client)
	switch {
	case bound != "":
		return out.jkt == bound || !byCode && !public, nil
	case out.jkt == "" || !public:
		return true, nil
	}
	changed := *out.grant // the record is shared by all who read it
	changed.Details.JKT = out.jkt
	out.grant = &changed
	return true, tx.SaveGrantDetails(ctx, out.grant)
}

// checkPresented refuses a token that was not presented as what it is: one that is
// bound to a key without its proof, or another one with the scheme of those that are
// (RFC 9449, sections 7.1 and 7.2).
func (p *Provider) checkPresented(r *http.Request, token string, claims *accessToken) error {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	asProof := strings.EqualFold(scheme, proofToken)
	switch bound := claims.Confirmation != nil; {
	case !bound && !asProof:
		return nil
	case !bound:
		return oidcToken("the access token is not bound to a key: present it as a Bearer token")
	case !asProof:
		return oidcToken("the access token is bound to a key: present it by the scheme DPoP, with a proof")
	}
	key, err := p.proofs.Verify(r.Context(), r.Header, dpop.Request{Method: r.Method, URL: p.Issuer + r.URL.Path, Token: token})
	if err == nil && key != claims.Confirmation.JKT {
		return oidcToken("the access token is bound to another key")
	}
	return refusedProof(err)
}

// oidcToken is an invalid_token of RFC 6750, section 3.1.
func oidcToken(text string) error {
	e := oidc.ErrInvalidRequest().WithDescription("%s", text)
	e.ErrorType = "invalid_token"
	return e
}

// refusePresented answers a request of which [Provider.checkPresented] refuses the token.
func refusePresented(w http.ResponseWriter, r *http.Request, err error) {
	e, told := errors.AsType[*oidc.Error](err)
	if !told {
		writeInternal(w, r, err)
		return
	}
	h := w.Header()
	h.Set("WWW-Authenticate", dpopChallenge+`, error="`+string(e.ErrorType)+`", error_description="`+e.Description+`"`)
	h.Set("Cache-Control", "no-store")
	h["Content-Type"] = jsonType
	w.WriteHeader(http.StatusUnauthorized)
	json.NewEncoder(w).Encode(map[string]string{ //nolint:errcheck,errchkjson // the client has gone
		"error": string(e.ErrorType), "error_description": e.Description,
	})
}

// dpopChallenge says how to present a token that is bound to a key
// (RFC 9449, section 7.1).
var dpopChallenge = `DPoP realm="authy", algs="` + strings.Join(dpop.Algorithms(), " ") + `"`

// checkKey takes the thumbprint of the key that the code is to be bound to
// (RFC 9449, section 10).
func (p *Provider) checkKey(_ context.Context, _ *storage.Client, r *Request, form url.Values) *Refusal {
	r.JKT = form.Get("dpop_jkt")
	if r.JKT == "" {
		return nil
	}
	if len(r.JKT) != 43 || !isUnreserved(r.JKT) {
		return refuse("invalid_request", "dpop_jkt", "The parameter dpop_jkt is not a SHA-256 in base64url.")
	}
	return nil
}
