package openid

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"authy/server/audit"
	"authy/server/registry"
	"authy/storage"
)

// The refresh tokens of a grant form a chain: each is a keyed hash of the one
// before it. So the token that follows a used one can be told again to whoever
// holds it, although only hashes are kept: two tabs that refresh at once, or a
// client whose answer was lost, get the same successor for a short time.

func (p *Provider) successor(token string) string {
	return base64.RawURLEncoding.EncodeToString(p.db.MAC("refresh token", token))
}

// addRefreshToken keeps the hash of a token. It ends with the client's
// lifetime for an idle token, and with the grant at the latest.
func (p *Provider) addRefreshToken(
	ctx context.Context, tx *storage.Tx, now time.Time, c *storage.Client, g *storage.Grant, token string,
) error {
	expires := now.Add(c.RefreshTokenLifetime.Duration())
	if g.ExpiresAt.Before(expires) {
		expires = g.ExpiresAt.Time
	}
	err := tx.InsertRefreshToken(ctx, &storage.RefreshToken{
		Hash: storage.Hash(token), GrantID: g.ID, CreatedAt: storage.At(now), ExpiresAt: storage.At(expires),
	})
	if err != nil {
		return fmt.Errorf("issue a refresh token of grant %s: %w", g.ID, err)
	}
	return nil
}

// chained is a refresh token with its grant; both are nil for one that is not known.
type chained struct {
	token *storage.RefreshToken
	grant *storage.Grant
}

func (p *Provider) chained(ctx context.Context, r storage.Reader, token string) (known chained, err error) {
	if known.token, err = r.RefreshToken(ctx, storage.Hash(token)); err == nil {
		known.grant, err = r.Grant(ctx, known.token.GrantID)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return chained{}, nil
	}
	if err != nil {
		return chained{}, fmt.Errorf("rotate a refresh token: %w", err)
	}
	return known, nil
}

// rotate gives an authenticated client new tokens for a refresh token
// (RFC 6749, section 6; RFC 9700, section 4.14). The token is looked up before the
// transaction, and in it only if somebody else has used it since, or may have bound
// it to a key.
func (p *Provider) rotate(
	ctx context.Context, c *storage.Client, key, token string, asked, resources []string,
) (*oidc.AccessTokenResponse, error) {
	before, err := p.chained(ctx, p.db.Reader, token)
	if err != nil {
		return nil, err
	}
	ended, err := p.hasEnded(ctx, before.grant)
	if err != nil {
		return nil, err
	}
	return p.exchange(ctx, c, func(tx *storage.Tx, by audit.Actor, now time.Time, out *issued) (refused, err error) {
		out.jkt, out.ended = key, ended
		known := before
		if registry.IsPublic(c) {
			if known, err = p.chained(ctx, tx.Reader, token); err != nil {
				return nil, err
			}
		}
		refused, err = p.rotateIn(ctx, tx, by, now, known, token, asked, resources, out)
		if !errors.Is(err, errUsed) {
			return refused, err
		}
		if known, err = p.chained(ctx, tx.Reader, token); err != nil {
			return nil, err
		}
		return p.rotateIn(ctx, tx, by, now, known, token, asked, resources, out)
	})
}

// errUsed says that a refresh token was used, or its grant ended, since it was looked up.
var errUsed = errors.New("openid: the refresh token was used meanwhile")

func (p *Provider) rotateIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, known chained,
	token string, asked, resources []string, out *issued,
) (refused, err error) {
	grant := known.grant
	if grant == nil {
		return p.refused(ctx, tx, by, now, out.client, "token.refreshed", "unknown_token")
	}
	if grant.ClientID != out.client.ID {
		return p.refused(ctx, tx, by, now, out.client, "token.refreshed", "token_of_another_client")
	}
	if out.ended || isOver(grant, now) {
		return p.refused(ctx, tx, by, now, out.client, "token.refreshed", "grant_ended")
	}
	out.grant, out.scopes = grant, grant.Scopes
	if fits, err := p.bind(ctx, tx, out, false); err != nil {
		return nil, err
	} else if !fits {
		return p.refused(ctx, tx, by, now, out.client, "token.refreshed", "key_mismatch")
	}
	if len(asked) > 0 {
		for _, scope := range asked {
			if !has(grant.Scopes, scope) {
				return oidc.ErrInvalidScope().WithDescription("the scope goes beyond what was granted"), nil
			}
		}
		out.scopes = asked
	}
	if out.resources, refused = p.narrow(out.client, grant, resources); refused != nil {
		return refused, nil
	}
	switch {
	case known.token.UsedAt.IsZero() && !now.Before(known.token.ExpiresAt.Time):
		return p.refused(ctx, tx, by, now, out.client, "token.refreshed", "token_expired")
	case known.token.UsedAt.IsZero():
		return nil, p.advance(ctx, tx, by, now, token, out)
	case now.Sub(known.token.UsedAt.Time).Abs() <= p.RefreshGrace:
		// A use that is yet to come was by a clock that was ahead, and is not of now.
		return nil, p.repeat(ctx, tx, by, now, token, out)
	}
	return p.repeated(ctx, tx, by, now, out.client, grant, "token.refresh_reuse")
}

// advance uses token up and adds its successor.
func (p *Provider) advance(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, token string, out *issued,
) error {
	first, err := tx.UseRefreshToken(ctx, storage.Hash(token), now)
	if err != nil {
		return fmt.Errorf("use a refresh token of grant %s: %w", out.grant.ID, err)
	}
	if !first {
		return fmt.Errorf("use a refresh token of grant %s: %w", out.grant.ID, errUsed)
	}
	out.refresh = p.successor(token)
	if err := p.addRefreshToken(ctx, tx, now, out.client, out.grant, out.refresh); err != nil {
		return err
	}
	return p.refreshed(ctx, tx, by, now, out, "")
}

// repeat tells the newest token of the chain to whoever comes with one that
// was used a moment ago.
func (p *Provider) repeat(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, token string, out *issued,
) error {
	for {
		token = p.successor(token)
		next, err := tx.RefreshToken(ctx, storage.Hash(token))
		if err != nil {
			return fmt.Errorf("follow the refresh tokens of grant %s: %w", out.grant.ID, err)
		}
		if next.UsedAt.IsZero() {
			out.refresh = token
			return p.refreshed(ctx, tx, by, now, out, "repeated")
		}
	}
}

func (p *Provider) refreshed(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, out *issued, reason string,
) error {
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "token.refreshed", Reason: reason, TargetKind: "user", TargetID: out.grant.UserID,
		OrgID: string(out.client.OrganizationID),
	})
}
