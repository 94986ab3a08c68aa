package openid

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/steady"
	"authy/storage"
)

// NotAllowed is what a client is told of a user who may not use it.
const NotAllowed = "The user may not use the application."

// MissingConsent returns the scopes of a request that its user has not let
// the client have yet; nil means that nobody need be asked.
func (p *Provider) MissingConsent(ctx context.Context, r *Request, userID string) ([]string, error) {
	client, err := p.clients.Client(ctx, r.ClientID)
	if err != nil {
		return nil, err
	}
	if client.SkipConsent && !r.Has("consent") {
		return nil, nil
	}
	known, err := p.db.Consent(ctx, userID, client.ID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return r.Asked(), nil
	case err != nil:
		return nil, fmt.Errorf("consent of %s to %s: %w", userID, r.ClientID, err)
	}
	missing := slices.DeleteFunc(slices.Clone(r.Asked()), func(s string) bool { return has(known.Scopes, s) })
	if len(missing) == 0 {
		return nil, nil
	}
	return missing, nil
}

// Issue grants a request to the user of a session in tx, and returns how the
// code reaches the client; after the commit [Provider.Complete] makes of that what the
// client gets. consented says that the user was asked just now.
// [registry.ErrNoClient] if the client was disabled meanwhile, a [*Refusal] if the user
// may not use it any more.
func (p *Provider) Issue(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time,
	r *Request, s *storage.Session, consented bool,
) (a Answer, err error) {
	client, err := tx.Client(ctx, r.ClientID)
	if err == nil {
		err = p.clients.Usable(ctx, tx.Reader, client)
	}
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, registry.ErrDisabled) {
		return a, registry.ErrNoClient // since the person was asked
	}
	if err != nil {
		return a, fmt.Errorf("issue a code to %s: %w", r.ClientID, err)
	}
	if err := p.grants(ctx, tx, r, client, s, consented); err != nil {
		return a, err
	}
	if consented {
		if err := p.remember(ctx, tx, by, now, r, client, s.UserID); err != nil {
			return a, err
		}
	}
	claims, err := r.Claims.kept()
	if err != nil {
		return a, fmt.Errorf("keep the claims that %s asks for: %w", r.ClientID, err)
	}
	grant := &storage.Grant{
		ID: storage.NewID(), UserID: s.UserID, ClientID: client.ID,
		SessionID: storage.Ref(s.ID), Scopes: r.Scopes, Methods: s.Methods,
		AuthenticatedAt: s.AuthenticatedAt, CreatedAt: storage.At(now),
		ExpiresAt: storage.At(now.Add(p.grantLifetime(client, r.Scopes))),
		Details: storage.GrantDetails{
			ACR: reached(r.ACR, s.Methods), Claims: claims, Resources: r.Resources, JKT: r.JKT,
		},
	}
	if r.Device != nil {
		a.Location, err = p.allowDevice(ctx, tx, by, now, r, client, grant)
		return a, err
	}
	if err := tx.InsertGrant(ctx, grant); err != nil {
		return a, fmt.Errorf("grant %s to %s: %w", s.UserID, r.ClientID, err)
	}
	if err := p.visit(ctx, tx, now, client, s.ID, p.Subject(client, s.UserID)); err != nil {
		return a, err
	}
	details := map[string]string{"scope": strings.Join(r.Scopes, " ")}
	if r.ResponseType.InFront() {
		details["response_type"] = r.ResponseType.String()
		a, err = p.grantInFront(ctx, tx, now, r, client, grant)
	} else {
		a, err = p.addCode(ctx, tx, now, r, client, grant)
	}
	if err != nil {
		return Answer{}, err
	}
	return a, audit.Record(ctx, tx, by, now, audit.Event{
		Action: "authorize.granted", TargetKind: "client", TargetID: r.ClientID,
		OrgID: string(client.OrganizationID), Details: details,
	})
}

// addCode makes the code of a grant, and the answer that takes it to the client.
func (p *Provider) addCode(
	ctx context.Context, tx *storage.Tx, now time.Time, r *Request, client *storage.Client, grant *storage.Grant,
) (Answer, error) {
	code := rand.Text()
	err := tx.InsertCode(ctx, &storage.Code{
		Hash: storage.Hash(code), GrantID: grant.ID, RedirectURI: r.RedirectURI,
		CodeChallenge: r.CodeChallenge, Nonce: r.Nonce, CreatedAt: storage.At(now),
		ExpiresAt: storage.At(now.Add(p.codeLifetime(client))),
	})
	if err != nil {
		return Answer{}, fmt.Errorf("issue a code to %s: %w", r.ClientID, err)
	}
	return answer(r, p.Issuer, url.Values{"code": {code}}), nil
}

