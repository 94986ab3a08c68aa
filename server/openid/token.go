package openid

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"authy/server/audit"
	"authy/server/keyring"
	"authy/server/registry"
	"authy/storage"
)

// accessToken is what an access token says (RFC 9068, section 2.2). Beside its
// signature and time it is as good as its grant.
type accessToken struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience audience `json:"aud"`
	Expires  int64    `json:"exp"` // seconds
	IssuedAt int64    `json:"iat"`
	AuthTime int64    `json:"auth_time,omitempty"`
	ID       string   `json:"jti"`
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope"`
	GrantID  string   `json:"grant_id,omitempty"` // "" for a client's own token
	// Confirmation binds the token to a key (RFC 7800, section 3.1).
	Confirmation *confirmation `json:"cnf,omitempty"`
	// Actor is who acts for the subject (RFC 8693, section 4.1).
	Actor json.RawMessage `json:"act,omitempty"`

	by *keyring.Set // the keys it was verified with
}

// confirmation names the key that the holder of a token has to prove
// (RFC 9449, section 6.1).
type confirmation struct {
	JKT string `json:"jkt"` // its thumbprint
}

// audience is whom a token is for: a text if it is one, as most expect
// (RFC 7519, section 4.1.3).
type audience []string

// MarshalJSON implements [json.Marshaler].
func (a audience) MarshalJSON() ([]byte, error) {
	if len(a) == 1 {
		return json.Marshal(a[0])
	}
	return json.Marshal([]string(a))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// idToken is what is read of an ID token that comes back as a hint.
type idToken struct {
	Issuer    string          `json:"iss"`
	Subject   string          `json:"sub"`
	Audience  json.RawMessage `json:"aud"`
	SessionID string          `json:"sid"`
	AZP       string          `json:"azp"`
}

// parseAccessToken returns what a good access token says and its grant, which
// is nil for a client's own. keyring.ErrToken for any other token.
func (p *Provider) parseAccessToken(ctx context.Context, token string, now time.Time) (*accessToken, *storage.Grant, error) {
	claims, err := p.readAccessToken(ctx, token)
	if err != nil {
		return nil, nil, err
	}
	if now.Unix() >= claims.Expires {
		return nil, nil, keyring.ErrToken
	}
	revoked, err := p.db.IsRevokedToken(ctx, claims.ID)
	if err != nil {
		return nil, nil, fmt.Errorf("check a token: %w", err)
	}
	if revoked {
		return nil, nil, keyring.ErrToken
	}
	grant, err := p.tokenGrant(ctx, claims, now)
	if err != nil {
		return nil, nil, err
	}
	return claims, grant, nil
}

// readAccessToken returns what a signed access token says. The verdict is
// remembered for as long as the keys are the same.
func (p *Provider) readAccessToken(ctx context.Context, token string) (*accessToken, error) {
	set, err := p.keys.Set(ctx)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(token))
	if claims, known := p.verified.GetIfPresent(sum); known && claims.by == set {
		return claims, nil
	}
	payload, err := set.Verify(token, keyring.AccessToken)
	if err != nil {
		return nil, err
	}
	claims := &accessToken{by: set}
	if json.Unmarshal(payload, claims) != nil || claims.Issuer != p.Issuer || claims.ID == "" {
		return nil, keyring.ErrToken
	}
	p.verified.Set(sum, claims)
	return claims, nil
}

// tokenGrant returns the live grant of an access token, or nil if it is a
// client's own and the client is enabled.
func (p *Provider) tokenGrant(ctx context.Context, t *accessToken, now time.Time) (*storage.Grant, error) {
	if t.GrantID == "" {
		c, err := p.clients.Client(ctx, t.ClientID)
		// One that was deleted and registered anew is another client.
		if errors.Is(err, registry.ErrNoClient) || err == nil && t.IssuedAt < c.CreatedAt.Unix() {
			return nil, keyring.ErrToken
		}
		return nil, err
	}
	grant, err := p.db.Grant(ctx, t.GrantID)
	if err == nil {
		err = p.live(ctx, p.db.Reader, grant, now)
	}
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, errEnded) {
		return nil, keyring.ErrToken
	}
	return grant, err
}

// parseIDToken returns what an ID token of this server says, however old.
func (p *Provider) parseIDToken(ctx context.Context, token string) (*idToken, error) {
	set, err := p.keys.Set(ctx)
	if err != nil {
		return nil, err
	}
	payload, err := set.Verify(token, keyring.JWT)
	if err != nil {
		return nil, err
	}
	claims := new(idToken)
	if json.Unmarshal(payload, claims) != nil || claims.Issuer != p.Issuer || claims.Subject == "" {
		return nil, keyring.ErrToken
	}
	return claims, nil
}

// issued is what a grant gives out at once.
type issued struct {
	grant   *storage.Grant
	client  *storage.Client
	scopes  []string
	nonce   string
	refresh string
}

