package openid

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/audit"
	"authy/server/keyring"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// clientCredentials is the grant of RFC 6749, section 4.4.
const clientCredentials = "client_credentials"

// serveClientToken gives a program a token of its own. Like introspection it does not
// go through op.Server, which reads the form by reflection, twice.
func (p *Provider) serveClientToken(w http.ResponseWriter, r *http.Request, sent *credentials) {
	answer, err := p.ownToken(r, sent)
	if err != nil {
		op.WriteError(w, r, err, nil)
		return
	}
	body, err := json.Marshal(answer) //nolint:gosec // the client is to have its token
	if err != nil {
		writeInternal(w, r, fmt.Errorf("encode a token response: %w", err))
		return
	}
	w.Header()["Content-Type"] = jsonType
	w.Write(body) //nolint:errcheck // the client has gone
}

// ownToken authenticates a client and gives it a token of its own. Any error is one
// that the client may be told.
func (p *Provider) ownToken(r *http.Request, sent *credentials) (*oidc.AccessTokenResponse, error) {
	ctx := r.Context()
	c, err := p.authenticate(ctx, sent)
	if err != nil {
		return nil, err
	}
	switch {
	case !has(c.GrantTypes, clientCredentials):
		return nil, oidc.ErrUnauthorizedClient().WithDescription("the client is not registered for client_credentials")
	case registry.IsPublic(c): // anyone can say to be it
		return nil, oidc.ErrInvalidClient().WithDescription("the client must be authenticated")
	}
	key, err := p.tokenKey(ctx, r.Header, c)
	if err != nil {
		return nil, err
	}
	asked := unempty(strings.Split(r.PostForm.Get("scope"), " "))
	answer, err := p.clientToken(ctx, c, key, asked, r.PostForm["resource"])
	if _, told := errors.AsType[*oidc.Error](err); err != nil && !told {
		err = internal(ctx, err)
	}
	return answer, err
}

// clientToken gives a client a token of its own (RFC 6749, section 4.4): for
// the scopes of its APIs, never for those that speak of a user.
func (p *Provider) clientToken(
	ctx context.Context, c *storage.Client, jkt string, asked, resources []string,
) (*oidc.AccessTokenResponse, error) {
	scopes, err := ownScopes(c, asked)
	if err != nil {
		return nil, err
	}
	if !p.mayTarget(c, resources) {
		return nil, errTarget()
	}
	now := steady.Now()
	claims := &accessToken{
		Issuer: p.Issuer, Subject: c.ClientID, Audience: p.audience(unique(resources)),
		Expires: now.Add(c.AccessTokenLifetime.Duration()).Unix(), IssuedAt: now.Unix(),
		ID: rand.Text(), ClientID: c.ClientID, Scope: strings.Join(scopes, " "), Confirmation: confirmed(jkt),
	}
	access := ""
	if !c.Options.OpaqueTokens {
		if access, err = p.keys.Sign(ctx, keyring.ES256, keyring.AccessToken, claims); err != nil {
			return nil, err
		}
	}
	err = p.recordOwn(ctx, c, now, func(tx *storage.Tx) (err error) {
		access, err = p.addAccessToken(ctx, tx, now, "", c.ID, claims)
		return err
	})
	return &oidc.AccessTokenResponse{
		AccessToken: access, TokenType: tokenType(jkt), Scope: scopes, ExpiresIn: uint64(max(c.AccessTokenLifetime, 0)),
	}, err
}

// recordOwn records that a client got a token for itself, the first in a minute
// from an address with how many came since the one before. An opaque token is
// kept by keep, in the same transaction.
func (p *Provider) recordOwn(
	ctx context.Context, c *storage.Client, now time.Time, keep func(tx *storage.Tx) error,
) error {
	by := actor(ctx).AsClient(c.ClientID)
	key := c.ID + " " + by.IPAddress
	more, record := p.own.Note(key, now)
	if !record && !c.Options.OpaqueTokens {
		return nil
	}
	event := audit.Event{
		Action: "token.issued", Reason: "client_credentials", TargetKind: "client", TargetID: c.ClientID,
		OrgID: string(c.OrganizationID),
	}
	if more > 0 {
		event.Details = map[string]string{"more": strconv.Itoa(more)}
	}
	err := p.db.Update(ctx, func(tx *storage.Tx) error {
		if c.Options.OpaqueTokens {
			if err := keep(tx); err != nil {
				return err
			}
		}
		if !record {
			return nil
		}
		return audit.Record(ctx, tx, by, now, event)
	})
	if err != nil && record {
		p.own.Forget(key)
	}
	return err
}

// ownScopes returns the scopes of a client's own token.
func ownScopes(c *storage.Client, asked []string) (scopes []string, err error) {
	for _, scope := range c.Scopes {
		if !isPersonal(scope) && (len(asked) == 0 || has(asked, scope)) {
			scopes = append(scopes, scope)
		}
	}
	for _, scope := range asked {
		if !isPersonal(scope) && !has(c.Scopes, scope) {
			return nil, oidc.ErrInvalidScope().WithDescription("the client may not ask for this scope")
		}
	}
	if len(scopes) == 0 {
		return nil, oidc.ErrInvalidScope().WithDescription("no scope is left that a client can have for itself")
	}
	return scopes, nil
}
