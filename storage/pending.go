package storage

import (
	"context"
	"fmt"
)

// DeletePending deletes what waits to be used in the name of a user, and what they let
// applications have: links, sign-ins that are half done, those that they are asked
// something in, passkeys that are asked for, codes of devices, invitations to their
// address, API tokens and consents. What of it was made as late as this is gone, too.
func (tx *Tx) DeletePending(ctx context.Context, userID, email string) error {
	if err := tx.changeAPITokens(ctx, "user_id = ?", userID); err != nil {
		return err
	}
	const ofSessions = "session_id IN (SELECT id FROM sessions WHERE user_id = ?)"
	for _, step := range []struct {
		what   string
		remove func() (int64, error)
	}{
		{"links", func() (int64, error) { return remove[Link](ctx, tx, "user_id = ?", userID) }},
		{"links to an address", func() (int64, error) { return remove[Link](ctx, tx, "email = ?", email) }},
		{"half sign-ins", func() (int64, error) { return remove[FirstFactor](ctx, tx, "user_id = ?", userID) }},
		{"passkeys asked for", func() (int64, error) { return remove[Ceremony](ctx, tx, "user_id = ?", userID) }},
		{"departures", func() (int64, error) { return remove[Departure](ctx, tx, ofSessions, userID) }},
		{"sign-ins", func() (int64, error) { return remove[Flow](ctx, tx, ofSessions, userID) }},
		{"device codes", func() (int64, error) {
			return remove[DeviceCode](ctx, tx, "grant_id IN (SELECT id FROM grants WHERE user_id = ?)", userID)
		}},
		{"invitations", func() (int64, error) { return remove[Invitation](ctx, tx, "email = ?", email) }},
		{"API tokens", func() (int64, error) { return remove[APIToken](ctx, tx, "user_id = ?", userID) }},
		{"consents", func() (int64, error) { return remove[Consent](ctx, tx, "user_id = ?", userID) }},
	} {
		if _, err := step.remove(); err != nil {
			return fmt.Errorf("delete the %s of %s: %w", step.what, userID, err)
		}
	}
	return nil
}
