package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Invitation offers a role in an organization to whoever has an address. There
// is one per pair; it is deleted when it is answered or taken back.
type Invitation struct {
	bun.BaseModel  `bun:"table:invitations"`
	ID             string `bun:",pk"`
	Hash           string // [Hash] of the secret; unique
	OrganizationID string
	Email          string // normalized
	Role           Role
	InvitedByID    Ref // "" for an operator or a service
	CreatedAt      Time
	ExpiresAt      Time
}

// Invitation returns the invitation with an id, expired or not.
func (r Reader) Invitation(ctx context.Context, id string) (*Invitation, error) {
	return find[Invitation](ctx, r, "id = ?", id)
}

// InvitationByHash returns the invitation with the hash of a secret, expired
// or not.
func (r Reader) InvitationByHash(ctx context.Context, hash string) (*Invitation, error) {
	return find[Invitation](ctx, r, "hash = ?", hash)
}

// InvitationTo returns the invitation of an address to an organization, expired
// or not.
func (r Reader) InvitationTo(ctx context.Context, orgID, email string) (*Invitation, error) {
	return find[Invitation](ctx, r, "organization_id = ? AND email = ?", orgID, email)
}

// LiveInvitations returns at most limit invitations to an organization that
// have not expired at now, with ids after the given one, in their order.
func (r Reader) LiveInvitations(
	ctx context.Context, orgID, after string, limit int, now time.Time,
) ([]Invitation, error) {
	var found []Invitation
	err := r.bun.NewSelect().Conn(r.conn).Model(&found).
		Where("organization_id = ? AND id > ? AND expires_at > ?", orgID, after, At(now)).
		OrderExpr("id").Limit(int64(limit)).Scan(ctx)
	return found, translate(err)
}

// InvitationsTo returns every invitation to an address that is still kept, the
// oldest first.
func (r Reader) InvitationsTo(ctx context.Context, email string) ([]Invitation, error) {
	return list[Invitation](ctx, r, "created_at, id", "email = ?", email)
}

// CountInvitations returns how many invitations to an organization have not
// expired at now.
func (r Reader) CountInvitations(ctx context.Context, orgID string, now time.Time) (int64, error) {
	n, err := r.bun.NewSelect().Conn(r.conn).Model((*Invitation)(nil)).
		Where("organization_id = ? AND expires_at > ?", orgID, At(now)).Count(ctx)
	return n, translate(err)
}

// InsertInvitation adds an invitation; [ErrTaken] says that the address has one.
func (tx *Tx) InsertInvitation(ctx context.Context, i *Invitation) error {
	return insert(ctx, tx, i)
}

// DeleteInvitation deletes an invitation; [ErrNotFound] says that it is gone.
func (tx *Tx) DeleteInvitation(ctx context.Context, id string) error {
	n, err := remove[Invitation](ctx, tx, "id = ?", id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// DeleteInvitationsBy deletes what a user has invited to an organization.
func (tx *Tx) DeleteInvitationsBy(ctx context.Context, orgID, userID string) error {
	_, err := remove[Invitation](ctx, tx, "organization_id = ? AND invited_by_id = ?", orgID, userID)
	return err
}
