package login

import (
	"context"
	"fmt"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/org"
	"authy/server/session"
	"authy/server/steady"
)

// ErrLimited is answered to someone who must set a second factor up before
// anything else. Nothing about a session says so: it is worked out at each
// request, so that a policy binds those who are signed in, and setting a factor
// up frees them. The message is the contract's.
var ErrLimited = fault.New(fault.Forbidden, "mfa_compliance_required", "MFA compliance required to access this resource")

// Full is nil for who may do everything that is theirs to do, and [ErrLimited]
// for who must set a second factor up first.
func (s *Service) Full(ctx context.Context, id *session.Identity) error {
	if id.User == nil {
		return nil // a service is asked for no factor
	}
	now := steady.Now()
	limited, err := org.Limited(ctx, s.db.Reader, id.User.ID, now)
	if err != nil || !limited {
		return err
	}
	standing, err := org.StandingOf(ctx, s.db.Reader, id.User.ID, now)
	if err != nil {
		return err
	}
	told := *ErrLimited
	told.Fields = map[string][]string{"overall_status": {standing.Overall}, "missing_methods": standing.Missing}
	return &told
}

// ConfirmTOTP is [account.Service.ConfirmTOTP], and records that the user now
// meets what their organizations ask.
func (s *Service) ConfirmTOTP(ctx context.Context, by audit.Actor, userID, code string) error {
	if err := s.accounts.ConfirmTOTP(ctx, by, userID, code); err != nil {
		return err
	}
	return s.settle(ctx, by, userID)
}

// settle records that a user who has a new factor meets what is asked of them.
func (s *Service) settle(ctx context.Context, by audit.Actor, userID string) error {
	if err := s.Orgs.Settle(ctx, by, userID); err != nil {
		return fmt.Errorf("%s has a second factor, which is not noted by their organizations: %w", userID, err)
	}
	return nil
}