// tokens signs the tokens of a grant and makes the token response
// (RFC 6749, section 5.1).
func (p *Provider) tokens(ctx context.Context, now time.Time, i issued) (*oidc.AccessTokenResponse, error) {
	lifetime := min(i.client.AccessTokenLifetime.Duration(), i.grant.ExpiresAt.Sub(now))
	access, err := p.keys.Sign(ctx, keyring.ES256, keyring.AccessToken, &accessToken{
		Issuer: p.Issuer, Subject: i.grant.UserID, Audience: audience{i.client.ClientID},
		Expires: now.Add(lifetime).Unix(), IssuedAt: now.Unix(), AuthTime: i.grant.AuthenticatedAt.Unix(),
		ID: rand.Text(), ClientID: i.client.ClientID, Scope: strings.Join(i.scopes, " "), GrantID: i.grant.ID,
	})
	if err != nil {
		return nil, err
	}
	response := &oidc.AccessTokenResponse{
		AccessToken: access, TokenType: oidc.BearerToken, RefreshToken: i.refresh,
		ExpiresIn: uint64(max(lifetime/time.Second, 0)), Scope: i.scopes,
	}
	if has(i.scopes, "openid") {
		response.IDToken, err = p.idToken(ctx, now, i, access)
	}
	return response, err
}

// idToken signs an ID token (OpenID Connect Core 1.0, section 2).
func (p *Provider) idToken(ctx context.Context, now time.Time, i issued, access string) (string, error) {
	alg := jose.SignatureAlgorithm(i.client.IDTokenAlg)
	atHash, err := oidc.ClaimHash(access, alg)
	if err != nil {
		return "", fmt.Errorf("hash an access token for %s: %w", i.client.ClientID, err)
	}
	info, err := p.userinfo(ctx, i.grant.UserID, i.scopes)
	if err != nil {
		return "", err
	}
	claims := &oidc.IDTokenClaims{
		TokenClaims: oidc.TokenClaims{
			Issuer: p.Issuer, Audience: oidc.Audience{i.client.ClientID},
			Expiration: oidc.FromTime(now.Add(i.client.IDTokenLifetime.Duration())), IssuedAt: oidc.FromTime(now),
			AuthTime: oidc.FromTime(i.grant.AuthenticatedAt.Time), Nonce: i.nonce,
			AuthenticationMethodsReferences:     oidc.AuthenticationMethodsReferences(i.grant.Methods),
			AuthorizedParty:                     i.client.ClientID,
			AuthenticationContextClassReference: i.grant.Details.ACR,
		},
		AccessTokenHash: atHash, SessionID: string(i.grant.SessionID),
	}
	claims.SetUserInfo(info)
	return p.keys.Sign(ctx, i.client.IDTokenAlg, keyring.JWT, claims)
}

// clientToken gives a client a token of its own (RFC 6749, section 4.4): for
// the scopes of its APIs, never for those that speak of a user.
func (p *Provider) clientToken(ctx context.Context, c *storage.Client, asked []string) (*oidc.AccessTokenResponse, error) {
	var scopes []string
	for _, scope := range c.Scopes {
		if _, personal := scopeTitles[scope]; !personal && (len(asked) == 0 || has(asked, scope)) {
			scopes = append(scopes, scope)
		}
	}
	for _, scope := range asked {
		if _, personal := scopeTitles[scope]; !personal && !has(c.Scopes, scope) {
			return nil, oidc.ErrInvalidScope().WithDescription("the client may not ask for this scope")
		}
	}
	if len(scopes) == 0 {
		return nil, oidc.ErrInvalidScope().WithDescription("no scope is left that a client can have for itself")
	}
	now := time.Now()
	access, err := p.keys.Sign(ctx, keyring.ES256, keyring.AccessToken, &accessToken{
		Issuer: p.Issuer, Subject: c.ClientID, Audience: audience{c.ClientID},
		Expires: now.Add(c.AccessTokenLifetime.Duration()).Unix(), IssuedAt: now.Unix(),
		ID: rand.Text(), ClientID: c.ClientID, Scope: strings.Join(scopes, " "),
	})
	if err != nil {
		return nil, err
	}
	by := actor(ctx).AsClient(c.ClientID)
	err = p.db.Update(ctx, func(tx *storage.Tx) error {
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "token.issued", Reason: "client_credentials", TargetKind: "client", TargetID: c.ClientID,
			OrgID: string(c.OrganizationID),
		})
	})
	return &oidc.AccessTokenResponse{
		AccessToken: access, TokenType: oidc.BearerToken, Scope: scopes, ExpiresIn: uint64(max(c.AccessTokenLifetime, 0)),
	}, err
}

func actor(ctx context.Context) audit.Actor { return audit.FromContext(ctx) }
