package openid

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"authy/server/fault"
	"authy/server/keyset"
	"authy/server/limit"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

const (
	maxObject      = 64 << 10        // bytes
	objectPatience = 5 * time.Second // how long the server with an object may take
)

// fetchRule is how many request objects one address may have fetched.
var fetchRule = limit.Rule{Name: "request-uri-address", Most: 1500, Window: 15 * time.Minute}

// reserved are the claims of a request object that are about the object, and no parameters
// (RFC 9101, section 4).
var reserved = []string{"iss", "aud", "exp", "nbf", "iat", "jti", "sub"}

func badObject(description string) *Refusal {
	return refuse("invalid_request_object", "request", description)
}

// fetch opens the object at a URI. The client has registered it, to the letter: nobody makes
// this server ask anywhere else. A fragment is not sent; it tells caches apart (OpenID
// Connect Core 1.0, section 6.2), and the object is not kept here.
func (p *Provider) fetch(ctx context.Context, client *storage.Client, in *asked, uri string) error {
	if !slices.Contains(client.Options.RequestURIs, uri) {
		in.broken = refuse("invalid_request_uri", "request_uri", "The request_uri is not one that the application has registered.")
		return nil
	}
	if err := p.Limits.Count(ctx, fetchRule, limit.Network(actor(ctx).IPAddress)); err != nil {
		if _, many := fault.As(err); !many {
			return err
		}
		in.broken = refuse("temporarily_unavailable", "request_uri", "Too many request objects were asked for. Try again later.")
		return nil
	}
	address, _, _ := strings.Cut(uri, "#")
	asking, cancel := context.WithTimeout(ctx, objectPatience)
	defer cancel()
	answer, err := p.Outbound.Get(asking, address, maxObject)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		slog.WarnContext(ctx, "a request object could not be fetched", "client_id", client.ClientID, "err", err)
		in.broken = refuse("invalid_request_uri", "request_uri", "The request object could not be fetched from the request_uri.")
		return nil
	}
	return p.open(ctx, client, in, strings.TrimSpace(string(answer.Body)))
}

// open takes the request from an object (RFC 9101, section 6; OpenID Connect Core 1.0,
// section 6).
func (p *Provider) open(ctx context.Context, client *storage.Client, in *asked, text string) error {
	token, err := keyset.Read(text, maxObject)
	switch {
	case errors.Is(err, keyset.ErrEncrypted):
		in.broken = badObject("Encrypted request objects are not supported.")
	case err != nil:
		in.broken = badObject("The request object is not a JWT.")
	default:
		in.broken = p.checkObject(client, token, in.form, steady.Now())
	}
	if in.broken != nil {
		return nil
	}
	if !token.IsUnsigned() {
		reason, err := p.signatureProblem(ctx, client, token)
		switch {
		case err != nil:
			return err
		case reason == "keys_unavailable":
			in.broken = badObject("The keys of the application are not registered, or could not be fetched.")
			return nil
		case reason != "":
			in.broken = badObject("The signature of the request object is not by a key of the application.")
			return nil
		}
	}
	form, refusal := parametersOf(token.Claims)
	if in.broken = refusal; refusal == nil {
		in.signed = !token.IsUnsigned()
		in.supersede(client, form)
	}
	return nil
}

// checkObject refuses an object that is not the client's, is not for this server, or
// contradicts what was sent beside it.
func (p *Provider) checkObject(client *storage.Client, t *keyset.Token, beside url.Values, now time.Time) *Refusal {
	if refusal := checkAlgorithm(client, t); refusal != nil {
		return refusal
	}
	issuer, err := t.Claims.Text("iss")
	if err != nil || t.Claims["iss"] != nil && issuer != client.ClientID {
		return badObject("The iss of the request object is not the client_id.")
	}
	audience, err := t.Claims.Audience()
	if err != nil || audience != nil && !slices.Contains(audience, p.Issuer) {
		return badObject("The aud of the request object is not this server.")
	}
	if subject, err := t.Claims.Text("sub"); err != nil || subject == client.ClientID {
		// RFC 9101, section 10.8: it could be taken for a client assertion, or be one.
		return badObject("The sub of a request object is not the client_id.")
	}
	if _, _, err := t.Claims.Times(now); err != nil {
		return badObject("The request object " + err.Error() + ".")
	}
	if t.Claims["request"] != nil || t.Claims["request_uri"] != nil {
		return badObject("A request object holds no request or request_uri.")
	}
	if client.Options.SignedRequest && t.Claims["client_id"] == nil {
		return badObject("The client_id is missing in the request object.")
	}
	for _, name := range []string{"client_id", "response_type"} {
		inside, err := t.Claims.Text(name)
		if err != nil || t.Claims[name] != nil && beside.Get(name) != "" && inside != beside.Get(name) {
			return badObject("The " + name + " of the request object is not the one beside it.")
		}
	}
	return nil
}

// checkAlgorithm refuses an object that is not signed as its client has registered. An
// unsigned one says no more than the same parameters in the query; it is for clients that
// have registered none, and for those of the profile legacy that have registered nothing.
func checkAlgorithm(client *storage.Client, t *keyset.Token) *Refusal {
	registered := client.Options.RequestAlg
	switch {
	case !slices.Contains([]string{"", "jwt", "oauth-authz-req+jwt"}, strings.ToLower(t.Type)):
		return badObject("The typ of the request object is not oauth-authz-req+jwt.")
	case t.IsUnsigned():
		allowed := registered == "none" || registered == "" && registry.ProfileOf(client) == registry.Legacy
		if !allowed || client.Options.SignedRequest {
			return badObject("The request object must be signed.")
		}
	case !slices.Contains(keyset.Signatures, t.Algorithm):
		return badObject("The request object is signed with an algorithm that is not supported.")
	case registered != "" && !keyset.IsOf(registered, t.Algorithm):
		return badObject("The request object is not signed with the algorithm that the application has registered.")
	}
	return nil
}

// parametersOf returns the parameters in the claims of an object. A JSON object stays JSON;
// a list is the same parameter more than once, where that can be.
func parametersOf(claims keyset.Claims) (url.Values, *Refusal) {
	form := url.Values{}
	for name, raw := range claims {
		if slices.Contains(reserved, name) {
			continue
		}
		values, ok := parameter(raw)
		if !ok || len(values) > 1 && slices.Contains(single, name) {
			return nil, badObject("A parameter in the request object has a value that it cannot have.")
		}
		form[name] = values
	}
	return form, nil
}

func parameter(raw json.RawMessage) (values []string, ok bool) {
	var text string
	switch raw[0] {
	case '"':
		ok = json.Unmarshal(raw, &text) == nil
		return []string{text}, ok
	case '[':
		ok = json.Unmarshal(raw, &values) == nil
		return values, ok && len(values) > 0
	case 'n': // null
		return nil, false
	}
	return []string{string(raw)}, true
}
