package org

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/mail"
	"authy/server/steady"
	"authy/storage"
)

// What is refused about invitations.
var (
	ErrInvited = fault.New(fault.Conflict, "already_invited",
		"This address has been invited already; revoke that invitation to send another.")
	// ErrNoInvitation is one answer to all that is no invitation of the
	// caller's, so that a secret tells nothing to somebody else.
	ErrNoInvitation = fault.New(fault.NotFound, "invitation_not_found",
		"This invitation has been answered or revoked, has expired, or is for another address.")
)

// inviteLifetime is how long an invitation can be answered.
const inviteLifetime = 7 * 24 * time.Hour

// Invitation is an invitation as it is kept.
type Invitation = storage.Invitation

// newSecret returns the secret of an invitation, of which only the hash is kept.
func newSecret() string { return rand.Text() }

// InvitationLink returns the address at which an invitation is answered.
func InvitationLink(publicURL, secret string) string { return publicURL + invitationPage + secret }

const invitationPage = "/invitations?token="

// Invite offers a role to whoever has an address, as account.ParseEmail returns
// it, and returns the secret with which they accept, this once; where mail is
// set up it is also mailed to them. [ErrMember] if they are a member,
// [ErrInvited] if they have an invitation.
func (s *Service) Invite(
	ctx context.Context, by audit.Actor, orgID, email string, role Role,
) (out *storage.Invitation, secret string, err error) {
	if _, err := ParseRole(string(role)); err != nil {
		return nil, "", err
	}
	if err := s.countInvitation(ctx, by, email); err != nil {
		return nil, "", err
	}
	now := steady.Now()
	secret = newSecret()
	err = s.change(ctx, by, now, orgID, "org.invitation.create", func(tx *storage.Tx) error {
		if err := s.mayAdd(ctx, tx, by, orgID, role); err != nil {
			return err
		}
		if err := noMember(ctx, tx, orgID, email); err != nil {
			return err
		}
		out, err = s.invite(ctx, tx, by, now, orgID, email, role, secret)
		return err
	})
	return out, secret, err
}

// mailInvitation mails an invitation to whom it is for.
func (s *Service) mailInvitation(
	ctx context.Context, tx *storage.Tx, now time.Time, i *storage.Invitation, secret string,
) error {
	o, err := tx.Organization(ctx, i.OrganizationID)
	if err != nil {
		return fmt.Errorf("look up organization %s: %w", i.OrganizationID, err)
	}
	return s.Mail.Send(ctx, tx, now, mail.Message{
		Kind: mail.Invitation, To: i.Email, Path: invitationPage + secret, ExpiresAt: i.ExpiresAt.Time,
		Facts: mail.Facts{Organization: o.Name, Role: string(i.Role)},
	})
}

// Invited is an invitation as whoever holds its secret sees it.
type Invited struct {
	Organization string // its name
	Email        string // that it is for
	Role         Role
	InvitedBy    string // the address of who invites; "" for an operator
}

// ShowInvitation returns the invitation with a secret while it can be answered.
// [ErrNoInvitation] otherwise.
func (s *Service) ShowInvitation(ctx context.Context, secret string) (*Invited, error) {
	i, err := s.db.InvitationByHash(ctx, storage.Hash(secret))
	if err != nil {
		return nil, lookedUp(err, ErrNoInvitation, "look up an invitation")
	}
	if !open(i, steady.Now()) {
		return nil, ErrNoInvitation
	}
	o, err := s.db.Organization(ctx, i.OrganizationID)
	if err != nil {
		return nil, lookedUp(err, ErrNoInvitation, "look up organization "+i.OrganizationID)
	}
	host, err := inviter(ctx, s.db.Reader, i)
	if err != nil {
		return nil, err
	}
	if !o.IsActive {
		return nil, ErrNoInvitation
	}
	out := &Invited{Organization: o.Name, Email: i.Email, Role: i.Role}
	if host != nil {
		out.InvitedBy = host.Email
	}
	return out, nil
}

// inviter returns who made an invitation, nil for an operator or a service.
// [ErrNoInvitation] if they may not sign in: what they have handed out is no
// better than what they hold.
func inviter(ctx context.Context, r storage.Reader, i *storage.Invitation) (*storage.User, error) {
	if i.InvitedByID == "" {
		return nil, nil
	}
	user, err := r.User(ctx, string(i.InvitedByID))
	if err != nil {
		return nil, lookedUp(err, ErrNoInvitation, "look up user "+string(i.InvitedByID))
	}
	if user.Status != storage.Active && user.Status != storage.Pending {
		return nil, ErrNoInvitation
	}
	return user, nil
}

// noMember is [ErrMember] if whoever has an address is a member already.
func noMember(ctx context.Context, tx *storage.Tx, orgID, email string) error {
	user, err := tx.UserByEmail(ctx, email)
	if err == nil {
		if _, err = tx.Member(ctx, orgID, user.ID); err == nil {
			return ErrMember
		}
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("look for an address in %s: %w", orgID, err)
	}
	return nil
}

func (s *Service) invite(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, orgID, email string, role Role, secret string,
) (*storage.Invitation, error) {
	before, err := tx.InvitationTo(ctx, orgID, email)
	switch {
	case err == nil && open(before, now):
		return nil, ErrInvited
	case err == nil:
		err = tx.DeleteInvitation(ctx, before.ID)
	case errors.Is(err, storage.ErrNotFound):
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for an invitation to %s: %w", orgID, err)
	}
	i := &storage.Invitation{
		ID: storage.NewID(), Hash: storage.Hash(secret), OrganizationID: orgID, Email: email, Role: role,
		CreatedAt: storage.At(now), ExpiresAt: storage.At(now.Add(inviteLifetime)),
	}
	if by.Kind == audit.User {
		i.InvitedByID = storage.Ref(by.ID)
	}
	if err := tx.InsertInvitation(ctx, i); errors.Is(err, storage.ErrTaken) {
		return nil, ErrInvited
	} else if err != nil {
		return nil, fmt.Errorf("invite to organization %s: %w", orgID, err)
	}
	if err := s.mailInvitation(ctx, tx, now, i, secret); err != nil {
		return nil, err
	}
	return i, record(ctx, tx, by, now, "org.invitation.create", i)
}

