package org

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/storage"
)

// Received is an invitation to somebody who is signed in.
type Received struct {
	ID           string
	Organization *Organization
	Role         Role
	ExpiresAt    time.Time
}

// Received returns the invitations to the address of the caller that they can answer, if it
// is known that it is theirs.
func (s *Service) Received(ctx context.Context, by audit.Actor) ([]Received, error) {
	if by.Kind != audit.User {
		return nil, ErrForbidden
	}
	user, err := s.db.User(ctx, by.ID)
	if err != nil {
		return nil, fmt.Errorf("look up user %s: %w", by.ID, err)
	}
	if user.EmailVerifiedAt.IsZero() {
		return nil, nil
	}
	all, err := s.db.InvitationsTo(ctx, user.Email)
	if err != nil {
		return nil, fmt.Errorf("list the invitations to %s: %w", by.ID, err)
	}
	var out []Received
	now := time.Now()
	for i := range all {
		one, err := s.received(ctx, &all[i], now)
		if err != nil {
			return nil, err
		}
		if one != nil {
			out = append(out, *one)
		}
	}
	return out, nil
}

// received returns an invitation as whom it is for sees it, nil if it cannot be answered.
func (s *Service) received(ctx context.Context, i *storage.Invitation, now time.Time) (*Received, error) {
	o, err := s.db.Organization(ctx, i.OrganizationID)
	if err == nil {
		_, err = inviter(ctx, s.db.Reader, i)
	}
	switch {
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, ErrNoInvitation), err == nil && (!open(i, now) || !o.IsActive):
		return nil, nil //nolint:nilnil // there is none
	case err != nil:
		return nil, fmt.Errorf("look up invitation %s: %w", i.ID, err)
	}
	return &Received{ID: i.ID, Organization: o, Role: i.Role, ExpiresAt: i.ExpiresAt.Time}, nil
}

// AcceptReceived is [Service.Accept] for an invitation that [Service.Received] has listed.
func (s *Service) AcceptReceived(ctx context.Context, by audit.Actor, id string) (out *Membership, err error) {
	err = s.answering(ctx, by, func() error {
		out, err = s.accept(ctx, by, toWhomItIs(by, id))
		return err
	})
	return out, err
}

// DeclineReceived is [Service.Decline] for an invitation that [Service.Received] has listed.
func (s *Service) DeclineReceived(ctx context.Context, by audit.Actor, id string) error {
	return s.decline(ctx, by, toWhomItIs(by, id))
}

// toWhomItIs finds an invitation by its id, which is no secret: whoever has not shown that
// the address is theirs needs the one that was mailed to it.
func toWhomItIs(by audit.Actor, id string) finding {
	return func(ctx context.Context, tx *storage.Tx) (*storage.Invitation, error) {
		user, err := tx.User(ctx, by.ID)
		if err != nil {
			return nil, err
		}
		if !isID(id) || user.EmailVerifiedAt.IsZero() {
			return nil, ErrNoInvitation
		}
		return tx.Invitation(ctx, id)
	}
}
