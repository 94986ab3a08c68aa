package openid

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"slices"
	"unicode/utf8"

	"authy/server/keyring"
	"authy/server/words"
	"authy/storage"
)

// The most of a claims parameter.
const (
	maxClaims      = 8 << 10 // bytes
	maxClaimsDepth = 8
	maxClaimsCount = 128 // members and elements, at any depth
)

// ClaimsRequest is what a request asks for claim by claim
// (OpenID Connect Core 1.0, section 5.5): the names of claims that the client
// may have, by where they are to be.
type ClaimsRequest struct {
	Userinfo []string `json:"userinfo,omitempty"`
	IDToken  []string `json:"id_token,omitempty"`
}

// Asked returns the scopes that a person is asked for: those of the request,
// and those that the claims belong to which it asks for one by one.
func (r *Request) Asked() []string {
	asked := r.Scopes
	for _, scope := range append(scopesOf(r.Claims.Userinfo), scopesOf(r.Claims.IDToken)...) {
		if !has(asked, scope) {
			asked = append(slices.Clip(asked), scope)
		}
	}
	return asked
}

// scopesOf returns the scopes that claims belong to.
func scopesOf(names []string) (scopes []string) {
	for _, name := range names {
		if claim := findClaim(name); claim != nil && !has(scopes, claim.scope) {
			scopes = append(scopes, claim.scope)
		}
	}
	return scopes
}

// claimWish is what a client says of a claim that it asks for; null for nothing.
type claimWish struct {
	Essential bool              `json:"essential"`
	Value     json.RawMessage   `json:"value"`
	Values    []json.RawMessage `json:"values"`
}

// texts are the values that are texts.
func (w *claimWish) texts() (texts []string) {
	if w == nil {
		return nil
	}
	for _, value := range append([]json.RawMessage{w.Value}, w.Values...) {
		var text string
		if len(value) > 0 && json.Unmarshal(value, &text) == nil && isText(text) && text != "" {
			texts = append(texts, text)
		}
	}
	return texts
}

// count is how many values there are.
func (w *claimWish) count() int {
	if len(w.Value) == 0 || string(w.Value) == "null" {
		return len(w.Values)
	}
	return len(w.Values) + 1
}

// checkClaims reads the claims parameter. Claims that are unknown, or of scopes
// that the client is not registered for, are left out, as section 5.5 allows.
func (p *Provider) checkClaims(_ context.Context, client *storage.Client, r *Request, form url.Values) *Refusal {
	text := form.Get("claims")
	if text == "" {
		return nil
	}
	malformed := refuse("invalid_request", "claims", "The parameter claims is not a JSON object of the form of OpenID Connect Core, section 5.5.")
	userinfo, idToken, err := parseClaims(text)
	if err != nil {
		return malformed
	}
	r.Claims.Userinfo, r.Claims.IDToken = claimsAllowed(client, userinfo), claimsAllowed(client, idToken)
	if acr := idToken["acr"]; acr != nil { // section 5.5.1.1
		if r.ACR = acr.texts(); len(r.ACR) != acr.count() {
			return refuse("invalid_request", "claims", "The parameter claims asks for acr in a way that cannot be understood.")
		}
		r.MustACR = acr.Essential && len(r.ACR) > 0
	}
	for _, where := range []map[string]*claimWish{idToken, userinfo} {
		// Section 5.5.1: the user must be this one.
		for _, subject := range where["sub"].texts() {
			if r.HintSubject != "" && r.HintSubject != subject {
				return refuse("invalid_request", "claims", "The request names more than one user.")
			}
			r.HintSubject = subject
		}
	}
	return nil
}

// parseClaims reads a claims parameter. Members of other names mean nothing.
func parseClaims(text string) (userinfo, idToken map[string]*claimWish, err error) {
	if err := checkShape(text); err != nil {
		return nil, nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &members); err != nil {
		return nil, nil, errShape
	}
	for name, to := range map[string]*map[string]*claimWish{"userinfo": &userinfo, "id_token": &idToken} {
		if member := members[name]; member != nil && json.Unmarshal(member, to) != nil {
			return nil, nil, errShape
		}
	}
	return userinfo, idToken, nil
}

