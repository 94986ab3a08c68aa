package openid

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/keyring"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// introspection is the answer of RFC 7662, section 2.2.
type introspection struct {
	Active    bool     `json:"active"`
	Scope     string   `json:"scope,omitempty"`
	ClientID  string   `json:"client_id,omitempty"`
	Username  string   `json:"username,omitempty"` // the address, with the scope email
	TokenType string   `json:"token_type,omitempty"`
	Expires   int64    `json:"exp,omitempty"` // seconds since 1970
	IssuedAt  int64    `json:"iat,omitempty"`
	Subject   string   `json:"sub,omitempty"`
	Audience  any      `json:"aud,omitempty"` // as RFC 7519, section 4.1.3 has it
	Issuer    string   `json:"iss,omitempty"`
	ID        string   `json:"jti,omitempty"`
	AuthTime  int64    `json:"auth_time,omitempty"`
	ACR       string   `json:"acr,omitempty"`
	Methods   []string `json:"amr,omitempty"`

	Confirmation *confirmation   `json:"cnf,omitempty"`
	Actor        json.RawMessage `json:"act,omitempty"`
}

// serveIntrospection answers a resource server (RFC 7662, section 2). It asks at
// each request that it gets, so that this does not go through op.Server, which
// reads the form by reflection.
func (p *Provider) serveIntrospection(w http.ResponseWriter, r *http.Request, sent *credentials) {
	ctx := r.Context()
	c, err := p.authenticate(ctx, sent)
	if err != nil {
		op.WriteError(w, r, err, nil)
		return
	}
	token := r.PostForm.Get("token")
	if token == "" {
		writeOAuth(w, http.StatusBadRequest, "invalid_request", "the parameter token is missing")
		return
	}
	if accept := r.Header["Accept"]; len(accept) > 0 && wantsSigned(accept) {
		p.serveSigned(w, r, c, token)
		return
	}
	answer, err := p.introspect(ctx, c, token)
	if err != nil {
		writeInternal(w, r, err)
		return
	}
	body, err := json.Marshal(answer)
	if err != nil {
		writeInternal(w, r, fmt.Errorf("encode an introspection: %w", err))
		return
	}
	w.Header()["Content-Type"] = jsonType
	w.Write(body) //nolint:errcheck // the client has gone
}

// introspect tells c about a token that was issued to it, or is for it; about
// any other it says no more than that it is not active.
func (p *Provider) introspect(ctx context.Context, c *storage.Client, token string) (*introspection, error) {
	now := steady.Now()
	if len(token) > keyring.MaxToken {
		return &introspection{}, nil
	}
	says, grant, err := p.parseAccessToken(ctx, token, now)
	if errors.Is(err, keyring.ErrToken) {
		return p.introspectRefresh(ctx, c, token, now)
	}
	if err != nil {
		return nil, err
	}
	if says.ClientID != c.ClientID && !p.isFor(says, c) {
		return &introspection{}, nil
	}
	answer := &introspection{
		Active: true, Scope: says.Scope, ClientID: says.ClientID, TokenType: oidc.BearerToken,
		Expires: says.Expires, IssuedAt: says.IssuedAt, Subject: says.Subject, Audience: says.Audience.value(),
		Issuer: says.Issuer, ID: says.ID, AuthTime: says.AuthTime, ACR: says.ACR, Methods: says.Methods,
		Confirmation: says.Confirmation, Actor: says.Actor,
	}
	if says.Confirmation != nil {
		answer.TokenType = proofToken // RFC 9449, section 6.2
	}
	if grant != nil && hasWord(says.Scope, "email") {
		answer.Username, err = p.username(ctx, grant.UserID)
	}
	return answer, err
}

// hasWord says whether a text has a word between its single spaces.
func hasWord(text, word string) bool {
	for one := range strings.SplitSeq(text, " ") {
		if one == word {
			return true
		}
	}
	return false
}

// isFor says whether a token is for a confidential client: a server that has
// registered one of the resources in its audience. Nobody else is this server.
func (p *Provider) isFor(t *accessToken, c *storage.Client) bool {
	return !registry.IsPublic(c) && slices.ContainsFunc(t.Audience, func(to string) bool {
		return to != p.Issuer && (to == c.ClientID || has(c.Options.Resources, to))
	})
}

// username is what a person calls the account of a user.
func (p *Provider) username(ctx context.Context, userID string) (string, error) {
	user, err := p.db.User(ctx, userID)
	if err != nil {
		return "", fmt.Errorf("introspect a token of %s: %w", userID, err)
	}
	return user.Email, nil
}

func (p *Provider) introspectRefresh(
	ctx context.Context, c *storage.Client, token string, now time.Time,
) (*introspection, error) {
	known, err := p.db.RefreshToken(ctx, storage.Hash(token))
	if errors.Is(err, storage.ErrNotFound) {
		return &introspection{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("introspect a refresh token: %w", err)
	}
	grant, err := p.db.Grant(ctx, known.GrantID)
	if errors.Is(err, storage.ErrNotFound) {
		return &introspection{}, nil // deleted between the two reads
	}
	if err != nil {
		return nil, fmt.Errorf("introspect a refresh token: %w", err)
	}
	if grant.ClientID != c.ID || !known.UsedAt.IsZero() || !now.Before(known.ExpiresAt.Time) {
		return &introspection{}, nil
	}
	if err := p.live(ctx, p.db.Reader, grant, now); errors.Is(err, errEnded) {
		return &introspection{}, nil
	} else if err != nil {
		return nil, err
	}
	return &introspection{
		Active: true, Scope: grant.Scopes.String(), ClientID: c.ClientID, TokenType: "refresh_token",
		Expires: known.ExpiresAt.Unix(), IssuedAt: known.CreatedAt.Unix(), Subject: p.Subject(c, grant.UserID),
		Issuer: p.Issuer,
	}, nil
}
