package login

import (
	"context"
	"fmt"
	"slices"
	"time"

	"authy/server/audit"
	"authy/server/limit"
	"authy/server/mail"
	"authy/server/session"
	"authy/storage"
)

// strange says whether a user has not been seen with this browser or program
// in this network before, as far back as sessions are kept. It asks outside of
// the transaction that signs in: on PostgreSQL two sign-ins that read and add
// sessions would be in conflict. Where no notice could be sent it is not asked.
func (s *Service) strange(ctx context.Context, by audit.Actor, userID string) (bool, error) {
	if !s.accounts.Mail.Enabled() {
		return false, nil
	}
	known, err := s.db.Addresses(ctx, userID, session.Agent(by))
	if err != nil {
		return false, fmt.Errorf("look for earlier sessions of %s: %w", userID, err)
	}
	network := limit.Network(by.IPAddress)
	return !slices.ContainsFunc(known, func(ip string) bool { return limit.Network(ip) == network }), nil
}

// noteDevice tells a user who is about to sign in that it is from somewhere new,
// unless it is their first time.
func (s *Service) noteDevice(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, proved proof, user *storage.User,
) error {
	if !proved.strange || user.LastLoginAt.IsZero() {
		return nil
	}
	return s.accounts.Mail.Notice(ctx, tx, by, now, user, mail.NewDevice, "")
}
