package openid

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/keyring"
	"authy/server/registry"
	"authy/storage"
)

// opaqueBytes is how much of an opaque access token is random.
const opaqueBytes = 32

// opaqueLength is how long one is, in base64url.
var opaqueLength = base64.RawURLEncoding.EncodedLen(opaqueBytes)

// isOpaque says whether a token may be an opaque one: a JWT has dots.
func isOpaque(token string) bool {
	return len(token) == opaqueLength && !strings.Contains(token, ".")
}

// addAccessToken makes and keeps an opaque access token, of a grant or of a
// client's row, with what it says.
func (p *Provider) addAccessToken(
	ctx context.Context, tx *storage.Tx, now time.Time, grantID, client string, says *accessToken,
) (string, error) {
	var secret [opaqueBytes]byte
	rand.Read(secret[:])
	token := base64.RawURLEncoding.EncodeToString(secret[:])
	kept := &storage.AccessToken{
		Hash: storage.Hash(token), GrantID: storage.Ref(grantID), ClientID: storage.Ref(client),
		Scopes: strings.Fields(says.Scope), Actor: string(says.Actor),
		CreatedAt: storage.At(now), ExpiresAt: storage.At(time.Unix(says.Expires, 0)),
	}
	if len(says.Audience) != 1 || says.Audience[0] != p.Issuer {
		kept.Audience = storage.Words(says.Audience)
	}
	if says.Confirmation != nil {
		kept.JKT = says.Confirmation.JKT
	}
	if err := tx.InsertAccessToken(ctx, kept); err != nil {
		return "", fmt.Errorf("keep an access token: %w", err)
	}
	return token, nil
}

// opaqueToken is parseAccessToken for an opaque token.
func (p *Provider) opaqueToken(ctx context.Context, token string, now time.Time) (*accessToken, *storage.Grant, error) {
	kept, err := p.db.AccessToken(ctx, storage.Hash(token))
	if errors.Is(err, storage.ErrNotFound) || err == nil && !now.Before(kept.ExpiresAt.Time) {
		return nil, nil, keyring.ErrToken
	}
	if err != nil {
		return nil, nil, fmt.Errorf("look an access token up: %w", err)
	}
	says := &accessToken{
		Issuer: p.Issuer, Audience: p.audience(kept.Audience), Expires: kept.ExpiresAt.Unix(),
		IssuedAt: kept.CreatedAt.Unix(), Scope: kept.Scopes.String(), GrantID: string(kept.GrantID),
	}
	if kept.JKT != "" {
		says.Confirmation = &confirmation{JKT: kept.JKT}
	}
	if kept.Actor != "" {
		says.Actor = json.RawMessage(kept.Actor)
	}
	if kept.GrantID == "" {
		client, err := p.tokenClient(ctx, string(kept.ClientID))
		if err != nil {
			return nil, nil, err
		}
		says.ClientID, says.Subject = client.ClientID, client.ClientID
		return says, nil, nil
	}
	grant, err := p.liveGrant(ctx, says.GrantID, now)
	if err != nil {
		return nil, nil, err
	}
	client, err := p.tokenClient(ctx, grant.ClientID)
	if err != nil {
		return nil, nil, err
	}
	says.ClientID, says.Subject = client.ClientID, p.Subject(client, grant.UserID)
	says.AuthTime, says.ACR, says.Methods = grant.AuthenticatedAt.Unix(), grant.Details.ACR, grant.Methods
	return says, grant, nil
}

// tokenClient returns the client of a token by its row; keyring.ErrToken if it
// was deleted or disabled.
func (p *Provider) tokenClient(ctx context.Context, row string) (*storage.Client, error) {
	client, err := p.db.ClientByRow(ctx, row)
	if err == nil {
		err = p.clients.Usable(ctx, p.db.Reader, client)
	}
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, registry.ErrDisabled) {
		return nil, keyring.ErrToken
	}
	if err != nil {
		return nil, fmt.Errorf("look the client of a token up: %w", err)
	}
	return client, nil
}
