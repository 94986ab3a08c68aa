package openid

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/storage"
)

// ErrNoConsent is answered to someone who takes back what they have not given.
var ErrNoConsent = fault.New(fault.NotFound, "consent_not_found", "You do not let an application with this client_id have anything.")

// RevokeConsent takes back what the user who asks let a client have, and ends
// every grant that it has of them. [ErrNoConsent] if there is none.
func (p *Provider) RevokeConsent(ctx context.Context, by audit.Actor, clientID string) error {
	if by.Kind != audit.User || strings.ContainsRune(clientID, 0) {
		return ErrNoConsent // storage refuses such text
	}
	now := time.Now()
	return p.db.Update(ctx, func(tx *storage.Tx) error {
		client, err := tx.Client(ctx, clientID)
		if err == nil {
			err = tx.DeleteConsent(ctx, by.ID, client.ID)
		}
		if errors.Is(err, storage.ErrNotFound) {
			return ErrNoConsent
		}
		if err != nil {
			return fmt.Errorf("revoke the consent of %s: %w", by.ID, err)
		}
		if err := tx.RevokeGrantsTo(ctx, by.ID, client.ID, "consent.revoked", now); err != nil {
			return fmt.Errorf("end the grants of %s to %s: %w", by.ID, clientID, err)
		}
		return audit.Record(ctx, tx, by, now, audit.Event{
			Action: "consent.revoked", TargetKind: "client", TargetID: client.ClientID, OrgID: string(client.OrganizationID),
		})
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
