package org

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/steady"
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
	now := steady.Now()
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

// Accept makes the caller a member by an invitation to their address.
func (s *Service) Accept(ctx context.Context, by audit.Actor, secret string) (out *Membership, err error) {
	err = s.answering(ctx, by, func() error {
		out, err = s.accept(ctx, by, withSecret(secret))
		return err
	})
	return out, err
}

// finding finds the invitation that is answered.
type finding func(ctx context.Context, tx *storage.Tx) (*storage.Invitation, error)

func withSecret(secret string) finding {
	return func(ctx context.Context, tx *storage.Tx) (*storage.Invitation, error) {
		return tx.InvitationByHash(ctx, storage.Hash(secret))
	}
}

func (s *Service) accept(ctx context.Context, by audit.Actor, find finding) (out *Membership, err error) {
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		i, err := s.mine(ctx, tx, by, now, find)
		if err != nil {
			return err
		}
		if err := s.use(ctx, tx, by, now, "org.invitation.accept", i); err != nil {
			return err
		}
		j := joining{orgID: i.OrganizationID, userID: by.ID, role: i.Role, invitation: i}
		if _, err := s.add(ctx, tx, by, now, j); err != nil {
			return err
		}
		o, err := tx.Organization(ctx, i.OrganizationID)
		if err != nil {
			return fmt.Errorf("look up organization %s: %w", i.OrganizationID, err)
		}
		out = &Membership{Organization: o, Role: i.Role}
		return nil
	})
	return out, err
}

// Decline uses an invitation to the caller's address up for nothing.
func (s *Service) Decline(ctx context.Context, by audit.Actor, secret string) error {
	return s.decline(ctx, by, withSecret(secret))
}

func (s *Service) decline(ctx context.Context, by audit.Actor, find finding) error {
	now := steady.Now()
	return s.answering(ctx, by, func() error {
		return s.db.Update(ctx, func(tx *storage.Tx) error {
			i, err := s.mine(ctx, tx, by, now, find)
			if err != nil {
				return err
			}
			return s.use(ctx, tx, by, now, "org.invitation.decline", i)
		})
	})
}

// mine returns the invitation that find finds if the caller can answer it now.
func (s *Service) mine(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, find finding,
) (*storage.Invitation, error) {
	if by.Kind != audit.User {
		return nil, ErrForbidden
	}
	i, err := find(ctx, tx)
	if err != nil {
		return nil, lookedUp(err, ErrNoInvitation, "look up an invitation")
	}
	user, err := tx.User(ctx, by.ID)
	if err != nil {
		return nil, fmt.Errorf("look up user %s: %w", by.ID, err)
	}
	o, err := tx.Organization(ctx, i.OrganizationID)
	if err != nil {
		return nil, fmt.Errorf("look up organization %s: %w", i.OrganizationID, err)
	}
	if user.Email != i.Email || !open(i, now) || !o.IsActive {
		return nil, ErrNoInvitation
	}
	if _, err := inviter(ctx, tx.Reader, i); err != nil {
		return nil, err
	}
	return i, nil
}
