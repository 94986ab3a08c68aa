package openid

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/registry"
	"authy/storage"
)

// server is the part of the provider that op.Server serves: the endpoints at
// which clients authenticate, but for introspection and client_credentials, which
// programs ask for all the time. Grants it does not implement are refused as
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

// VerifyClient authenticates a client.
func (s *server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	return s.verify(ctx, r.Header, r.Form, r.URL)
}

func (s *server) verify(ctx context.Context, header http.Header, form url.Values, at *url.URL) (op.Client, error) {
	sent, problem := presented(header, form, at.Path)
	if problem != nil {
		return nil, errClientAuth // ServeClient has seen to that
	}
	c, err := s.p.authenticate(ctx, sent)
	if err != nil {
		return nil, err
	}
	return client{c}, nil
}

// proven returns the record of a client that asks for tokens, and the thumbprint of
// the key that it proves.
func (s *server) proven(ctx context.Context, h http.Header, c op.Client) (*storage.Client, string, error) {
	known := registered(c)
	key, err := s.p.tokenKey(ctx, h, known)
	return known, key, err
}

// tokenKey is [Provider.ProvenKey] for the token endpoint. Any error is one that the
// client may be told.
func (p *Provider) tokenKey(ctx context.Context, h http.Header, c *storage.Client) (string, error) {
	key, err := p.ProvenKey(ctx, h, TokenPath, c)
	if _, told := errors.AsType[*oidc.Error](err); err != nil && !told {
		err = internal(ctx, err)
	}
	return key, err
}

// CodeExchange redeems an authorization code.
func (s *server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	c, key, err := s.proven(ctx, r.Header, r.Client)
	if err != nil {
		return nil, err
	}
	return respond(s.p.redeem(ctx, c, redemption{
		code: r.Data.Code, redirectURI: r.Data.RedirectURI, verifier: r.Data.CodeVerifier, key: key,
		resources: r.PostForm["resource"],
	}))(ctx)
}

// RefreshToken rotates a refresh token.
func (s *server) RefreshToken(ctx context.Context, r *op.ClientRequest[oidc.RefreshTokenRequest]) (*op.Response, error) {
	c, key, err := s.proven(ctx, r.Header, r.Client)
	if err != nil {
		return nil, err
	}
	return respond(s.p.rotate(ctx, c, key, r.Data.RefreshToken, unempty(r.Data.Scopes), r.PostForm["resource"]))(ctx)
}

// unempty leaves the empty scopes out that the library makes of an empty
// parameter, which counts as not sent (RFC 6749, section 3.1), and of spaces.
func unempty(scopes oidc.SpaceDelimitedArray) []string {
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
