package openid

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// ErrNoConsent is answered to someone who takes back what they have not given.
var ErrNoConsent = fault.New(fault.NotFound, "consent_not_found", "You do not let an application with this client_id have anything.")

// errNotAdmin is answered to who does not administer the server.
var errNotAdmin = fault.New(fault.Forbidden, "forbidden", "You may not do this.")

// RevokeConsent takes back what the user who asks let a client have, and ends
// every grant that it has of them. [ErrNoConsent] if there is none.
func (p *Provider) RevokeConsent(ctx context.Context, by audit.Actor, clientID string) error {
	if by.Kind != audit.User {
		return ErrNoConsent
	}
	return p.revokeConsent(ctx, by, by.ID, clientID)
}

// RevokeConsentOf is [Provider.RevokeConsent] for what another user let a client
// have, on behalf of who administers the server.
func (p *Provider) RevokeConsentOf(ctx context.Context, by audit.Actor, userID, clientID string) error {
	may, err := by.Administers(ctx, p.db.Reader)
	if err != nil {
		return err
	}
	if !may {
		return errNotAdmin
	}
	return p.revokeConsent(ctx, by, userID, clientID)
}

func (p *Provider) revokeConsent(ctx context.Context, by audit.Actor, userID, clientID string) error {
	if strings.ContainsRune(clientID, 0) || strings.ContainsRune(userID, 0) {
		return ErrNoConsent // storage refuses such text
	}
	event := audit.Event{Action: "consent.revoked", TargetKind: "client", TargetID: clientID}
	if userID != by.ID {
		event.Details = map[string]string{"user": userID}
	}
	now := steady.Now()
	return p.db.Update(ctx, func(tx *storage.Tx) error {
		client, err := tx.Client(ctx, clientID)
		if err == nil {
			err = tx.DeleteConsent(ctx, userID, client.ID)
		}
		if errors.Is(err, storage.ErrNotFound) {
			return ErrNoConsent
		}
		if err != nil {
			return fmt.Errorf("revoke the consent of %s: %w", userID, err)
		}
		if err := tx.RevokeGrantsTo(ctx, userID, client.ID, "consent.revoked", now); err != nil {
			return fmt.Errorf("end the grants of %s to %s: %w", userID, clientID, err)
		}
		event.OrgID = string(client.OrganizationID)
		return audit.Record(ctx, tx, by, now, event)
	})
}

// consents says in tx whether a user still lets a client have what a request
// asks for.
func consents(ctx context.Context, tx *storage.Tx, r *Request, client *storage.Client, userID string) (bool, error) {
	if client.SkipConsent {
		return true, nil
	}
	known, err := tx.Consent(ctx, userID, client.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("consent of %s to %s: %w", userID, r.ClientID, err)
	}
	for _, scope := range r.Scopes {
		if !has(known.Scopes, scope) {
			return false, nil
		}
	}
	return true, nil
}
