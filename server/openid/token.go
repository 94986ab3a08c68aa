package openid

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"authy/server/audit"
	"authy/server/keyring"
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
	ACR      string   `json:"acr,omitempty"`
	Methods  []string `json:"amr,omitempty"`
	ID       string   `json:"jti,omitempty"` // an opaque one has none
	ClientID string   `json:"client_id"`
	Scope    string   `json:"scope"`
	GrantID  string   `json:"grant_id,omitempty"` // "" for a client's own token
	memberships
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

// value is a as JSON has it; nil for nobody.
func (a audience) value() any {
	switch len(a) {
	case 0:
		return nil
	case 1:
		return a[0]
	}
	return []string(a)
}

// MarshalJSON implements [json.Marshaler].
func (a audience) MarshalJSON() ([]byte, error) { return json.Marshal(a.value()) }

// UnmarshalJSON implements [json.Unmarshaler].
func (a *audience) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(a))
}

// issued is what a grant gives out at once.
type issued struct {
	grant     *storage.Grant
	client    *storage.Client
	scopes    []string
	resources []string // that the access token is for; nil for this server's own
	nonce     string
	refresh   string
	access    string          // made already, if it is no JWT
	jkt       string          // the thumbprint of the key that was proved, "" for none
	actor     json.RawMessage // who acts for the user, nil for themselves
	bare      bool            // no ID token comes with it
	ended     bool            // as hasEnded found before
}

// lifetime is how long an access token lasts: no longer than its grant.
func (i issued) lifetime(now time.Time) time.Duration {
	return min(i.client.AccessTokenLifetime.Duration(), i.grant.ExpiresAt.Sub(now))
}

// tokens signs the tokens of a grant and makes the token response
// (RFC 6749, section 5.1).
func (p *Provider) tokens(ctx context.Context, now time.Time, i issued) (*oidc.AccessTokenResponse, error) {
	access := i.access
	if access == "" {
		claims, err := p.accessClaims(ctx, now, i)
		if err != nil {
			return nil, err
		}
		if access, err = p.keys.Sign(ctx, keyring.ES256, keyring.AccessToken, claims); err != nil {
			return nil, err
		}
	}
	response := &oidc.AccessTokenResponse{
		AccessToken: access, TokenType: tokenType(i.jkt), RefreshToken: i.refresh,
		ExpiresIn: uint64(max(i.lifetime(now)/time.Second, 0)), Scope: i.scopes,
	}
	if !has(i.scopes, "openid") || i.bare {
		return response, nil
	}
	claims, err := p.idClaims(ctx, now, i, access)
	if err != nil {
		return nil, err
	}
	response.IDToken, err = p.keys.Sign(ctx, i.client.IDTokenAlg, keyring.JWT, claims)
	return response, err
}

// accessClaims is what an access token of a grant says (RFC 9068, section 2.2).
func (p *Provider) accessClaims(ctx context.Context, now time.Time, i issued) (*accessToken, error) {
	member, err := p.memberships(ctx, i.grant.UserID, i.scopes)
	if err != nil {
		return nil, err
	}
	return &accessToken{
		Issuer: p.Issuer, Subject: p.Subject(i.client, i.grant.UserID), Audience: p.audience(i.resources),
		Expires: now.Add(i.lifetime(now)).Unix(), IssuedAt: now.Unix(), AuthTime: i.grant.AuthenticatedAt.Unix(),
		ACR: i.grant.Details.ACR, Methods: i.grant.Methods, memberships: member,
		ID: rand.Text(), ClientID: i.client.ClientID, Scope: strings.Join(i.scopes, " "), GrantID: i.grant.ID,
		Confirmation: confirmed(i.jkt), Actor: i.actor,
	}, nil
}

// idClaims is what an ID token says (OpenID Connect Core 1.0, section 2).
type idClaims struct {
	Issuer     string   `json:"iss"`
	Audience   []string `json:"aud"`
	Expires    int64    `json:"exp"` // seconds
	IssuedAt   int64    `json:"iat"`
	AuthTime   int64    `json:"auth_time"`
	Nonce      string   `json:"nonce,omitempty"`
	ACR        string   `json:"acr,omitempty"`
	Methods    []string `json:"amr,omitempty"`
	AZP        string   `json:"azp"`
	AccessHash string   `json:"at_hash,omitempty"`
	SessionID  string   `json:"sid,omitempty"`
	*claims
}

// idClaims returns what the ID token beside an access token says, or one alone if
// that is "".
func (p *Provider) idClaims(ctx context.Context, now time.Time, i issued, access string) (*idClaims, error) {
	atHash, err := accessHash(access, i.client)
	if err != nil {
		return nil, err
	}
	scopes, session := i.scopes, string(i.grant.SessionID)
	if lean := i.client.Options; lean.LeanIDToken {
		if access != "" { // else there is no userinfo (OpenID Connect Core 1.0, section 5.4)
			scopes = nil
		}
		if lean.BackChannelURI == "" && lean.FrontChannelURI == "" {
			session = "" // which nobody will tell it of
		}
	}
	about, err := p.claims(ctx, i.client, i.grant.UserID, scopes, wished(i.grant).IDToken)
	if err != nil {
		return nil, err
	}
	return &idClaims{
		Issuer: p.Issuer, Audience: []string{i.client.ClientID},
		Expires: now.Add(i.client.IDTokenLifetime.Duration()).Unix(), IssuedAt: now.Unix(),
		AuthTime: i.grant.AuthenticatedAt.Unix(), Nonce: i.nonce,
		ACR: i.grant.Details.ACR, Methods: i.grant.Methods, AZP: i.client.ClientID,
		AccessHash: atHash, SessionID: session, claims: about,
	}, nil
}

// accessHash is the at_hash of an access token, "" for none
// (OpenID Connect Core 1.0, section 3.2.2.9).
func accessHash(access string, c *storage.Client) (string, error) {
	if access == "" {
		return "", nil
	}
	hash, err := oidc.ClaimHash(access, jose.SignatureAlgorithm(c.IDTokenAlg))
	if err != nil {
		return "", fmt.Errorf("hash an access token for %s: %w", c.ClientID, err)
	}
	return hash, nil
}

func actor(ctx context.Context) audit.Actor { return audit.FromContext(ctx) }
