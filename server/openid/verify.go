package openid

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"authy/server/keyring"
	"authy/server/registry"
	"authy/storage"
)

// idToken is what is read of an ID token that comes back as a hint.
type idToken struct {
	Issuer    string          `json:"iss"`
	Subject   string          `json:"sub"`
	Audience  json.RawMessage `json:"aud"`
	Expires   int64           `json:"exp"` // seconds; it may be past
	SessionID string          `json:"sid"`
	AZP       string          `json:"azp"`
}

// parseAccessToken returns what a good access token says and its grant, which
// is nil for a client's own. keyring.ErrToken for any other token.
func (p *Provider) parseAccessToken(ctx context.Context, token string, now time.Time) (*accessToken, *storage.Grant, error) {
	if isOpaque(token) {
		return p.opaqueToken(ctx, token, now)
	}
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
	if len(token) > keyring.MaxToken {
		return nil, keyring.ErrToken
	}
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
	return p.liveGrant(ctx, t.GrantID, now)
}

// liveGrant returns the grant with an id; keyring.ErrToken if it has ended.
func (p *Provider) liveGrant(ctx context.Context, id string, now time.Time) (*storage.Grant, error) {
	grant, err := p.db.Grant(ctx, id)
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
	// A signed answer of userinfo has no exp: it is no ID token.
	if json.Unmarshal(payload, claims) != nil || claims.Issuer != p.Issuer || claims.Subject == "" || claims.Expires == 0 {
		return nil, keyring.ErrToken
	}
	return claims, nil
}
