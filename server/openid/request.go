package openid

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"authy/server/registry"
	"authy/storage"
)

// Request is an authorization request that may be answered: client and
// redirect URI are exact and every parameter is understood.
type Request struct {
	ClientID      string   `json:"client_id"`
	RedirectURI   string   `json:"redirect_uri"`
	State         string   `json:"state,omitempty"`
	Nonce         string   `json:"nonce,omitempty"`
	CodeChallenge string   `json:"code_challenge,omitempty"`
	Scopes        []string `json:"scopes"`
	Prompt        []string `json:"prompt,omitempty"`
	// MaxAge is the longest time since the user proved who they are, in
	// seconds; nil for any.
	MaxAge    *int64 `json:"max_age,omitempty"`
	LoginHint string `json:"login_hint,omitempty"`
	// UILocales are the languages that the pages are to be in, the best first.
	UILocales string `json:"ui_locales,omitempty"`
	// HintSubject is the user whom id_token_hint or claims names, as the client
	// knows them ([Provider.Subject]): a hint, not a proof.
	HintSubject string `json:"hint_subject,omitempty"`
	// Claims are what is asked for one by one, Resources what the tokens are for.
	Claims    ClaimsRequest `json:"claims,omitzero"`
	Resources []string      `json:"resources,omitempty"`
	// JKT is the thumbprint of the key that the code is bound to (RFC 9449, section 10).
	JKT string `json:"dpop_jkt,omitempty"`
	// ResponseType is what the client gets; the zero one is a code.
	ResponseType registry.ResponseType `json:"response_type,omitzero"`
	// Device is what is to be let in; nil for a request that came by a browser.
	Device *Device `json:"device,omitempty"`
	// ResponseMode is how the client gets it; "" is by the query.
	ResponseMode string `json:"response_mode,omitempty"`
	// ACR are the authentication contexts that are asked for, the best first;
	// MustACR says that nothing less will do.
	ACR     []string `json:"acr,omitempty"`
	MustACR bool     `json:"must_acr,omitempty"`
}

const (
	maxParameter = 4096 // bytes of any parameter
	maxScopes    = 64
)

// single lists the parameters this provider understands. None may be repeated
// (RFC 6749, section 3.1).
var single = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce",
	"code_challenge", "code_challenge_method", "prompt", "max_age", "login_hint", "id_token_hint",
	"request", "request_uri", "registration", "display", "ui_locales", "claims_locales", "acr_values", "claims",
	"dpop_jkt",
}

// parseRequest is [Provider.ParseRequest], but that nothing is kept.
func (p *Provider) parseRequest(ctx context.Context, form url.Values) (*Request, error) {
	in, err := p.effective(ctx, form)
	if err != nil {
		return nil, err
	}
	return p.parse(ctx, in)
}

func (p *Provider) parse(ctx context.Context, in *asked) (*Request, error) {
	form := in.form
	client, refusal, err := p.requestClient(ctx, form)
	if err != nil {
		return nil, err
	}
	if refusal != nil {
		return nil, in.or(refusal)
	}
	r := &Request{ClientID: client.ClientID, RedirectURI: form.Get("redirect_uri")}
	if len(form["state"]) == 1 && isText(form.Get("state")) {
		r.State = form.Get("state")
	}
	r.ResponseMode = modeOf(form)
	for _, check := range []func(context.Context, *storage.Client, *Request, url.Values) *Refusal{
		in.check, p.checkForm, p.checkResponse, p.checkScope, p.checkPKCE, p.checkPrompt, p.checkHints,
		p.checkClaims, p.checkResources, p.checkKey, p.checkACR, p.checkInFront,
	} {
		if refusal := check(ctx, client, r, form); refusal != nil {
			refusal.back, refusal.issuer = r, p.Issuer
			return nil, refusal
		}
	}
	return r, nil
}

