package openid

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/limit"
	"authy/server/registry"
	"authy/storage"
)

// server is the part of the provider that op.Server serves: the endpoints at
// which clients authenticate. Grants it does not implement are refused as
// unsupported_grant_type.
type server struct {
	op.UnimplementedServer
	p *Provider
}

// client is a registered client in the form op.Server wants.
type client struct{ *storage.Client }

func (c client) GetID() string          { return c.ClientID }
func (c client) RedirectURIs() []string { return c.Client.RedirectURIs }

func (c client) PostLogoutRedirectURIs() []string { return c.Client.PostLogoutRedirectURIs }

func (c client) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }

func (c client) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (c client) LoginURL(string) string              { return "" }
func (c client) AccessTokenType() op.AccessTokenType { return op.AccessTokenTypeJWT }

func (c client) IDTokenLifetime() time.Duration { return c.Client.IDTokenLifetime.Duration() }
func (c client) DevMode() bool                  { return false }
func (c client) RestrictAdditionalIdTokenScopes() func([]string) []string { //nolint:staticcheck // the library names it
	return slices.Clone[[]string]
}

func (c client) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return slices.Clone[[]string]
}
func (c client) IsScopeAllowed(scope string) bool     { return has(c.Scopes, scope) }
func (c client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (c client) ClockSkew() time.Duration             { return 0 }

func (c client) AuthMethod() oidc.AuthMethod {
	if registry.IsPublic(c.Client) {
		return oidc.AuthMethodNone
	}
	return oidc.AuthMethodBasic
}

func (c client) GrantTypes() []oidc.GrantType {
	grants := make([]oidc.GrantType, len(c.Client.GrantTypes))
	for i, g := range c.Client.GrantTypes {
		grants[i] = oidc.GrantType(g)
	}
	return grants
}

// VerifyClient authenticates a client by its secret; a public client has none
// and may not send one (RFC 6749, section 2.3).
func (s *server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	if err := s.p.mayGuess(ctx, r.Data.ClientID); err != nil {
		return nil, err
	}
	c, err := s.p.clients.Client(ctx, r.Data.ClientID)
	switch {
	case errors.Is(err, registry.ErrNoClient):
		return nil, s.clientRefused(ctx, r.Data.ClientID, "unknown_client")
	case err != nil:
		return nil, internal(ctx, err)
	case registry.IsPublic(c) && r.Data.ClientSecret != "":
		return nil, s.clientRefused(ctx, c.ClientID, "secret_of_public_client")
	case !registry.IsPublic(c) && !s.p.clients.IsSecret(c, r.Data.ClientSecret, time.Now()):
		return nil, s.clientRefused(ctx, c.ClientID, "wrong_secret")
	}
	return client{c}, nil
}

// secretRule is how often the authentication of a client may fail from one
// address. Others that are that client, elsewhere, do not feel it.
var secretRule = limit.Rule{Name: "client-address", Most: 30, Window: 15 * time.Minute}

func guesser(ctx context.Context, clientID string) string {
	return storage.Hash(clientID) + ":" + limit.Network(actor(ctx).IPAddress)
}

// mayGuess refuses a guesser who has failed too often.
func (p *Provider) mayGuess(ctx context.Context, clientID string) error {
	err := p.Limits.Spent(ctx, secretRule, guesser(ctx, clientID))
	if _, many := fault.As(err); many {
		return op.NewStatusError(oidc.ErrInvalidClient().
			WithDescription("too many attempts, try again later"), http.StatusTooManyRequests)
	}
	return err
}

// clientRefused records a failed client authentication and returns the one
// answer to all of them.
func (s *server) clientRefused(ctx context.Context, clientID, reason string) error {
	if err := s.p.Limits.Failed(ctx, secretRule, guesser(ctx, clientID)); err != nil {
		return internal(ctx, err)
	}
	by, now := actor(ctx), time.Now()
	err := s.p.db.Update(ctx, func(tx *storage.Tx) error {
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "client.auth_failed", Failed: true, Reason: reason,
			TargetKind: "client", TargetID: audit.Cut(clientID, 128),
		})
	})
	if err != nil {
		return internal(ctx, err)
	}
	return errClientAuth
}

// errClientAuth is RFC 6749, section 5.2: 401 and WWW-Authenticate.
var errClientAuth = op.NewStatusError(
	oidc.ErrInvalidClient().WithDescription("client authentication failed"), http.StatusUnauthorized)

// CodeExchange redeems an authorization code.
func (s *server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	return respond(s.p.redeem(ctx, registered(r.Client), redemption{
		code: r.Data.Code, redirectURI: r.Data.RedirectURI, verifier: r.Data.CodeVerifier,
		resources: r.PostForm["resource"],
	}))(ctx)
}

// RefreshToken rotates a refresh token.
func (s *server) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	return respond(s.p.rotate(ctx, registered(r.Client), r.Data.RefreshToken, words(r.Data.Scopes), r.PostForm["resource"]))(ctx)
}

// ClientCredentialsExchange gives a client a token of its own.
func (s *server) ClientCredentialsExchange(
	ctx context.Context, r *op.ClientRequest[oidc.ClientCredentialsRequest],
) (*op.Response, error) {
	return respond(s.p.clientToken(ctx, registered(r.Client), words(r.Data.Scope), r.PostForm["resource"]))(ctx)
}

// words leaves the empty scopes out that the library makes of an empty
// parameter, which counts as not sent (RFC 6749, section 3.1), and of spaces.
func words(scopes oidc.SpaceDelimitedArray) []string {
	return slices.DeleteFunc(slices.Clone(scopes), func(scope string) bool { return scope == "" })
}

// Revocation ends a token that was issued to the client (RFC 7009). The answer
// is the same whether there was one.
func (s *server) Revocation(ctx context.Context, r *op.ClientRequest[oidc.RevocationRequest]) (*op.Response, error) {
	if err := s.p.revoke(ctx, registered(r.Client), r.Data.Token); err != nil {
		return nil, internal(ctx, err)
	}
	return op.NewResponse(nil), nil
}

// registered returns the record behind a client of op.Server's.
func registered(c op.Client) *storage.Client {
	known, ok := c.(client)
	if !ok {
		panic("impossible: op.Server passes on what VerifyClient returned")
	}
	return known.Client
}

// respond turns the result of a grant into op.Server's answer: protocol errors
// as they are, others logged and hidden.
func respond(tokens *oidc.AccessTokenResponse, err error) func(context.Context) (*op.Response, error) {
	return func(ctx context.Context) (*op.Response, error) {
		if _, ok := errors.AsType[*oidc.Error](err); err != nil && !ok {
			return nil, internal(ctx, err)
		}
		if err != nil {
			return nil, err
		}
		return op.NewResponse(tokens), nil
	}
}
