package login

import (
	"context"
	"fmt"
	"slices"

	"authy/server/audit"
	"authy/server/limit"
	"authy/server/session"
)

// strange says whether a user has not been seen with this browser or program
// in this network before, as far back as sessions are kept. It asks outside of
// the transaction that signs in: on PostgreSQL two sign-ins that read and add
// sessions would be in conflict.
func (s *Service) strange(ctx context.Context, by audit.Actor, userID string) (bool, error) {
	known, err := s.db.Addresses(ctx, userID, session.Agent(by))
	if err != nil {
		return false, fmt.Errorf("look for earlier sessions of %s: %w", userID, err)
	}
	network := limit.Network(by.IPAddress)
	return !slices.ContainsFunc(known, func(ip string) bool { return limit.Network(ip) == network }), nil
}
