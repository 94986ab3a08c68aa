package org

import (
	"context"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// Place is a member and the user who it is.
type Place struct {
	Member *storage.Member
	User   *storage.User
}

// Members returns at most limit members of an organization, the oldest first,
// after the one with the given id. Guests do not see them.
func (s *Service) Members(
	ctx context.Context, by audit.Actor, orgID, after string, limit int,
) ([]Place, error) {
	if _, _, err := s.admit(ctx, s.db.Reader, by, orgID, insiders); err != nil {
		return nil, err
	}
	if after != "" && !isID(after) {
		return nil, fault.Field("cursor", "Not a cursor of this list.")
	}
	members, users, err := s.db.Members(ctx, orgID, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list members of %s: %w", orgID, err)
	}
	out := make([]Place, 0, len(members))
	for i := range members {
		if user := users[members[i].UserID]; user != nil { // else deleted between the two reads
			out = append(out, Place{Member: &members[i], User: user})
		}
	}
	return out, nil
}

// Added is what came of adding somebody: a member, or an invitation and its
// secret for an address that nobody here has shown to be theirs.
type Added struct {
	Place      *Place
	Invitation *storage.Invitation
	Secret     string
}

// Add makes whoever has an address a member, or invites them if they have no
// account yet, or one that has not shown the address to be theirs. The address
// is as account.ParseEmail returns it.
func (s *Service) Add(
	ctx context.Context, by audit.Actor, orgID, email string, role Role,
) (out *Added, err error) {
	if _, err := ParseRole(string(role)); err != nil {
		return nil, err
	}
	if err := s.countInvitation(ctx, by, email); err != nil {
		return nil, err
	}
	now, secret := steady.Now(), newSecret()
	err = s.change(ctx, by, now, orgID, "org.member.add", func(tx *storage.Tx) error {
		if err := s.mayAdd(ctx, tx, by, orgID, role); err != nil {
			return err
		}
		out = &Added{}
		user, err := tx.UserByEmail(ctx, email)
		if errors.Is(err, storage.ErrNotFound) || err == nil && user.EmailVerifiedAt.IsZero() {
			// Whoever registered an address that is not verified may not be who is meant.
			if err := noMember(ctx, tx, orgID, email); err != nil {
				return err
			}
			out.Secret = secret
			out.Invitation, err = s.invite(ctx, tx, by, now, orgID, email, role, secret)
			return err
		}
		if err != nil {
			return fmt.Errorf("look up an address to add to %s: %w", orgID, err)
		}
		m, err := s.add(ctx, tx, by, now, joining{orgID: orgID, userID: user.ID, role: role})
		if err != nil {
			return err
		}
		out.Place = &Place{Member: m, User: user}
		return s.forget(ctx, tx, orgID, email)
	})
	return out, err
}

// mayAdd admits who may give a role in an organization.
func (s *Service) mayAdd(ctx context.Context, tx *storage.Tx, by audit.Actor, orgID string, role Role) error {
	_, mine, err := s.admit(ctx, tx.Reader, by, orgID, managers)
	if err == nil && !mayGrant(mine, role) {
		return ErrRank
	}
	return err
}

// AddMember makes a user a member with a role. [ErrMember] if they are one.
func (s *Service) AddMember(ctx context.Context, by audit.Actor, orgID, userID string, role Role) error {
	if _, err := ParseRole(string(role)); err != nil {
		return err
	}
	now := steady.Now()
	return s.change(ctx, by, now, orgID, "org.member.add", func(tx *storage.Tx) error {
		if err := s.mayAdd(ctx, tx, by, orgID, role); err != nil {
			return err
		}
		if _, err := tx.User(ctx, userID); err != nil {
			return lookedUp(err, ErrNoUser, "look up user "+userID)
		}
		_, err := s.add(ctx, tx, by, now, joining{orgID: orgID, userID: userID, role: role})
		return err
	})
}

// joining is somebody who is about to become a member.
type joining struct {
	orgID, userID string
	role          Role
	invitation    *storage.Invitation // that they accept, or nil
	provider      string              // whose groups make them one, or ""
}

func (s *Service) add(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, j joining,
) (*storage.Member, error) {
	m := &storage.Member{
		ID: storage.NewID(), OrganizationID: j.orgID, UserID: j.userID, Role: j.role, ProviderID: storage.Ref(j.provider),
		JoinedAt: storage.At(now), CreatedAt: storage.At(now), UpdatedAt: storage.At(now),
	}
	event := audit.Event{
		Action: "org.member.add", TargetKind: "user", TargetID: j.userID, OrgID: j.orgID,
		Details: map[string]string{"role": string(j.role)},
	}
	switch {
	case j.provider != "":
		event.Reason, event.Details["provider_id"] = mapped, j.provider
	case j.invitation != nil:
		m.InvitedByID, m.InvitedAt = j.invitation.InvitedByID, j.invitation.CreatedAt
		event.Details["invitation_id"] = j.invitation.ID
	case by.Kind == audit.User && by.ID != j.userID:
		m.InvitedByID = storage.Ref(by.ID)
	}
	if err := tx.InsertMember(ctx, m); errors.Is(err, storage.ErrTaken) {
		return nil, ErrMember
	} else if err != nil {
		return nil, fmt.Errorf("add %s to organization %s: %w", j.userID, j.orgID, err)
	}
	if err := s.settle(ctx, tx, by, now, j.orgID, j.userID); err != nil {
		return nil, err
	}
	return m, audit.Record(ctx, tx, by, now, event)
}

// SetRole gives a member another role. [ErrRank] unless both the old and the
// new one are below the caller's own, or the caller is an owner; [ErrLastOwner]
// if no owner would be left.
func (s *Service) SetRole(
	ctx context.Context, by audit.Actor, orgID, userID string, role Role,
) (out *Place, err error) {
	if _, err := ParseRole(string(role)); err != nil {
		return nil, err
	}
	now := steady.Now()
	err = s.change(ctx, by, now, orgID, "org.member.role_change", func(tx *storage.Tx) error {
		_, mine, err := s.admit(ctx, tx.Reader, by, orgID, managers)
		if err != nil {
			return err
		}
		if out, err = place(ctx, tx, orgID, userID); err != nil {
			return err
		}
		if !mayGrant(mine, out.Member.Role) || !mayGrant(mine, role) {
			return ErrRank
		}
		return s.alter(ctx, tx, by, now, out.Member, role, "")
	})
	return out, err
}

// place returns a member as a transaction sees it.
func place(ctx context.Context, tx *storage.Tx, orgID, userID string) (*Place, error) {
	if !isID(userID) {
		return nil, ErrNoMember
	}
	m, err := tx.Member(ctx, orgID, userID)
	if err != nil {
		return nil, lookedUp(err, ErrNoMember, "look up member "+userID+" of "+orgID)
	}
	user, err := tx.User(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("look up user %s: %w", userID, err)
	}
	return &Place{Member: m, User: user}, nil
}

// alter changes the role of m to role. What people decide about a place is
// theirs from then on: no provider takes it away or changes it.
func (s *Service) alter(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, m *storage.Member, role Role, reason string,
) error {
	was := m.Role
	if was == role {
		return nil
	}
	if err := managed.Refuse(ctx, tx.Reader, by, managed.Member, m.ID); err != nil {
		return err
	}
	if below(role, was) {
		if err := s.step(ctx, tx, m); err != nil {
			return err
		}
	}
	m.Role, m.UpdatedAt = role, storage.At(now)
	if reason != mapped {
		m.ProviderID = ""
	}
	if err := tx.SaveMember(ctx, m); err != nil {
		return fmt.Errorf("change role of %s in %s: %w", m.UserID, m.OrganizationID, err)
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "org.member.role_change", Reason: reason, TargetKind: "user", TargetID: m.UserID,
		OrgID: m.OrganizationID, Details: map[string]string{"role": string(role), "was": string(was)},
	})
}

