// Package upstream asks others who somebody is: Google, GitHub, Microsoft and any
// provider of OpenID Connect. It knows their protocols and their quirks, believes
// nothing that it has not checked, and says what it found as a
// [provider.Statement]. It refuses to know who may come in, and keeps nothing but
// what providers publish of themselves.
//
// Read upstream.go (the way there and back), discovery.go (what a provider says of
// itself), exchange.go (a code for tokens), idtoken.go and userinfo.go (what is believed),
// statement.go (what is made of it), then google.go, microsoft.go and github.go.
package upstream

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"authy/server/keyset"
	"authy/server/outbound"
	"authy/server/provider"
	"authy/server/steady"
	"authy/storage"
)

// patience is how long somebody who comes back is kept waiting in all.
const patience = 9 * time.Second

// Service speaks with providers.
type Service struct {
	// Assert returns a JWT by which a client proves who it is, for an audience and
	// signed with one of algs; nil proves nothing. See [provider.Service.Assertion].
	Assert func(ctx context.Context, clientID, audience string, algs []string) (string, error)

	ask       *outbound.Client
	keys      *keyset.Cache
	documents *documents
}

// New returns the service; ask is how it goes out.
func New(ask *outbound.Client) *Service {
	return &Service{ask: ask, keys: keyset.NewCache(ask), documents: newDocuments(ask)}
}

// Begin returns where a browser is sent to be asked. An error is a
// [provider.Refusal].
func (s *Service) Begin(ctx context.Context, p *storage.Provider, ask provider.Ask) (*provider.Request, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d, err := s.dialect(p)
	if err != nil {
		return nil, err
	}
	if ask.Again && !provider.ProvesAgain(p.Kind) {
		return nil, &provider.Refusal{
			Kind: provider.Misconfigured, Reason: "cannot_ask_again",
			Text: "This provider cannot confirm that it is you right now. Use your password or a passkey, or sign in another way.",
		}
	}
	return d.begin(ctx, steady.Now(), ask)
}

// Finish says who came back with an answer; trip is what [Service.Begin] gave. The
// caller has found it by the state of the answer. An error is a
// [provider.Refusal].
func (s *Service) Finish(
	ctx context.Context, p *storage.Provider, trip provider.Trip, answer url.Values,
) (*provider.Statement, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d, err := s.dialect(p)
	if err != nil {
		return nil, err
	}
	return d.finish(ctx, steady.Now(), trip, answer)
}

// Logout returns where a browser is sent to end its session at the provider too,
// and comes back to returnURL from; nil if the provider has no such place. The
// state, that of returnURL if it has one, is the request id of the trip. An error is a
// [provider.Refusal].
func (s *Service) Logout(
	ctx context.Context, p *storage.Provider, u *storage.UpstreamSession, returnURL string,
) (*provider.Request, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	d, err := s.dialect(p)
	if err != nil {
		return nil, err
	}
	return d.logout(ctx, steady.Now(), u.Hint, returnURL)
}

// dialect is how one provider is spoken with.
type dialect interface {
	begin(ctx context.Context, now time.Time, ask provider.Ask) (*provider.Request, error)
	finish(ctx context.Context, now time.Time, trip provider.Trip, answer url.Values) (*provider.Statement, error)
	logout(ctx context.Context, now time.Time, hint, returnURL string) (*provider.Request, error)
}

func (s *Service) dialect(p *storage.Provider) (dialect, error) {
	if p.Kind == provider.GitHub {
		return &gitHub{s, p}, nil
	}
	return s.openID(p)
}

func (s *Service) openID(p *storage.Provider) (*openID, error) {
	switch p.Kind {
	case provider.OIDC:
		return &openID{s, p, plain{}}, nil
	case provider.Google:
		return &openID{s, p, google{}}, nil
	case provider.Microsoft:
		return &openID{s, p, microsoft{}}, nil
	}
	return nil, provider.Refuse(provider.Misconfigured, "no_such_protocol",
		fmt.Errorf("provider %s is of kind %q", p.Slug, p.Kind))
}

// newTrip is what must be known again when the answer comes.
func newTrip(now time.Time, ask provider.Ask) provider.Trip {
	return provider.Trip{
		ReturnURL: ask.ReturnURL, AskedAt: now, Again: ask.Again,
		Nonce: rand.Text(), Verifier: rand.Text() + rand.Text(), // RFC 7636, section 4.1: at least 43
	}
}

// codeRequest are the parameters of a request for a code (RFC 6749, section
// 4.1.1; RFC 7636, section 4.3).
func codeRequest(p *storage.Provider, ask provider.Ask, trip *provider.Trip, scopes []string) url.Values {
	sum := sha256.Sum256([]byte(trip.Verifier))
	return url.Values{
		"response_type": {"code"}, "client_id": {p.ClientID}, "redirect_uri": {ask.ReturnURL},
		"scope": {strings.Join(scopes, " ")}, "state": {ask.State},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(sum[:])},
		"code_challenge_method": {"S256"},
	}
}

// with returns an endpoint with parameters; those that it has stay, but for
// those that are set.
func with(endpoint string, parameters url.Values) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", provider.Refuse(provider.Misconfigured, "bad_endpoint", err)
	}
	query := u.Query()
	maps.Copy(query, parameters)
	u.RawQuery = query.Encode()
	return u.String(), nil
}
