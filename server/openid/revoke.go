package openid

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/keyring"
	"authy/server/steady"
	"authy/storage"
)

// revoke ends a token of c's (RFC 7009, section 2.1). A refresh token takes its
// whole grant with it, an access token only itself. Tokens of others, unknown
// and dead ones are left as they are.
func (p *Provider) revoke(ctx context.Context, c *storage.Client, token string) error {
	if len(token) > keyring.MaxToken {
		return nil
	}
	now := steady.Now()
	by := actor(ctx).AsClient(c.ClientID)
	claims, _, err := p.parseAccessToken(ctx, token, now)
	if err != nil && !errors.Is(err, keyring.ErrToken) {
		return err
	}
	if err == nil && claims.ClientID != c.ClientID {
		return nil
	}
	return p.db.Update(ctx, func(tx *storage.Tx) error {
		event := audit.Event{
			Action: "token.revoked", TargetKind: "client", TargetID: c.ClientID, OrgID: string(c.OrganizationID),
		}
		if claims != nil {
			if err := revokeAccess(ctx, tx, token, claims, now); err != nil {
				return fmt.Errorf("revoke an access token: %w", err)
			}
			return audit.Record(ctx, tx, by, now, event)
		}
		ended, err := p.revokeRefresh(ctx, tx, c, token, now)
		if err != nil || !ended {
			return err
		}
		return audit.Record(ctx, tx, by, now, event)
	})
}

// revokeAccess ends an access token and nothing else.
func revokeAccess(ctx context.Context, tx *storage.Tx, token string, says *accessToken, now time.Time) error {
	if says.ID == "" {
		_, err := tx.EndAccessToken(ctx, storage.Hash(token), now)
		return err
	}
	return tx.InsertRevokedToken(ctx, &storage.RevokedToken{
		ID: says.ID, ExpiresAt: storage.At(time.Unix(says.Expires, 0)),
	})
}

func (p *Provider) revokeRefresh(
	ctx context.Context, tx *storage.Tx, c *storage.Client, token string, now time.Time,
) (bool, error) {
	known, err := tx.RefreshToken(ctx, storage.Hash(token))
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("revoke a refresh token: %w", err)
	}
	grant, err := tx.Grant(ctx, known.GrantID)
	if err != nil {
		return false, fmt.Errorf("revoke a refresh token: %w", err)
	}
	if grant.ClientID != c.ID {
		return false, nil
	}
	return tx.RevokeGrant(ctx, grant.ID, "revoked_by_client", now)
}

// EndGrants ends all that clients were given by a user, in tx: their codes,
// access tokens and refresh tokens.
func (p *Provider) EndGrants(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, userID, reason string,
) error {
	ended, err := tx.RevokeGrants(ctx, userID, reason, now)
	if err != nil {
		return fmt.Errorf("end the grants of %s: %w", userID, err)
	}
	if ended == 0 {
		return nil
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "grant.revoke_all", Reason: reason, TargetKind: "user", TargetID: userID,
	})
}
