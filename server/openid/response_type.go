package openid

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"authy/server/registry"
	"authy/storage"
)

// asksInFront says whether a response type, known or not, asks for a token in the
// answer.
func asksInFront(text string) bool {
	return text != "code" && slices.ContainsFunc(strings.Fields(text), func(word string) bool {
		return word == "id_token" || word == "token"
	})
}

// checkResponse reads what the answer is to hold, and how it is to come.
func (p *Provider) checkResponse(_ context.Context, client *storage.Client, r *Request, form url.Values) *Refusal {
	text, mode := form.Get("response_type"), form.Get("response_mode")
	kind, known := registry.ParseResponseType(text)
	switch {
	case text == "":
		return refuse("invalid_request", "response_type", "The parameter response_type is missing.")
	case !known || !p.clients.Answers(kind):
		return refuse("unsupported_response_type", "response_type",
			"The parameter response_type knows "+strings.Join(p.clients.ResponseTypes(), ", ")+".")
	case !registry.MayHave(client, kind):
		return refuse("unauthorized_client", "response_type", "The application is not registered for the response_type "+kind.String()+".")
	case mode != "" && !slices.Contains(modes, mode):
		return refuse("invalid_request", "response_mode", "The parameter response_mode knows query, fragment and form_post.")
	case mode == modeQuery && kind.InFront():
		// OAuth 2.0 Multiple Response Type Encoding Practices 1.0, section 3.
		return refuse("invalid_request", "response_mode", "Tokens are not sent by the query: leave response_mode out, or send form_post.")
	}
	r.ResponseType = kind
	return nil
}

// checkInFront checks what holds for a request whose answer has a token
// (OpenID Connect Core 1.0, section 3.2.2.1).
func (p *Provider) checkInFront(_ context.Context, _ *storage.Client, r *Request, _ url.Values) *Refusal {
	kind := r.ResponseType
	if !kind.InFront() {
		return nil
	}
	r.dropOffline()
	switch {
	case kind.IDToken && r.Nonce == "":
		return refuse("invalid_request", "nonce", "The parameter nonce is missing: an ID token in the answer needs it.")
	case kind.IDToken && !has(r.Scopes, "openid"):
		return refuse("invalid_scope", "scope", "An ID token needs the scope openid.")
	case r.JKT != "" && (kind.Token || !kind.HasCode()):
		return refuse("invalid_request", "dpop_jkt", "What comes in an answer cannot be bound to a key: only a code can.")
	case !kind.HasAccess() && len(r.Claims.Userinfo) > 0: // section 5.5
		return refuse("invalid_request", "claims", "Claims at userinfo need an access token, which the response_type has not.")
	}
	return nil
}

// dropOffline takes offline_access out of a request that leads to no refresh token
// (OpenID Connect Core 1.0, section 11).
func (r *Request) dropOffline() {
	if !r.ResponseType.HasCode() {
		r.Scopes = slices.DeleteFunc(r.Scopes, func(scope string) bool { return scope == "offline_access" })
	}
}

// stillMay refuses a request for a token by who may not have it any more: the
// client was changed, or the server, while someone signed in. With a code that is
// looked at when it is redeemed.
func (p *Provider) stillMay(r *Request, client *storage.Client) error {
	switch kind := r.ResponseType; {
	case !kind.InFront():
		return nil
	case !registry.Matches(client, r.RedirectURI):
		return refuse("invalid_request", "redirect_uri", "The redirect_uri is not registered any more.")
	case !p.clients.Answers(kind) || !registry.MayHave(client, kind):
		return p.Refuse(r, "unauthorized_client", "The application may not have the response_type "+kind.String()+" any more.")
	}
	return nil
}
