package registry

import (
	"net/url"
	"slices"
	"strings"

	"authy/server/fault"
)

// Implicit is the grant of tokens that come with the answer to an authorization
// request, and not for a code. It is no grant of the token endpoint.
const Implicit = "implicit"

// ResponseType is what an authorization request has in its answer: a set of
// values, whose order means nothing (RFC 6749, section 3.1.1). The zero one is a
// code, too.
type ResponseType struct {
	Code    bool `json:"code,omitempty"`
	IDToken bool `json:"id_token,omitempty"`
	Token   bool `json:"token,omitempty"`
}

// ParseResponseType reads a response type. Its values are known, and none is there
// twice.
func ParseResponseType(text string) (kind ResponseType, ok bool) {
	for word := range strings.SplitSeq(text, " ") {
		var value *bool
		switch word {
		case "code":
			value = &kind.Code
		case "id_token":
			value = &kind.IDToken
		case "token":
			value = &kind.Token
		}
		if value == nil || *value {
			return ResponseType{}, false
		}
		*value = true
	}
	return kind, true
}

// String returns the values in the order of OAuth 2.0 Multiple Response Type
// Encoding Practices 1.0.
func (t ResponseType) String() string {
	var words []string
	for i, set := range []bool{t.HasCode(), t.IDToken, t.Token} {
		if set {
			words = append(words, []string{"code", "id_token", "token"}[i])
		}
	}
	return strings.Join(words, " ")
}

// HasCode says whether the answer has a code.
func (t ResponseType) HasCode() bool { return t.Code || !t.InFront() }

// InFront says whether the answer has a token, which the browser then sees.
func (t ResponseType) InFront() bool { return t.IDToken || t.Token }

// HasAccess says whether the answer has an access token, or a code that leads to one.
func (t ResponseType) HasAccess() bool { return t.HasCode() || t.Token }

// responseTypes are those that there are. The first is always there, the others
// where [Service.Implicit] lets them be.
var responseTypes = []string{"code", "id_token", "id_token token"}

// ResponseTypes returns the response types that this server has.
func (s *Service) ResponseTypes() []string {
	if s.Implicit {
		return responseTypes
	}
	return responseTypes[:1]
}

// GrantTypes returns the grants that this server has.
func (s *Service) GrantTypes() []string {
	if s.Implicit {
		return append(slices.Clip(GrantTypes), Implicit)
	}
	return GrantTypes
}

// Answers says whether this server has a response type.
func (s *Service) Answers(kind ResponseType) bool {
	return kind == ResponseType{Code: true} || slices.Contains(s.ResponseTypes(), kind.String())
}

// MayHave says whether a client is registered for a response type.
func MayHave(c *Client, kind ResponseType) bool {
	if kind.InFront() && (ProfileOf(c) != Legacy || !kind.Code && !has(c.GrantTypes, Implicit)) {
		return false
	}
	return (!kind.HasCode() || has(c.GrantTypes, "authorization_code")) && has(c.ResponseTypes, kind.String())
}

// ResponseTypesOf returns the response types that a client is registered for.
func ResponseTypesOf(c *Client) []string { return fitting(c.ResponseTypes, c.GrantTypes) }

// fitting returns what grants leave of response types, and the code that they need.
func fitting(types, grants []string) (left []string) {
	if has(grants, "authorization_code") {
		left = append(left, "code")
	}
	for _, text := range types {
		if kind, known := ParseResponseType(text); known && !kind.Code && has(grants, Implicit) {
			left = append(left, text)
		}
	}
	return left
}

// normalTypes returns response types as they are kept: each once, in the order of
// those that there are.
func normalTypes(types []string) (out []string) {
	for i, text := range types {
		if kind, known := ParseResponseType(text); known {
			types = slices.Clone(types)
			types[i] = kind.String()
		}
	}
	for _, text := range responseTypes {
		if has(types, text) {
			out = append(out, text)
		}
	}
	for _, text := range unique(types) {
		if !has(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// responseProblems notes which response types and grants do not fit each other
// (OpenID Connect Dynamic Client Registration 1.0, section 2).
func (in Registration) responseProblems(note func(field, problem string)) {
	var all ResponseType // of any
	for _, text := range in.ResponseTypes {
		if !has(responseTypes, text) {
			note("response_types", "Must be one of: "+strings.Join(responseTypes, ", ")+".")
			return
		}
		kind, _ := ParseResponseType(text)
		all = ResponseType{all.Code || kind.Code, all.IDToken || kind.IDToken, all.Token || kind.Token}
	}
	coded, implicit := has(in.GrantTypes, "authorization_code"), has(in.GrantTypes, Implicit)
	switch {
	case all.Code && !coded:
		note("grant_types", "The response type code needs the grant authorization_code.")
	case !all.Code && coded:
		note("response_types", "The grant authorization_code needs the response type code.")
	}
	switch {
	case all.InFront() && !implicit:
		note("grant_types", "The response types id_token and id_token token need the grant implicit.")
	case !all.InFront() && implicit:
		note("response_types", "The grant implicit needs the response type id_token or id_token token.")
	}
	if all.InFront() {
		in.implicitProblems(note, all)
	}
}

// implicitProblems notes what a client may not have whose tokens come in answers.
func (in Registration) implicitProblems(note func(field, problem string), all ResponseType) {
	if in.Options.Profile != Legacy {
		note("response_types", "Only a client of the profile legacy has tokens in the answers to its requests.")
	}
	if all.Token && in.Options.DPoPTokens {
		note("dpop_bound_access_tokens", "A token that comes in an answer cannot be bound to a key.")
	}
	if len(in.RedirectURIs) == 0 {
		note("redirect_uris", "The implicit grant needs one at least.")
	}
	for _, uri := range in.RedirectURIs {
		if !in.mayShow(uri) {
			note("redirect_uris", shown(uri)+": tokens need https and a host other than localhost, unless the application is native")
		}
	}
}

// mayShow says whether tokens may be sent to a redirect URI (OpenID Connect Core
// 1.0, section 3.2.2.1; Dynamic Client Registration 1.0, section 2).
func (in Registration) mayShow(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || in.ApplicationType == "native" {
		return true // other problems say what is wrong with it
	}
	return u.Scheme == "https" && !isLoopback(u.Hostname())
}

// checkImplicit refuses response types that a client does not have yet, and that
// this server does not let anyone have.
func (s *Service) checkImplicit(before, in Registration) error {
	for _, text := range in.ResponseTypes {
		if kind, _ := ParseResponseType(text); kind.InFront() && !has(before.ResponseTypes, text) && !s.Answers(kind) {
			return fault.Field("response_types", "This server gives no tokens in answers: openid.implicit is false.")
		}
	}
	return nil
}
