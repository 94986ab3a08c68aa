package account

import (
	"context"
	"errors"
	"time"

	"authy/storage"
)

// ExportInvitation is an invitation to an organization that has not been answered.
type ExportInvitation struct {
	OrganizationID   string    `json:"organization_id"`
	OrganizationName string    `json:"organization_name"`
	Email            string    `json:"email" doc:"Whom it is for"`
	Role             string    `json:"role"`
	CreatedAt        time.Time `json:"created_at"`
	ExpiresAt        time.Time `json:"expires_at"`
}

// ExportMail is a mail that waits to be sent, without what it says.
type ExportMail struct {
	Kind      string    `json:"kind"`
	CreatedAt time.Time `json:"created_at"`
	NextAt    time.Time `json:"next_at" doc:"When it is tried next"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (e *exporter) invitationsMade(ctx context.Context) error {
	made, err := e.db.InvitationsBy(ctx, e.userID)
	if err != nil {
		return err
	}
	e.out.InvitationsMade, err = e.invitations(ctx, made)
	return err
}

// sent is what was sent to the user's address. While nobody has shown that the
// address is theirs, it may be meant for somebody else.
func (e *exporter) sent(ctx context.Context) error {
	e.out.InvitationsReceived, e.out.Mails = []ExportInvitation{}, []ExportMail{}
	if e.out.User.EmailVerifiedAt == nil {
		return nil
	}
	received, err := e.db.InvitationsTo(ctx, e.out.User.Email)
	if err != nil {
		return err
	}
	if e.out.InvitationsReceived, err = e.invitations(ctx, received); err != nil {
		return err
	}
	mails, err := e.db.MailsTo(ctx, e.out.User.Email)
	for _, m := range mails {
		e.out.Mails = append(e.out.Mails, ExportMail{
			Kind: m.Kind, CreatedAt: m.CreatedAt.Time, NextAt: m.NextAt.Time, ExpiresAt: m.ExpiresAt.Time,
		})
	}
	return err
}

func (e *exporter) invitations(ctx context.Context, found []storage.Invitation) ([]ExportInvitation, error) {
	out := make([]ExportInvitation, 0, len(found))
	for _, i := range found {
		o, err := e.db.Organization(ctx, i.OrganizationID)
		if errors.Is(err, storage.ErrNotFound) {
			continue // deleted between the two reads
		}
		if err != nil {
			return nil, err
		}
		out = append(out, ExportInvitation{
			OrganizationID: o.ID, OrganizationName: o.Name, Email: i.Email, Role: string(i.Role),
			CreatedAt: i.CreatedAt.Time, ExpiresAt: i.ExpiresAt.Time,
		})
	}
	return out, nil
}
