package openid

import (
	"net/url"
	"slices"
	"strings"
)

// The modes in which a client can have its answer (OAuth 2.0 Multiple Response
// Type Encoding Practices 1.0, section 2.1; OAuth 2.0 Form Post Response Mode 1.0).
const (
	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"
)

var modes = []string{modeQuery, modeFragment, modeFormPost}

// modeOf returns the response mode that a request asks for, as far as it can be
// heeded: a refusal goes back in it, too. What has a token, or was meant to, never
// goes by the query (OAuth 2.0 Multiple Response Type Encoding Practices 1.0,
// sections 3 and 5).
func modeOf(form url.Values) string {
	usual := modeQuery
	if asksInFront(form.Get("response_type")) {
		usual = modeFragment
	}
	sent := form["response_mode"]
	if len(sent) != 1 || !slices.Contains(modes, sent[0]) || sent[0] == modeQuery {
		return usual
	}
	return sent[0]
}

// Answer is an authorization response on its way to the client.
type Answer struct {
	// Location is where the browser takes it.
	Location string
	// Form is what it posts there; nil if it only goes there.
	Form url.Values
	// Unsigned are tokens that belong to it and are not signed yet, which
	// [Provider.Complete] sees to; nil for none.
	Unsigned *Unsigned
}

// answer makes the answer to a request. The redirect URI is left as it was
// registered.
func answer(r *Request, issuer string, values url.Values) Answer {
	if r.State != "" {
		values.Set("state", r.State)
	}
	values.Set("iss", issuer) // RFC 9207, section 2
	switch {
	case r.ResponseMode == modeFormPost:
		return Answer{Location: r.RedirectURI, Form: values}
	case r.ResponseMode == modeFragment:
		return Answer{Location: r.RedirectURI + "#" + values.Encode()}
	case strings.Contains(r.RedirectURI, "?"):
		return Answer{Location: r.RedirectURI + "&" + values.Encode()}
	}
	return Answer{Location: r.RedirectURI + "?" + values.Encode()}
}