// step prepares for m to lose their role: another owner stays, and what they
// have invited, by a right they have no more, ends.
func (s *Service) step(ctx context.Context, tx *storage.Tx, m *storage.Member) error {
	if m.Role == Owner {
		other, err := tx.HasOwnerBeside(ctx, m.OrganizationID, m.UserID)
		if err != nil {
			return fmt.Errorf("look for another owner of %s: %w", m.OrganizationID, err)
		}
		if !other {
			return ErrLastOwner
		}
	}
	if err := tx.DeleteInvitationsBy(ctx, m.OrganizationID, m.UserID); err != nil {
		return fmt.Errorf("end invitations of %s to %s: %w", m.UserID, m.OrganizationID, err)
	}
	return nil
}

// Remove ends somebody's membership. Who may remove others may remove
// themselves, whatever their role.
func (s *Service) Remove(ctx context.Context, by audit.Actor, orgID, userID string) error {
	now := steady.Now()
	return s.change(ctx, by, now, orgID, "org.member.remove", func(tx *storage.Tx) error {
		_, mine, err := s.admit(ctx, tx.Reader, by, orgID, managers)
		if err != nil {
			return err
		}
		p, err := place(ctx, tx, orgID, userID)
		if err != nil {
			return err
		}
		myself := by.Kind == audit.User && by.ID == userID
		if !myself && !mayGrant(mine, p.Member.Role) {
			return ErrRank
		}
		return s.end(ctx, tx, by, now, p.Member, "")
	})
}

