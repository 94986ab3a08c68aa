package login

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/openid"
	"authy/server/saml2"
	"authy/storage"
)

// Consent takes the person's answer to what a client may have.
func (s *Service) Consent(ctx context.Context, by audit.Actor, b Browser, flowID string, allow bool) (*Next, error) {
	id, f, err := s.openFlow(ctx, b, flowID)
	if err != nil {
		return nil, err
	}
	if id == nil || f.record.SessionID == "" {
		return nil, ErrFlow // nobody has signed in: there is no one to agree
	}
	at, err := s.standpoint(ctx, id, f, f.request)
	if err != nil {
		return nil, err
	}
	at.agreed = true
	if next, _ := decide(at); next != done {
		return s.advance(ctx, by, b, f, f.request)
	}
	by = id.Actor(by)
	if allow {
		return s.finish(ctx, by, at.now, f, f.request, id.Session.ID, true)
	}
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := tx.TakeFlow(ctx, f.record.ID); err != nil {
			return err
		}
		return s.deny(ctx, tx, by, at.now, f.request, "access_denied")
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrFlow
	}
	if err != nil {
		return nil, err
	}
	if f.request.Device != nil {
		return &Next{Location: openid.DoneAt("denied")}, nil
	}
	return answered(s.refuse(ctx, f.request, "access_denied", refusedText["access_denied"]))
}

// finish uses the flow up, if there is one, and issues the code, or the tokens that
// come without one.
func (s *Service) finish(
	ctx context.Context, by audit.Actor, now time.Time, f *flow,
	request *asked, sessionID string, consented bool,
) (*Next, error) {
	var answer func() (*Next, error)
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		if f != nil {
			if err := tx.TakeFlow(ctx, f.record.ID); errors.Is(err, storage.ErrNotFound) {
				return ErrFlow
			} else if err != nil {
				return fmt.Errorf("end a sign-in: %w", err)
			}
		}
		current, err := tx.Session(ctx, sessionID)
		if err != nil {
			return fmt.Errorf("end a sign-in: %w", err)
		}
		if !current.RevokedAt.IsZero() {
			return ErrFlow
		}
		answer, err = s.issue(ctx, tx, by, now, request, current, consented)
		return err
	})
	if refusal, is := errors.AsType[*saml2.Refusal](err); is {
		return s.refuseSAML(ctx, refusal)
	}
	if err != nil {
		return nil, err
	}
	return answer()
}