// grants is nil while the client may have what r asks for of the user of s: all
// of it was looked at before, and may have changed since.
func (p *Provider) grants(
	ctx context.Context, tx *storage.Tx, r *Request, client *storage.Client, s *storage.Session, consented bool,
) error {
	if err := p.stillMay(r, client); err != nil {
		return err
	}
	err := p.clients.MayUse(ctx, tx.Reader, client, s.UserID)
	switch {
	case errors.Is(err, registry.ErrNotAllowed):
		return p.Refuse(r, "access_denied", NotAllowed)
	case err != nil:
		return err
	case r.MustACR && !meets(r.ACR, s.Methods):
		return p.Refuse(r, "unmet_authentication_requirements", UnmetACR)
	case consented:
		return nil
	}
	may, err := consents(ctx, tx, r, client, s.UserID)
	if err == nil && !may {
		return p.Refuse(r, "consent_required", "The user must agree.")
	}
	return err
}

// Bars says whether a user may not use the client of a request.
func (p *Provider) Bars(ctx context.Context, r *Request, userID string) (bool, error) {
	client, err := p.clients.Client(ctx, r.ClientID)
	if err != nil {
		return false, err
	}
	err = p.clients.MayUse(ctx, p.db.Reader, client, userID)
	if errors.Is(err, registry.ErrNotAllowed) {
		return true, nil
	}
	return false, err
}

// grantLifetime is how long anything of a grant can live: as long as its
// access token, or its refresh tokens.
func (p *Provider) grantLifetime(c *storage.Client, scopes []string) time.Duration {
	if has(scopes, "offline_access") && has(c.GrantTypes, "refresh_token") {
		return p.MaxGrantLifetime
	}
	return p.codeLifetime(c) + c.AccessTokenLifetime.Duration()
}

// codeLifetime is how long a code of a client can be redeemed.
func (p *Provider) codeLifetime(c *storage.Client) time.Duration {
	if own := c.Options.CodeLifetime.Duration(); own > 0 {
		return own
	}
	return p.CodeLifetime
}

// remember adds the scopes of r to what the user lets the client have.
func (p *Provider) remember(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time,
	r *Request, client *storage.Client, userID string,
) error {
	consent, err := tx.Consent(ctx, userID, client.ID)
	if errors.Is(err, storage.ErrNotFound) {
		consent, err = &storage.Consent{UserID: userID, ClientID: client.ID, CreatedAt: storage.At(now)}, nil
	}
	if err != nil {
		return fmt.Errorf("remember consent of %s: %w", userID, err)
	}
	for _, scope := range r.Asked() {
		if !has(consent.Scopes, scope) {
			consent.Scopes = append(consent.Scopes, scope)
		}
	}
	consent.UpdatedAt = storage.At(now)
	if err := tx.SaveConsent(ctx, consent); err != nil {
		return fmt.Errorf("remember consent of %s: %w", userID, err)
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "consent.given", TargetKind: "client", TargetID: r.ClientID,
		OrgID: string(client.OrganizationID), Details: map[string]string{"scope": strings.Join(r.Asked(), " ")},
	})
}

// Deny records in tx why a user's request was denied: access_denied by them,
// not_allowed to them.
func (p *Provider) Deny(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, r *Request, reason string,
) error {
	if r.Device != nil && reason == "access_denied" { // another user may still allow it
		if first, err := tx.UseDeviceDecision(ctx, r.Device.Hash, "", now); err != nil {
			return fmt.Errorf("deny a device of %s: %w", r.ClientID, err)
		} else if !first {
			return ErrUserCode
		}
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "authorize.denied", Failed: true, Reason: reason, TargetKind: "client", TargetID: r.ClientID,
	})
}

// Connection is a client that a user lets have something.
type Connection struct {
	Client *storage.Client
	Scopes []string
	Since  time.Time // zero for what was not asked for consent
}

// maxApps is how many clients a user is shown at most that were not asked for consent.
const maxApps = 100

// Apps is [Provider.Connections], and then the clients that have something of a user
// though nobody had to ask: those of the operator.
func (p *Provider) Apps(ctx context.Context, userID string) ([]Connection, error) {
	out, err := p.Connections(ctx, userID)
	if err != nil {
		return nil, err
	}
	rows, err := p.db.ClientsGranted(ctx, userID, steady.Now(), maxApps)
	if err != nil {
		return nil, fmt.Errorf("apps of %s: %w", userID, err)
	}
	for _, row := range rows {
		if slices.ContainsFunc(out, func(c Connection) bool { return c.Client.ID == row }) {
			continue
		}
		client, err := p.db.ClientByRow(ctx, row)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted between the two reads
		}
		if err != nil {
			return nil, fmt.Errorf("apps of %s: %w", userID, err)
		}
		out = append(out, Connection{Client: client})
	}
	return out, nil
}

// Connections returns the clients that a user lets have something.
func (p *Provider) Connections(ctx context.Context, userID string) ([]Connection, error) {
	consents, err := p.db.Consents(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("connections of %s: %w", userID, err)
	}
	out := make([]Connection, 0, len(consents))
	for _, c := range consents {
		client, err := p.db.ClientByRow(ctx, c.ClientID)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted between the two reads
		}
		if err != nil {
			return nil, fmt.Errorf("connections of %s: %w", userID, err)
		}
		out = append(out, Connection{Client: client, Scopes: c.Scopes, Since: c.CreatedAt.Time})
	}
	return out, nil
}

func has(words []string, word string) bool { return slices.Contains(words, word) }