// Leave ends the caller's own membership.
func (s *Service) Leave(ctx context.Context, by audit.Actor, orgID string) error {
	if by.Kind != audit.User {
		return ErrForbidden
	}
	now := steady.Now()
	return s.change(ctx, by, now, orgID, "org.member.remove", func(tx *storage.Tx) error {
		if _, _, err := s.admit(ctx, tx.Reader, by, orgID, anyone); err != nil {
			return err
		}
		p, err := place(ctx, tx, orgID, by.ID)
		if err != nil {
			return err
		}
		return s.end(ctx, tx, by, now, p.Member, "left")
	})
}

func (s *Service) end(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, m *storage.Member, reason string,
) error {
	if err := managed.Refuse(ctx, tx.Reader, by, managed.Member, m.ID); err != nil {
		return err
	}
	if err := s.step(ctx, tx, m); err != nil {
		return err
	}
	if err := tx.DeleteMember(ctx, m.OrganizationID, m.UserID); err != nil {
		return fmt.Errorf("remove %s from %s: %w", m.UserID, m.OrganizationID, err)
	}
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: "org.member.remove", Reason: reason, TargetKind: "user", TargetID: m.UserID,
		OrgID: m.OrganizationID, Details: map[string]string{"role": string(m.Role)},
	})
}

// Transfer makes another member an owner in the place of the caller, an owner
// who becomes an admin.
func (s *Service) Transfer(ctx context.Context, by audit.Actor, orgID, userID string) (out *Place, err error) {
	if by.Kind != audit.User {
		return nil, ErrForbidden
	}
	now := steady.Now()
	err = s.change(ctx, by, now, orgID, "org.member.role_change", func(tx *storage.Tx) error {
		if _, _, err := s.admit(ctx, tx.Reader, by, orgID, ownersOnly); err != nil {
			return err
		}
		if userID == by.ID {
			return fault.Field("user_id", "You own the organization already.")
		}
		me, err := place(ctx, tx, orgID, by.ID)
		if err != nil {
			return err
		}
		if out, err = place(ctx, tx, orgID, userID); err != nil {
			return err
		}
		if err := s.alter(ctx, tx, by, now, out.Member, Owner, "transfer"); err != nil {
			return err
		}
		return s.alter(ctx, tx, by, now, me.Member, Admin, "transfer")
	})
	return out, err
}
