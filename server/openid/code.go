package openid

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// redemption is what a client sends to redeem a code.
type redemption struct {
	code, redirectURI, verifier string
	resources                   []string
	key                         string // the thumbprint of the key that it proves
}

// redeem gives an authenticated client the tokens of a code
// (RFC 6749, section 4.1.3). The code is used up by the attempt, also by one
// that fails; a second use ends the whole grant (section 4.1.2). A code of
// another client is left alone: a stranger's attempt only fails, and so does
// the replay of a public client's code without its verifier.
func (p *Provider) redeem(ctx context.Context, c *storage.Client, in redemption) (*oidc.AccessTokenResponse, error) {
	known, err := p.knownCode(ctx, in.code)
	if err != nil {
		return nil, err
	}
	ended, err := p.hasEnded(ctx, known.grant)
	if err != nil {
		return nil, err
	}
	return p.exchange(ctx, c, func(tx *storage.Tx, by audit.Actor, now time.Time, out *issued) (refused, err error) {
		out.ended = ended
		return p.redeemIn(ctx, tx, by, now, known, in, out)
	})
}

// knownCode is a code with its grant; both are nil for a code that is not known.
type knownCode struct {
	code  *storage.Code
	grant *storage.Grant
}

// knownCode looks a code up. All of it but whether it was used stays as it is, so
// that it need not be read in the transaction that uses it.
func (p *Provider) knownCode(ctx context.Context, text string) (known knownCode, err error) {
	if known.code, err = p.db.Code(ctx, storage.Hash(text)); err == nil {
		known.grant, err = p.db.Grant(ctx, known.code.GrantID)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return knownCode{}, nil
	}
	if err != nil {
		return knownCode{}, fmt.Errorf("redeem a code: %w", err)
	}
	return known, nil
}

