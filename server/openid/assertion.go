package openid

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"authy/server/keyset"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

const (
	maxAssertion = 16 << 10 // bytes
	maxJTI       = 512      // bytes
	// assertionLifetime is the longest that an assertion may be good for. Its jti is kept
	// that long.
	assertionLifetime = time.Hour
	// keepAssertion is how much longer the jti is kept: the clocks of two nodes differ.
	keepAssertion = 2 * time.Minute
)

// authenticateByAssertion returns the client that has signed an assertion (RFC 7523,
// section 3; OpenID Connect Core 1.0, section 9). Which check failed is recorded; the client
// is told no more than that it failed.
func (p *Provider) authenticateByAssertion(ctx context.Context, sent *credentials) (*storage.Client, error) {
	token, err := keyset.Read(sent.assertion, maxAssertion)
	if err != nil {
		return nil, p.clientRefused(ctx, sent.id, "malformed_assertion")
	}
	subject, err := token.Claims.Text("sub")
	if err != nil || subject == "" || !isText(subject) {
		return nil, p.clientRefused(ctx, sent.id, "malformed_assertion")
	}
	if sent.id != "" && sent.id != subject { // RFC 7521, section 4.2
		return nil, p.clientRefused(ctx, sent.id, "assertion_of_another_client")
	}
	c, err := p.proven(ctx, subject, func(c *storage.Client) (reason string, err error) {
		if reason := p.assertionProblem(c, token, sent.endpoint, steady.Now()); reason != "" {
			return reason, nil
		}
		return p.signatureProblem(ctx, c, token)
	})
	if err != nil {
		return nil, err
	}
	first, err := p.useAssertion(ctx, c, token)
	if err != nil {
		return nil, internal(ctx, err)
	}
	if !first {
		return nil, p.clientRefused(ctx, c.ClientID, "assertion_replayed")
	}
	return c, nil
}

// assertionProblem says why what an assertion claims is not what a client has to claim at
// an endpoint, or "".
func (p *Provider) assertionProblem(c *storage.Client, t *keyset.Token, endpoint string, now time.Time) string {
	method := registry.AuthPrivateKey
	if slices.Contains(keyset.MACs, t.Algorithm) {
		method = registry.AuthSecretJWT
	}
	issuer, err := t.Claims.Text("iss")
	switch {
	case !isMethodOf(c, method):
		return "wrong_method"
	case c.Options.AuthAlg != "" && !keyset.IsOf(c.Options.AuthAlg, t.Algorithm):
		return "wrong_algorithm"
	case !slices.Contains([]string{"", "jwt", "client-authentication+jwt"}, strings.ToLower(t.Type)):
		return "not_an_assertion"
	case err != nil || issuer != c.ClientID:
		return "wrong_issuer"
	case !p.isAudience(t, endpoint):
		return "wrong_audience"
	}
	expires, issued, err := t.Claims.Times(now)
	id, noID := t.Claims.Text("jti")
	switch {
	case err != nil, expires.IsZero():
		return "assertion_expired"
	case expires.After(now.Add(assertionLifetime)), !issued.IsZero() && issued.Before(now.Add(-assertionLifetime)):
		return "assertion_too_long"
	case noID != nil || id == "" || len(id) > maxJTI:
		return "assertion_without_id"
	}
	return ""
}

// isAudience says whether an assertion is for this server and for nobody else: with one
// that others accept, too, they could act as the client here.
func (p *Provider) isAudience(t *keyset.Token, endpoint string) bool {
	audience, err := t.Claims.Audience()
	if err != nil || len(audience) == 0 {
		return false
	}
	return !slices.ContainsFunc(audience, func(one string) bool {
		return one != p.Issuer && one != p.Issuer+TokenPath && one != p.Issuer+endpoint
	})
}

// signatureProblem says why a token is not one that a client has signed, or "".
func (p *Provider) signatureProblem(ctx context.Context, c *storage.Client, t *keyset.Token) (string, error) {
	if slices.Contains(keyset.MACs, t.Algorithm) {
		if !t.SharedBy(c.Secret) {
			return "wrong_signature", nil
		}
		return "", nil
	}
	err := p.keysets.Verify(ctx, keyset.Owner{ID: c.ID, Document: c.Options.JWKS, URL: c.Options.JWKSURI}, t)
	switch {
	case errors.Is(err, keyset.ErrSignature):
		return "wrong_signature", nil
	case errors.Is(err, keyset.ErrKeys):
		slog.WarnContext(ctx, "the keys of a client could not be had", "client_id", c.ClientID, "err", err)
		return "keys_unavailable", nil
	}
	return "", err
}

// useAssertion uses up an assertion, and says whether it was the first to come with its jti.
func (p *Provider) useAssertion(ctx context.Context, c *storage.Client, t *keyset.Token) (first bool, err error) {
	id, err := t.Claims.Text("jti")
	if err != nil {
		return false, err
	}
	expires, err := t.Claims.Time("exp")
	if err != nil {
		return false, err
	}
	err = p.db.Update(ctx, func(tx *storage.Tx) (err error) {
		first, err = tx.UseAssertion(ctx, storage.Hash(c.ID+" "+id), expires.Add(keepAssertion))
		return err
	})
	return first, err
}