// claimsAllowed returns the names of claims that a client may have, in order.
func claimsAllowed(client *storage.Client, wishes map[string]*claimWish) (names []string) {
	for _, claim := range userClaims {
		if _, asked := wishes[claim.name]; asked && has(client.Scopes, claim.scope) {
			names = append(names, claim.name)
		}
	}
	return names
}

var errShape = errors.New("openid: a JSON object of another shape")

// checkShape accepts one JSON object of limited size and depth, without a name
// twice in an object.
func checkShape(text string) error {
	if len(text) > maxClaims || !utf8.ValidString(text) {
		return errShape
	}
	in := json.NewDecoder(bytes.NewReader([]byte(text)))
	in.UseNumber()
	if first, err := in.Token(); err != nil || first != json.Delim('{') {
		return errShape
	}
	left := maxClaimsCount
	if err := checkObject(in, maxClaimsDepth, &left); err != nil {
		return err
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return errShape
	}
	return nil
}

// checkObject reads the rest of an object whose brace was read.
func checkObject(in *json.Decoder, depth int, left *int) error {
	names := map[string]bool{}
	for in.More() {
		token, err := in.Token()
		name, isName := token.(string)
		if err != nil || !isName || names[name] {
			return errShape
		}
		names[name] = true
		if err := checkValue(in, depth, left); err != nil {
			return err
		}
	}
	return closed(in)
}

// checkValue reads a value.
func checkValue(in *json.Decoder, depth int, left *int) error {
	if *left--; *left < 0 || depth == 0 {
		return errShape
	}
	token, err := in.Token()
	switch {
	case err != nil:
		return errShape
	case token == json.Delim('{'):
		return checkObject(in, depth-1, left)
	case token == json.Delim('['):
		for in.More() {
			if err := checkValue(in, depth-1, left); err != nil {
				return err
			}
		}
		return closed(in)
	}
	return nil
}

// closed reads the end of an object or array.
func closed(in *json.Decoder) error {
	if _, err := in.Token(); err != nil {
		return errShape
	}
	return nil
}

// wished returns the claims that a grant was asked for one by one.
func wished(g *storage.Grant) (asked ClaimsRequest) {
	if g.Details.Claims == "" || json.Unmarshal([]byte(g.Details.Claims), &asked) != nil {
		return ClaimsRequest{} // nothing that this version knows
	}
	return asked
}

// kept returns the claims as a grant keeps them.
func (c ClaimsRequest) kept() (string, error) {
	if len(c.Userinfo)+len(c.IDToken) == 0 {
		return "", nil
	}
	text, err := json.Marshal(c)
	return string(text), err
}

// claimsMetadata is what the provider's configuration says of claims
// (OpenID Connect Discovery 1.0, section 3).
type claimsMetadata struct {
	ClaimTypes      []string `json:"claim_types_supported"`
	Claims          []string `json:"claims_supported"`
	ClaimsParameter bool     `json:"claims_parameter_supported"`
	SubjectTypes    []string `json:"subject_types_supported"`
	UserinfoAlgs    []string `json:"userinfo_signing_alg_values_supported"`
	UILocales       []string `json:"ui_locales_supported"`
}

func newClaimsMetadata() claimsMetadata {
	names := []string{
		"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "azp", "sid", "amr", "acr",
	}
	for _, c := range userClaims {
		names = append(names, c.name)
	}
	return claimsMetadata{
		ClaimTypes: []string{"normal"}, Claims: names, ClaimsParameter: true,
		SubjectTypes: []string{"public", pairwise}, UserinfoAlgs: keyring.Algorithms, UILocales: words.Tags(),
	}
}