// open says whether an invitation can still be answered at now.
func open(i *storage.Invitation, now time.Time) bool { return now.Before(i.ExpiresAt.Time) }

// record records what happened to an invitation.
func record(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, action string, i *storage.Invitation,
) error {
	return audit.Record(ctx, tx, by, now, audit.Event{
		Action: action, TargetKind: "invitation", TargetID: i.ID, OrgID: i.OrganizationID,
		Details: map[string]string{"email": i.Email, "role": string(i.Role)},
	})
}

// forget deletes the invitation of an address that has come to nothing.
func (s *Service) forget(ctx context.Context, tx *storage.Tx, orgID, email string) error {
	i, err := tx.InvitationTo(ctx, orgID, email)
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = tx.DeleteInvitation(ctx, i.ID)
	}
	if err != nil {
		return fmt.Errorf("end the invitation of a new member of %s: %w", orgID, err)
	}
	return nil
}

// Invitations returns at most limit invitations to an organization that wait
// for an answer, the oldest first, after the one with the given id.
func (s *Service) Invitations(
	ctx context.Context, by audit.Actor, orgID, after string, limit int,
) ([]storage.Invitation, error) {
	if _, _, err := s.admit(ctx, s.db.Reader, by, orgID, managers); err != nil {
		return nil, err
	}
	if after != "" && !isID(after) {
		return nil, fault.Field("cursor", "Not a cursor of this list.")
	}
	found, err := s.db.LiveInvitations(ctx, orgID, after, limit, steady.Now())
	if err != nil {
		return nil, fmt.Errorf("list invitations to %s: %w", orgID, err)
	}
	return found, nil
}

// Revoke takes an invitation back. [ErrRank] if it offers a role that the
// caller could not.
func (s *Service) Revoke(ctx context.Context, by audit.Actor, orgID, id string) error {
	now := steady.Now()
	return s.change(ctx, by, now, orgID, "org.invitation.revoke", func(tx *storage.Tx) error {
		i, err := s.waiting(ctx, tx, by, orgID, id)
		if err != nil {
			return err
		}
		return s.use(ctx, tx, by, now, "org.invitation.revoke", i)
	})
}

// ShowWaiting returns an invitation that waits for an answer to who manages the
// organization.
func (s *Service) ShowWaiting(ctx context.Context, by audit.Actor, orgID, id string) (*storage.Invitation, error) {
	if err := s.Manages(ctx, s.db.Reader, by, orgID); err != nil {
		return nil, err
	}
	if !isID(id) {
		return nil, ErrNoInvitation
	}
	i, err := s.db.Invitation(ctx, id)
	if err != nil {
		return nil, lookedUp(err, ErrNoInvitation, "look up invitation "+id)
	}
	if i.OrganizationID != orgID {
		return nil, ErrNoInvitation
	}
	return i, nil
}

// Resend sends an invitation that waits for an answer anew, with a new secret
// and seven more days; the old link works no more. It returns the invitation
// and its secret as [Service.Invite] does. [ErrRank] if it offers a role that
// the caller could not.
func (s *Service) Resend(
	ctx context.Context, by audit.Actor, orgID, id string,
) (out *storage.Invitation, secret string, err error) {
	known, err := s.ShowWaiting(ctx, by, orgID, id)
	if err != nil {
		return nil, "", err
	}
	if err := s.countInvitation(ctx, by, known.Email); err != nil {
		return nil, "", err
	}
	now := steady.Now()
	secret = newSecret()
	err = s.change(ctx, by, now, orgID, "org.invitation.create", func(tx *storage.Tx) error {
		before, err := s.waiting(ctx, tx, by, orgID, id)
		if err != nil {
			return err
		}
		if err := s.use(ctx, tx, by, now, "org.invitation.revoke", before); err != nil {
			return err
		}
		out, err = s.invite(ctx, tx, by, now, orgID, before.Email, before.Role, secret)
		return err
	})
	return out, secret, err
}

// waiting returns an invitation of an organization that the caller could take
// back.
func (s *Service) waiting(
	ctx context.Context, tx *storage.Tx, by audit.Actor, orgID, id string,
) (*storage.Invitation, error) {
	_, mine, err := s.admit(ctx, tx.Reader, by, orgID, managers)
	if err != nil {
		return nil, err
	}
	if !isID(id) {
		return nil, ErrNoInvitation
	}
	i, err := tx.Invitation(ctx, id)
	if err != nil {
		return nil, lookedUp(err, ErrNoInvitation, "look up invitation "+id)
	}
	if i.OrganizationID != orgID {
		return nil, ErrNoInvitation
	}
	if !mayGrant(mine, i.Role) {
		return nil, ErrRank
	}
	return i, nil
}

// use uses an invitation up, once.
func (s *Service) use(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, action string, i *storage.Invitation,
) error {
	if err := tx.DeleteInvitation(ctx, i.ID); err != nil {
		return lookedUp(err, ErrNoInvitation, "use invitation "+i.ID)
	}
	return record(ctx, tx, by, now, action, i)
}
