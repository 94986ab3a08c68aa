package openid

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"authy/server/registry"
	"authy/storage"
)

// DPoP binds tokens to a key of the client's, which proves with each request that it
// has the key (RFC 9449). A request without a proof pays for a look at its headers.

const (
	proofHeader = "Dpop" // as net/http spells it
	nonceHeader = "Dpop-Nonce"
	proofWindow = time.Minute // how far iat may be off
	proofToken  = "DPoP"      // the type of a token that is bound to a key
)

// dpopMetadata is what discovery says of DPoP (RFC 9449, section 5.1).
type dpopMetadata struct {
	ProofAlgs []string `json:"dpop_signing_alg_values_supported"`
}

func newDPoPMetadata() dpopMetadata {
	algs := make([]string, len(proofAlgs))
	for i, alg := range proofAlgs {
		algs[i] = string(alg)
	}
	return dpopMetadata{algs}
}

// Error codes of RFC 9449.
const (
	invalidProof = "invalid_dpop_proof"
	needsNonce   = "use_dpop_nonce"
)

// refusedProof is the error of a token endpoint that does not take a proof.
func refusedProof(code, text string) *oidc.Error {
	e := oidc.ErrInvalidRequest().WithDescription("%s", text)
	switch code {
	case needsNonce:
		e.ErrorType = needsNonce
	default:
		e.ErrorType = invalidProof
	}
	return e
}

// offerNonce gives a client that uses DPoP the nonce of its next proof
// (RFC 9449, section 8.2).
func (p *Provider) offerNonce(h, of http.Header) {
	if _, uses := of[proofHeader]; uses {
		h.Set(nonceHeader, p.newNonce(time.Now()))
	}
}

// ProvenKey returns the thumbprint of the key that a request to an endpoint where
// clients authenticate proves, "" if it has no proof and c needs none. An
// [*oidc.Error] says what is wrong with the proof.
func (p *Provider) ProvenKey(ctx context.Context, h http.Header, path string, c *storage.Client) (string, error) {
	if _, given := h[proofHeader]; !given {
		if c.Options.DPoPTokens {
			return "", refusedProof(invalidProof, "the client is registered for tokens that are bound to a key: send a DPoP proof")
		}
		return "", nil
	}
	shown, err := p.proofOf(ctx, h, request{http.MethodPost, p.Issuer + path, "", c.Options.DPoPTokens})
	if err != nil {
		return "", err
	}
	return shown.key, nil
}

// pushedKey returns the thumbprint of the key that a pushed authorization request
// proves, "" for none: its code is bound to it (RFC 9449, section 10.1).
func (p *Provider) pushedKey(ctx context.Context, h http.Header) (string, error) {
	if _, given := h[proofHeader]; !given {
		return "", nil
	}
	shown, err := p.proofOf(ctx, h, request{http.MethodPost, p.Issuer + PushPath, "", false})
	if err != nil {
		return "", err
	}
	return shown.key, nil
}

// request is what a proof must be for.
type request struct {
	method, address, token string
	nonce                  bool // one of ours is needed
}

// proofOf returns the proof of a request once everything of RFC 9449, section 4.3 is
// checked. An [*oidc.Error] says what is wrong with it.
func (p *Provider) proofOf(ctx context.Context, h http.Header, of request) (*proof, error) {
	given := h[proofHeader]
	if len(given) != 1 { // check 1
		return nil, refusedProof(invalidProof, "send one DPoP header")
	}
	shown, err := parseProof(given[0])
	if err == nil {
		err = shown.isFor(of.method, of.address, of.token)
	}
	if err != nil {
		return nil, refusedProof(invalidProof, err.Error())
	}
	if !p.isFresh(shown, of.nonce, time.Now()) {
		return nil, refusedProof(needsNonce, "make a new DPoP proof, with the nonce of the header DPoP-Nonce")
	}
	// Longer than either of a nonce and a time that is ahead can be used.
	first, err := p.replays.first(ctx, shown.key, shown.ID, nonceLife+2*proofWindow)
	switch {
	case err != nil:
		return nil, err
	case !first:
		return nil, refusedProof(invalidProof, "the DPoP proof was used before")
	}
	return shown, nil
}

// isFresh says whether a proof was made just now: by a nonce of ours or, where none
// is needed, by its own time (RFC 9449, section 4.3, checks 10 and 11).
func (p *Provider) isFresh(shown *proof, nonce bool, now time.Time) bool {
	if nonce || shown.Nonce != "" {
		return p.isNonce(shown.Nonce, now)
	}
	made := time.Unix(int64(*shown.IssuedAt), 0)
	return now.Sub(made).Abs() <= proofWindow && !p.replays.forgot(made)
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
	shown, err := p.proofOf(r.Context(), r.Header, request{r.Method, p.Issuer + r.URL.Path, token, false})
	if err == nil && shown.key != claims.Confirmation.JKT {
		err = oidcToken("the access token is bound to another key")
	}
	return err
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
var dpopChallenge = `DPoP realm="authy", algs="` + strings.Join(newDPoPMetadata().ProofAlgs, " ") + `"`

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
