package login

import (
	"context"
	"fmt"

	"authy/server/audit"
	"authy/server/saml2"
	"authy/storage"
)

// LogoutSAML answers what a SAML service has sent about a logout. What a service has
// signed ends the sessions that it is about wherever they are; anything else no more than
// that of this very browser. nil says that there is nothing to be seen.
func (s *Service) LogoutSAML(ctx context.Context, by audit.Actor, b Browser, d saml2.Delivery) (*LogoutStep, error) {
	leave, err := s.Services.ReadLogout(ctx, by, d)
	if err != nil || leave.Answer {
		return nil, err
	}
	id, err := s.Identify(ctx, b)
	if err != nil {
		return nil, err
	}
	own := func(v *storage.ServiceVisit) bool { return id != nil && v.SessionID == id.Session.ID }
	step := &LogoutStep{Kept: true}
	if step.RedirectURL, err = s.Services.DoneURL(leave); err != nil {
		return nil, err
	}
	if err := s.Services.Leave(ctx, by, leave); err != nil {
		return nil, err
	}
	for i := range leave.Visits {
		switch v := &leave.Visits[i]; {
		case own(v):
			step.Kept = false
			if step.SignedOut, err = s.signOut(ctx, by, b, id, "SAML logout", step.RedirectURL); err != nil {
				return nil, err
			}
		case leave.Signed:
			if err := s.endVisited(ctx, by, v); err != nil {
				return nil, err
			}
		}
	}
	return step, nil
}

// endVisited ends the session of a visit, in whichever browser it is.
func (s *Service) endVisited(ctx context.Context, by audit.Actor, v *storage.ServiceVisit) error {
	current, err := s.db.Session(ctx, v.SessionID)
	if err != nil {
		return fmt.Errorf("end session %s: %w", v.SessionID, err)
	}
	return s.sessions.End(ctx, by.As(current.UserID), current.UserID, current.ID, "user.logout", "SAML logout")
}
