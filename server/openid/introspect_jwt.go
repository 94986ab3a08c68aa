package openid

import (
	"cmp"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"authy/server/keyring"
	"authy/server/steady"
	"authy/storage"
)

// A resource server that wants to be able to show what it was told asks for the answer as a
// signed JWT, by its Accept header (RFC 9701).

// introspectionType is the media type of a signed answer (RFC 9701, section 5).
const introspectionType = "application/" + string(keyring.Introspection)

var signedAnswerType = []string{introspectionType}

// introspectionMetadata is what discovery says of signed answers (RFC 9701, section 7).
type introspectionMetadata struct {
	IntrospectionAlgs []string `json:"introspection_signing_alg_values_supported"`
}

func newIntrospectionMetadata() introspectionMetadata {
	return introspectionMetadata{keyring.Algorithms}
}

// signedIntrospection is a signed answer (RFC 9701, section 5). It has no sub and exp: it is
// no token, and nobody is to take it for one.
type signedIntrospection struct {
	Issuer        string         `json:"iss"`
	Audience      string         `json:"aud"`
	IssuedAt      int64          `json:"iat"` // seconds
	Introspection *introspection `json:"token_introspection"`
}

// wantsSigned says whether the Accept headers of a request prefer a signed answer: whoever
// sends none, or a wildcard, gets plain JSON.
func wantsSigned(accept []string) bool {
	list := strings.ToLower(strings.Join(accept, ","))
	if !strings.Contains(list, introspectionType) {
		return false
	}
	var signed, plain float64
	for one := range strings.SplitSeq(list, ",") {
		switch kind, weight := acceptable(one); kind {
		case introspectionType:
			signed = max(signed, weight)
		case jsonType[0]:
			plain = max(plain, weight)
		}
	}
	return signed > 0 && signed >= plain
}

// acceptable returns a media range of an Accept header and its weight (RFC 9110, section
// 12.5.1); "" for one that cannot be read.
func acceptable(text string) (kind string, weight float64) {
	kind, parameters, err := mime.ParseMediaType(text)
	if err != nil {
		return "", 0
	}
	weight, err = strconv.ParseFloat(cmp.Or(parameters["q"], "1"), 64)
	if err != nil || !(weight >= 0 && weight <= 1) {
		return "", 0
	}
	return kind, weight
}

// serveSigned answers the resource server c, which is authenticated, with a signed JWT about
// a token. It is signed by the algorithm that c has registered, RS256 by default (RFC 9701,
// section 6).
func (p *Provider) serveSigned(w http.ResponseWriter, r *http.Request, c *storage.Client, token string) {
	answer, err := p.introspect(r.Context(), c, token)
	if err != nil {
		writeInternal(w, r, err)
		return
	}
	text, err := p.keys.Sign(r.Context(), cmp.Or(c.Options.IntrospectionAlg, keyring.RS256), keyring.Introspection,
		&signedIntrospection{p.Issuer, c.ClientID, steady.Now().Unix(), answer})
	if err != nil {
		writeInternal(w, r, err)
		return
	}
	w.Header()["Content-Type"] = signedAnswerType
	w.Write([]byte(text)) //nolint:errcheck,gosec // no browser shows a JWT, and the client has gone
}
