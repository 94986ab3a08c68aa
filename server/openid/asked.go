package openid

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"

	"authy/server/keyset"
	"authy/server/registry"
	"authy/storage"
)

// requestMetadata says in which forms a request may come (RFC 9101, section 10.5; RFC 9126,
// section 5; OpenID Connect Discovery 1.0, section 3).
type requestMetadata struct {
	RequestParameter    bool     `json:"request_parameter_supported"`
	RequestURIParameter bool     `json:"request_uri_parameter_supported"`
	RegisteredURIs      bool     `json:"require_request_uri_registration"`
	RequestAlgs         []string `json:"request_object_signing_alg_values_supported"`
	SignedRequests      bool     `json:"require_signed_request_object"`
	PushEndpoint        string   `json:"pushed_authorization_request_endpoint"`
	PushedRequests      bool     `json:"require_pushed_authorization_requests"`
}

func newRequestMetadata(issuer string) requestMetadata {
	return requestMetadata{
		RequestParameter: true, RequestURIParameter: true, RegisteredURIs: true,
		RequestAlgs:  append(slices.Clone(keyset.Signatures), "none"),
		PushEndpoint: issuer + PushPath,
	}
}

// asked is what a client asks, taken from where it stands: the parameters themselves, an
// object that holds them, or what the client has pushed.
type asked struct {
	form   url.Values
	pushed bool
	signed bool // the object by which it came was signed by the client
	// broken is why that place could not be read; form is then what was sent.
	broken *Refusal
}

// effective returns what an authorization request asks.
func (p *Provider) effective(ctx context.Context, form url.Values) (*asked, error) {
	in := &asked{form: form}
	if !form.Has("request") && !form.Has("request_uri") {
		return in, nil
	}
	client, err := p.requester(ctx, form)
	if err != nil {
		return nil, err
	}
	if in.broken = repeats(form); in.broken != nil {
		return in, nil
	}
	switch uri := form.Get("request_uri"); {
	case client == nil:
		in.broken = refuse("invalid_request", "client_id", "The parameter client_id is missing, or names no application.")
	case form.Has("request") && form.Has("request_uri"):
		in.broken = refuse("invalid_request", "request_uri", "The parameters request and request_uri do not go together.")
	case form.Has("request"):
		return in, p.open(ctx, client, in, form.Get("request"))
	case strings.HasPrefix(uri, pushedPrefix):
		return in, p.takePushed(ctx, client, in, uri)
	default:
		return in, p.fetch(ctx, client, in, uri)
	}
	return in, nil
}

// requester returns the client that a request names, nil if it names none: before a client
// is known nothing is fetched, opened or used up.
func (p *Provider) requester(ctx context.Context, form url.Values) (*storage.Client, error) {
	if id := form.Get("client_id"); len(form["client_id"]) != 1 || id == "" || !isText(id) {
		return nil, nil
	}
	client, err := p.clients.Client(ctx, form.Get("client_id"))
	if errors.Is(err, registry.ErrNoClient) {
		return nil, nil
	}
	return client, err
}

// repeats refuses a request with a parameter twice.
func repeats(form url.Values) *Refusal {
	for _, name := range single {
		if len(form[name]) > 1 {
			return refuse("invalid_request", name, "The parameter "+name+" appears more than once.")
		}
	}
	return nil
}

// or is the refusal that is told of a request whose client or redirect URI is not certain.
func (in *asked) or(refusal *Refusal) *Refusal {
	if in.broken != nil && refusal.Parameter != "client_id" {
		return in.broken
	}
	return refusal
}

// check refuses what could not be read, and a request that has not come in the way that its
// client has registered (RFC 9101, section 10.5; RFC 9126, section 6).
func (in *asked) check(_ context.Context, client *storage.Client, _ *Request, _ url.Values) *Refusal {
	switch {
	case in.broken != nil:
		return in.broken
	case client.Options.PushedRequest && !in.pushed:
		return refuse("invalid_request", "request_uri", "The application has registered that its requests are pushed, and this one was not.")
	case client.Options.SignedRequest && !in.signed:
		return refuse("invalid_request", "request", "The application has registered that its requests are signed, and this one is not.")
	}
	return nil
}

// supersede puts the parameters of an object in the place of those that were sent beside it.
// What the object does not say is taken from beside it (OpenID Connect Core 1.0, section
// 6.1), unless the client signs all its requests: then nothing unsigned counts (RFC 9101,
// section 5).
func (in *asked) supersede(client *storage.Client, object url.Values) {
	if client.Options.SignedRequest {
		in.form = object
		return
	}
	form := maps.Clone(in.form)
	delete(form, "request")
	delete(form, "request_uri")
	maps.Copy(form, object)
	in.form = form
}
