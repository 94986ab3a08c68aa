// Package openid is the OpenID provider: it decides what a client may ask,
// issues codes and tokens, and answers the endpoints that clients call. It is
// built on zitadel/oidc's op.Server, one file per grant. It refuses to know
// how a person signs in: server/login asks what a request needs ([Request]),
// and comes back with who signed in ([Provider.Issue]).
//
// Read openid.go, then request.go and asked.go (what was asked), authorize.go (codes),
// implicit.go (tokens without one), server.go (the token endpoint), client_auth.go (who calls
// it), token.go (what tokens say and when they are good), refresh.go. Clients are kept by
// server/registry, keys by server/keyring, clients' keys by server/keyset; proofs are checked
// by server/dpop.
package openid

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/dpop"
	"authy/server/keyring"
	"authy/server/keyset"
	"authy/server/limit"
	"authy/server/outbound"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
	"authy/storage/kv"
)

// Paths of the endpoints, below the issuer.
const (
	DiscoveryPath     = "/.well-known/openid-configuration"
	MetadataPath      = "/.well-known/oauth-authorization-server" // RFC 8414, section 3
	AuthorizePath     = "/oidc/authorize"
	TokenPath         = "/oidc/token"
	UserinfoPath      = "/oidc/userinfo"
	JWKSPath          = "/oidc/jwks"
	RevocationPath    = "/oidc/revoke"
	IntrospectionPath = "/oidc/introspect"
	EndSessionPath    = "/oidc/end_session"

	DeviceAuthorizationPath = "/oidc/device_authorization"
	PushPath                = "/oidc/par"
)

// Config says how the provider behaves.
type Config struct {
	// Issuer is the server's public URL, without a trailing slash.
	Issuer string
	// CodeLifetime is how long an authorization code can be redeemed.
	CodeLifetime time.Duration
	// RefreshGrace is how long after its use a refresh token still leads to
	// its successor: for two tabs at once, or an answer that was lost.
	RefreshGrace time.Duration
	// MaxGrantLifetime ends every chain of refresh tokens, however active.
	MaxGrantLifetime time.Duration
	// Used remembers for a while what was used once, for all nodes.
	Used kv.Store
	// Limits slows down guessing of client secrets; nil does not.
	Limits *limit.Limits
	// Outbound fetches the keys and request objects of clients; nil goes to public addresses.
	Outbound *outbound.Client
}

// Provider is the OpenID provider.
type Provider struct {
	Config
	db        *storage.DB
	keys      *keyring.Ring
	clients   *registry.Service
	jwks      atomic.Pointer[publicKeys]
	proofs    *dpop.Verifier // of the keys that tokens are bound to
	keysets   *keyset.Cache  // of the clients
	verified  *otter.Cache[[32]byte, *accessToken]
	endpoints http.Handler // those of op.Server
	discovery document
	refusals  refusals
	own       limit.Tally
}

// verifiedTokens is how many access tokens are remembered with their verdict,
// so that the signature of one in steady use is checked once.
const verifiedTokens = 10_000

// New returns the provider over db. [keyring.Ring.Prepare] must be called before
// tokens can be issued.
func New(db *storage.DB, keys *keyring.Ring, clients *registry.Service, c Config) (*Provider, error) {
	p := &Provider{
		Config: c, db: db, keys: keys, clients: clients, proofs: dpop.New(db, c.Used),
		verified: otter.Must(&otter.Options[[32]byte, *accessToken]{MaximumSize: verifiedTokens}),
	}
	if p.Outbound == nil {
		p.Outbound = outbound.New(nil)
	}
	p.keysets = keyset.NewCache(p.Outbound)
	var err error
	if p.discovery, err = newDocument(p.metadata()); err != nil {
		return nil, err
	}
	p.endpoints = op.RegisterServer(&server{p: p}, op.Endpoints{
		Token: op.NewEndpoint(TokenPath),

		DeviceAuthorization: op.NewEndpoint(DeviceAuthorizationPath),
		Revocation:          op.NewEndpoint(RevocationPath),
	}, op.WithServerCORSOptions(nil))
	return p, nil
}

// live is nil while tokens of a grant may be used at now. The record of a
// grant says little about that: its user, client and session each end it too,
// and so does losing the role that the client is for. While the user owes an
// organization a second factor a grant rests.
func (p *Provider) live(ctx context.Context, r storage.Reader, g *storage.Grant, now time.Time) error {
	if isOver(g, now) {
		return errEnded
	}
	user, err := r.User(ctx, g.UserID)
	if err != nil {
		return ended(err)
	}
	if !g.CreatedAt.After(user.SignedOutAt.Time) { // of the same millisecond: over
		return errEnded
	}
	client, err := r.ClientByRow(ctx, g.ClientID)
	if err != nil {
		return ended(err)
	}
	if verdict, err := p.access(ctx, r, user, client, now); err != nil {
		return ended(err)
	} else if !verdict.Allowed {
		return errEnded
	}
	if err := p.sessionLive(ctx, r, g); err != nil {
		return err
	}
	return p.parentLive(ctx, r, g, now)
}

// isOver says whether a grant has ended by itself.
func isOver(g *storage.Grant, now time.Time) bool {
	return !g.RevokedAt.IsZero() || !now.Before(g.ExpiresAt.Time)
}

// hasEnded says whether a grant is not live. It is asked before a transaction that
// uses the grant's code or refresh token: what ends a user, client or session
// meanwhile ends what the transaction gives as well, and the writer, whom all wait
// for, need not look them up. One that is not there (nil) has not ended.
func (p *Provider) hasEnded(ctx context.Context, grant *storage.Grant) (bool, error) {
	if grant == nil {
		return false, nil
	}
	err := p.live(ctx, p.db.Reader, grant, steady.Now())
	if errors.Is(err, errEnded) {
		return true, nil
	}
	return false, err
}

// sessionLive is nil unless the session of g was ended. Tokens that were
// granted offline_access outlive it (OpenID Connect Back-Channel Logout 1.0,
// section 2.7).
func (p *Provider) sessionLive(ctx context.Context, r storage.Reader, g *storage.Grant) error {
	if g.SessionID == "" || has(g.Scopes, "offline_access") {
		return nil
	}
	session, err := r.Session(ctx, string(g.SessionID))
	if err != nil {
		return ended(err)
	}
	if !session.RevokedAt.IsZero() {
		return errEnded
	}
	return nil
}

// errEnded says that a grant, or what it depends on, is no more.
var errEnded = errors.New("openid: ended")

// ended is errEnded where a record is gone, and err where it could not be read.
func ended(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return errEnded
	}
	return fmt.Errorf("check a grant: %w", err)
}
