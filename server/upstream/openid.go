package upstream

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"authy/server/keyset"
	"authy/server/provider"
	"authy/storage"
)

// maxAddress is how long a URL may be that a browser is sent to, in bytes; what is
// longer is posted.
const maxAddress = 4 << 10

// openID speaks OpenID Connect with a provider.
type openID struct {
	*Service
	p *storage.Provider
	flavor
}

// flavor is in what providers of OpenID Connect differ.
type flavor interface {
	// authority is where the provider publishes what it is.
	authority(p *storage.Provider) string
	// owns says whether the metadata of an issuer may come from an authority.
	owns(authority, issuer string) bool
	// answers says whether an answer with the parameter iss is one of the provider.
	answers(m *metadata, iss string) bool
	// owner is whose keys sign.
	owner(m *metadata) keyset.Owner
	// issuer returns the one name of who issued a token with verified claims.
	issuer(m *metadata, claims keyset.Claims) (string, error)
	// lacks says whether userinfo is worth asking, with the claims of the ID token.
	lacks(p *storage.Provider, claims keyset.Claims) bool
	// state finishes a statement that was made of claims.
	state(p *storage.Provider, claims keyset.Claims, s *provider.Statement) error
}

// metadata returns what the provider says of itself, which must be of the issuer
// that was named (OpenID Connect Discovery 1.0, section 4.3).
func (o *openID) metadata(ctx context.Context) (*metadata, error) {
	authority := o.authority(o.p)
	m, err := o.documents.get(ctx, authority)
	if err != nil {
		return nil, err
	}
	if !o.owns(authority, m.Issuer) {
		return nil, provider.Refuse(provider.Misconfigured, "wrong_metadata",
			fmt.Errorf("%s has the metadata of the issuer %.200q", wellKnown(authority), m.Issuer))
	}
	return m, nil
}

func (o *openID) begin(ctx context.Context, now time.Time, ask provider.Ask) (*provider.Request, error) {
	m, err := o.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if _, known := m.clientMethod(o.p); !known {
		return nil, provider.Refuse(provider.Misconfigured, "no_client_authentication",
			fmt.Errorf("the token endpoint takes %.200q", m.TokenMethods))
	}
	trip := newTrip(now, ask)
	query := codeRequest(o.p, ask, &trip, o.scopes(m))
	query.Set("nonce", trip.Nonce)
	if ask.LoginHint != "" {
		query.Set("login_hint", ask.LoginHint)
	}
	if ask.Again {
		query.Set("prompt", "login")
		query.Set("max_age", "0") // so that there is an auth_time
	}
	if !slices.Contains(m.ResponseModes, "query") && slices.Contains(m.ResponseModes, "form_post") {
		query.Set("response_mode", "form_post")
	}
	address, err := with(m.AuthorizationEndpoint, query)
	if err != nil {
		return nil, err
	}
	return &provider.Request{URL: address, Trip: trip}, nil
}

// scopes returns what is asked for.
func (o *openID) scopes(m *metadata) []string {
	scopes := slices.Clone(o.p.Options.Scopes)
	if len(scopes) == 0 {
		scopes = []string{"openid", "profile", "email"}
		// Many providers refuse a scope that they do not know.
		if o.p.Options.Groups != "" && slices.Contains(m.Scopes, "groups") {
			scopes = append(scopes, "groups")
		}
	}
	if !slices.Contains(scopes, "openid") {
		scopes = slices.Insert(scopes, 0, "openid")
	}
	return scopes
}

func (o *openID) finish(
	ctx context.Context, now time.Time, trip provider.Trip, answer url.Values,
) (*provider.Statement, error) {
	m, err := o.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if err := o.checkSender(m, answer); err != nil {
		return nil, err
	}
	code, err := codeOf(answer)
	if err != nil {
		return nil, err
	}
	method, _ := m.clientMethod(o.p)
	members, err := o.exchange(ctx, o.p, tokenEndpoint{m.TokenEndpoint, method, m.Issuer, m.TokenAlgs}, trip, code)
	if err != nil {
		return nil, err
	}
	t, err := o.verify(ctx, m, now, trip, members)
	if err != nil {
		return nil, err
	}
	if t.claims, err = o.complete(ctx, m, t); err != nil {
		return nil, err
	}
	s, err := statement(o.p, t)
	if err != nil {
		return nil, err
	}
	return s, o.state(o.p, t.claims, s)
}

// checkSender refuses an answer that another provider has sent, which is how the
// mix-up attack works (RFC 9207, section 2.4).
func (o *openID) checkSender(m *metadata, answer url.Values) error {
	if err := unambiguous(answer); err != nil {
		return err
	}
	switch {
	case !answer.Has("iss") && m.NamesIssuer:
		return provider.Refuse(provider.Untrue, "no_answer_issuer", nil)
	case answer.Has("iss") && !o.answers(m, answer.Get("iss")):
		return provider.Refuse(provider.Untrue, "wrong_answer_issuer", fmt.Errorf("the answer is from %.200q", answer.Get("iss")))
	}
	return nil
}

func (o *openID) logout(ctx context.Context, now time.Time, hint, returnURL string) (*provider.Request, error) {
	m, err := o.metadata(ctx)
	if err != nil || m.EndSessionEndpoint == "" {
		return nil, err
	}
	returnURL, state, _ := strings.Cut(returnURL, "?state=") // it is registered there without
	if state == "" {
		state = rand.Text()
	}
	trip := provider.Trip{ReturnURL: returnURL, RequestID: state, AskedAt: now}
	// OpenID Connect RP-Initiated Logout 1.0, section 2.
	query := url.Values{
		"client_id": {o.p.ClientID}, "post_logout_redirect_uri": {returnURL}, "state": {trip.RequestID},
	}
	if hint != "" {
		query.Set("id_token_hint", hint)
	}
	address, err := with(m.EndSessionEndpoint, query)
	if err != nil {
		return nil, err
	}
	if len(address) > maxAddress {
		return &provider.Request{URL: m.EndSessionEndpoint, Form: query, Trip: trip}, nil
	}
	return &provider.Request{URL: address, Trip: trip}, nil
}

// plain is a provider that is as the specification has it.
type plain struct{}

func (plain) authority(p *storage.Provider) string { return p.Issuer }

// owns: section 4.3, the issuer is the one that was named, letter by letter.
func (plain) owns(authority, issuer string) bool { return issuer == authority }

func (plain) answers(m *metadata, iss string) bool { return iss == m.Issuer }

func (plain) owner(m *metadata) keyset.Owner { return keyset.Owner{ID: m.KeysURL, URL: m.KeysURL} }

func (plain) issuer(m *metadata, claims keyset.Claims) (string, error) {
	if iss, err := claims.Text("iss"); err != nil || iss != m.Issuer {
		return "", fmt.Errorf("iss is %.200q", iss)
	}
	return m.Issuer, nil
}

func (plain) lacks(p *storage.Provider, claims keyset.Claims) bool {
	if groups := p.Options.Groups; groups != "" && find(claims, groups) == nil {
		return true
	}
	return claims["email"] == nil || claims["name"] == nil
}

func (plain) state(*storage.Provider, keyset.Claims, *provider.Statement) error { return nil }
