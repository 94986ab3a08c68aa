package openid

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"authy/server/audit"
	"authy/storage"
)

// DeviceToken answers a device that polls (RFC 8628, section 3.4).
func (s *server) DeviceToken(
	ctx context.Context, r *op.ClientRequest[oidc.DeviceAccessTokenRequest],
) (*op.Response, error) {
	c, key, err := s.proven(ctx, r.Header, r.Client)
	if err != nil {
		return nil, err
	}
	return respond(s.p.poll(ctx, c, key, r.Data.DeviceCode))(ctx)
}

// poll gives a client the tokens of a device code, once, or says why not yet.
func (p *Provider) poll(ctx context.Context, c *storage.Client, key, code string) (*oidc.AccessTokenResponse, error) {
	return p.exchange(ctx, c, func(tx *storage.Tx, by audit.Actor, now time.Time, out *issued) (refused, err error) {
		out.jkt = key
		return p.pollIn(ctx, tx, by, now, code, out)
	})
}

func (p *Provider) pollIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, code string, out *issued,
) (refused, err error) {
	hash := storage.Hash(code)
	d, err := tx.DeviceCode(ctx, hash)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return p.refused(ctx, tx, by, now, out.client, "device.exchanged", "unknown_code")
	case err != nil:
		return nil, fmt.Errorf("poll for a device: %w", err)
	case d.ClientID != out.client.ID:
		return p.refused(ctx, tx, by, now, out.client, "device.exchanged", "code_of_another_client")
	case !now.Before(d.ExpiresAt.Time):
		return oidc.ErrExpiredDeviceCode().WithDescription("the device code has expired"), nil
	case !d.DeniedAt.IsZero():
		return oidc.ErrAccessDenied().WithDescription("the user did not allow the device"), nil
	case d.GrantID == "":
		return p.wait(ctx, tx, now, hash)
	}
	return p.letIn(ctx, tx, by, now, d, out)
}

// wait tells a device to poll again, or more slowly (RFC 8628, section 3.5).
func (p *Provider) wait(ctx context.Context, tx *storage.Tx, now time.Time, hash string) (refused, err error) {
	inTime, err := tx.UseDevicePoll(ctx, hash, now, devicePause)
	if err != nil {
		return nil, fmt.Errorf("note a poll: %w", err)
	}
	if !inTime {
		return oidc.ErrSlowDown().WithDescription("poll five seconds less often from now on"), nil
	}
	return oidc.ErrAuthorizationPending().WithDescription("the user has not decided yet"), nil
}

// letIn uses an allowed device code up. A second use ends its grant, as that of any
// other code does.
func (p *Provider) letIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, d *storage.DeviceCode, out *issued,
) (refused, err error) {
	if out.grant, err = tx.Grant(ctx, string(d.GrantID)); err != nil {
		return nil, fmt.Errorf("let a device in: %w", err)
	}
	first, err := tx.UseDeviceCode(ctx, d.Hash, now)
	if err != nil {
		return nil, fmt.Errorf("let a device in: %w", err)
	}
	if !first {
		return p.repeated(ctx, tx, by, now, out.client, out.grant, "device.replayed")
	}
	if err := p.live(ctx, tx.Reader, out.grant, now); errors.Is(err, errEnded) {
		return p.refused(ctx, tx, by, now, out.client, "device.exchanged", "grant_ended")
	} else if err != nil {
		return nil, err
	}
	if _, err := p.bind(ctx, tx, out, true); err != nil { // nothing is bound before
		return nil, err
	}
	out.scopes = out.grant.Scopes
	if has(out.scopes, "offline_access") && has(out.client.GrantTypes, "refresh_token") {
		if out.refresh, err = p.firstRefreshToken(ctx, tx, now, out.client, out.grant); err != nil {
			return nil, err
		}
	}
	return nil, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "device.exchanged", TargetKind: "user", TargetID: out.grant.UserID,
		OrgID: string(out.client.OrganizationID),
	})
}