// exchange gives a client the tokens that decide fills in, in one transaction.
// What decide refuses the client is told, and what it did to the records then
// stands: a code is used up, a grant has ended.
func (p *Provider) exchange(
	ctx context.Context, c *storage.Client,
	decide func(tx *storage.Tx, by audit.Actor, now time.Time, out *issued) (refused, err error),
) (*oidc.AccessTokenResponse, error) {
	by, now := actor(ctx).AsClient(c.ClientID), steady.Now()
	var out issued
	var refused error
	err := p.db.Update(ctx, func(tx *storage.Tx) (err error) {
		out = issued{client: c}
		if refused, err = decide(tx, by, now, &out); err != nil || refused != nil || !c.Options.OpaqueTokens {
			return err
		}
		says, err := p.accessClaims(ctx, now, out)
		if err == nil {
			out.access, err = p.addAccessToken(ctx, tx, now, out.grant.ID, "", says)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if refused != nil {
		return nil, refused
	}
	return p.tokens(ctx, now, out)
}

// redeemIn decides in tx. Its first result is what the client is told; what it
// did to the records stands either way.
func (p *Provider) redeemIn(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, known knownCode, in redemption, out *issued,
) (refused, err error) {
	code, grant := known.code, known.grant
	if code == nil {
		return p.refused(ctx, tx, by, now, out.client, "code.exchanged", "unknown_code")
	}
	if grant.ClientID != out.client.ID {
		return p.refused(ctx, tx, by, now, out.client, "code.exchanged", "code_of_another_client")
	}
	first, err := tx.UseCode(ctx, code.Hash, now)
	if err != nil {
		return nil, fmt.Errorf("redeem a code: %w", err)
	}
	if !first && registry.IsPublic(out.client) && !verifies(code.CodeChallenge, in.verifier) {
		// Anyone can call themselves a public client; the verifier is its one proof.
		return p.refused(ctx, tx, by, now, out.client, "code.exchanged", "replayed_by_a_stranger")
	}
	if !first {
		return p.repeated(ctx, tx, by, now, out.client, grant, "code.replayed")
	}
	if reason := mismatch(code, in, now); reason != "" {
		return p.refused(ctx, tx, by, now, out.client, "code.exchanged", reason)
	}
	if out.ended || isOver(grant, now) {
		return p.refused(ctx, tx, by, now, out.client, "code.exchanged", "grant_ended")
	}
	if out.resources, refused = p.narrow(out.client, grant, in.resources); refused != nil {
		return refused, nil
	}
	out.grant, out.scopes, out.nonce, out.jkt = grant, grant.Scopes, code.Nonce, in.key
	if fits, err := p.bind(ctx, tx, out, true); err != nil {
		return nil, err
	} else if !fits {
		return p.refused(ctx, tx, by, now, out.client, "code.exchanged", "key_mismatch")
	}
	if has(grant.Scopes, "offline_access") && has(out.client.GrantTypes, "refresh_token") {
		if out.refresh, err = p.firstRefreshToken(ctx, tx, now, out.client, grant); err != nil {
			return nil, err
		}
	}
	return nil, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "code.exchanged", TargetKind: "user", TargetID: grant.UserID, OrgID: string(out.client.OrganizationID),
	})
}

// mismatch says why a code does not fit a redemption, or "".
func mismatch(code *storage.Code, in redemption, now time.Time) string {
	switch {
	case !now.Before(code.ExpiresAt.Time):
		return "code_expired"
	case code.RedirectURI != in.redirectURI:
		return "redirect_uri_mismatch"
	case !verifies(code.CodeChallenge, in.verifier):
		return "code_verifier_mismatch"
	}
	return ""
}

// verifies compares a PKCE verifier with the challenge (RFC 7636, section
// 4.6). Where no challenge was sent no verifier may be (RFC 9700, section
// 2.1.1): otherwise an attacker could strip the challenge off the request.
func verifies(challenge, verifier string) bool {
	if challenge == "" {
		return verifier == ""
	}
	if len(verifier) < 43 || len(verifier) > 128 || !isUnreserved(verifier) {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(oidc.NewSHACodeChallenge(verifier)), []byte(challenge)) == 1
}

// errGrant is the one answer to a code or refresh token that is not good. It
// does not say why: that is in the audit log.
func errGrant() error {
	return oidc.ErrInvalidGrant().WithDescription("the code or token is not known, has been used, has ended, or does not fit this request")
}

// refused is what the client is told of a code or token that is not good; why
// is recorded.
func (p *Provider) refused(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, c *storage.Client, action, reason string,
) (refused, err error) {
	return errGrant(), audit.Record(ctx, tx, by, now, audit.Event{
		Action: action, Failed: true, Reason: reason, TargetKind: "client", TargetID: c.ClientID,
		OrgID: string(c.OrganizationID),
	})
}

// repeated ends a grant whose code or refresh token was used a second time:
// either the client or a thief holds a copy (RFC 6749, section 4.1.2; RFC 9700,
// section 4.14.2).
func (p *Provider) repeated(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time,
	c *storage.Client, g *storage.Grant, action string,
) (refused, err error) {
	if _, err := tx.RevokeGrant(ctx, g.ID, action, now); err != nil {
		return nil, fmt.Errorf("end grant %s: %w", g.ID, err)
	}
	return errGrant(), audit.Record(ctx, tx, by, now, audit.Event{
		Action: action, Failed: true, TargetKind: "user", TargetID: g.UserID,
		OrgID: string(c.OrganizationID), Details: map[string]string{"client_id": c.ClientID, "grant_id": g.ID},
	})
}

// firstRefreshToken begins the chain of refresh tokens of a grant.
func (p *Provider) firstRefreshToken(
	ctx context.Context, tx *storage.Tx, now time.Time, c *storage.Client, g *storage.Grant,
) (string, error) {
	secret := make([]byte, 32)
	rand.Read(secret)
	token := base64.RawURLEncoding.EncodeToString(secret)
	return token, p.addRefreshToken(ctx, tx, now, c, g, token)
}