// requestClient returns the client of a request whose redirect URI is
// registered. Until both are certain nothing is sent anywhere
// (RFC 6749, section 4.1.2.1).
func (p *Provider) requestClient(ctx context.Context, form url.Values) (*storage.Client, *Refusal, error) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		switch values := form[name]; {
		case len(values) > 1:
			return nil, refuse("invalid_request", name, "The parameter "+name+" appears more than once."), nil
		case len(values) == 0 || values[0] == "":
			return nil, refuse("invalid_request", name, "The parameter "+name+" is missing."), nil
		case !isText(values[0]):
			return nil, refuse("invalid_request", name, "The parameter "+name+" is too long or not plain text."), nil
		}
	}
	client, err := p.clients.Client(ctx, form.Get("client_id"))
	if errors.Is(err, registry.ErrNoClient) {
		refusal := refuse("unauthorized_client", "client_id", "No application with this client_id is registered here, or it is disabled.")
		refusal.Sent = form.Get("client_id")
		return nil, refusal, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if !registry.Matches(client, form.Get("redirect_uri")) {
		refusal := refuse("invalid_request", "redirect_uri",
			"The redirect_uri is not one that the application has registered. They must be the same to the letter.")
		refusal.Sent, refusal.Registered, refusal.ClientID = form.Get("redirect_uri"), client.RedirectURIs, client.ClientID
		return nil, refusal, nil
	}
	return client, nil, nil
}

func (p *Provider) checkForm(_ context.Context, _ *storage.Client, _ *Request, form url.Values) *Refusal {
	for _, name := range single {
		if len(form[name]) > 1 {
			return refuse("invalid_request", name, "The parameter "+name+" appears more than once.")
		}
		if name != "id_token_hint" && name != "claims" && !isText(form.Get(name)) {
			return refuse("invalid_request", name, "The parameter "+name+" is too long or not plain text.")
		}
	}
	if form.Has("registration") {
		return refuse("registration_not_supported", "registration", "The parameter registration is not supported.")
	}
	return nil
}

func isText(s string) bool { return len(s) <= maxParameter && registry.IsPlain(s) }

// checkScope keeps the scopes that the client may ask for. Others are left
// out, as RFC 6749, section 3.3 allows; the token response says what is left.
func (p *Provider) checkScope(_ context.Context, client *storage.Client, r *Request, form url.Values) *Refusal {
	asked := strings.Fields(form.Get("scope"))
	if len(asked) > maxScopes {
		return refuse("invalid_scope", "scope", "The parameter scope holds too many scopes.")
	}
	for _, scope := range asked {
		if slices.Contains(client.Scopes, scope) && !slices.Contains(r.Scopes, scope) {
			r.Scopes = append(r.Scopes, scope)
		}
	}
	if len(r.Scopes) == 0 {
		return refuse("invalid_scope", "scope", "The application asked for no scope that it may have.")
	}
	return nil
}

// checkPKCE requires S256 wherever the client does, and accepts no other
// method anywhere (RFC 7636, section 4.3; RFC 9700, section 2.1.1).
func (p *Provider) checkPKCE(_ context.Context, client *storage.Client, r *Request, form url.Values) *Refusal {
	challenge, method := form.Get("code_challenge"), form.Get("code_challenge_method")
	switch {
	case !r.ResponseType.HasCode():
		return nil // there is nothing to prove
	case challenge == "" && (client.RequirePKCE || registry.IsPublic(client)):
		return refuse("invalid_request", "code_challenge", "PKCE is required: the parameter code_challenge is missing.")
	case challenge == "" && method != "":
		return refuse("invalid_request", "code_challenge", "The parameter code_challenge is missing.")
	case challenge == "":
		return nil
	case method != "S256":
		return refuse("invalid_request", "code_challenge_method", "The only code_challenge_method is S256.")
	case len(challenge) != 43 || !isUnreserved(challenge):
		return refuse("invalid_request", "code_challenge", "The parameter code_challenge is not a SHA-256 in base64url.")
	}
	r.CodeChallenge = challenge
	return nil
}

// isUnreserved says whether s has the letters of RFC 7636, section 4.1 alone.
func isUnreserved(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') &&
			!strings.ContainsRune("-._~", r)
	})
}

// checkHints takes an ID token as a hint about the user's session with this
// very client (OpenID Connect Core 1.0, section 3.1.2.1), not with another.
func (p *Provider) checkHints(ctx context.Context, client *storage.Client, r *Request, form url.Values) *Refusal {
	r.Nonce, r.LoginHint, r.UILocales = form.Get("nonce"), form.Get("login_hint"), form.Get("ui_locales")
	hint := form.Get("id_token_hint")
	if hint == "" {
		return nil
	}
	token, err := p.parseIDToken(ctx, hint)
	if err != nil || soleAudience(token) != client.ClientID {
		return refuse("invalid_request", "id_token_hint", "The id_token_hint is not an ID token of this server for the application.")
	}
	r.HintSubject = token.Subject
	return nil
}
