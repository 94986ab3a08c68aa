package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// Role is what a member may do in an organization.
type Role string

// The roles, from the highest.
const (
	RoleOwner  Role = "owner"
	RoleAdmin  Role = "admin"
	RoleMember Role = "member"
	RoleGuest  Role = "guest"
)

// Member is a user's place in an organization; there is one per pair.
type Member struct {
	bun.BaseModel  `bun:"table:members"`
	ID             string `bun:",pk"`
	OrganizationID string
	UserID         string
	Role           Role
	InvitedByID    Ref
	InvitedAt      Time
	JoinedAt       Time
	CreatedAt      Time
	UpdatedAt      Time
}

// Member returns the place of a user in an organization.
func (r Reader) Member(ctx context.Context, orgID, userID string) (*Member, error) {
	return find[Member](ctx, r, "organization_id = ? AND user_id = ?", orgID, userID)
}

// Memberships returns the places of a user, the oldest first.
func (r Reader) Memberships(ctx context.Context, userID string) ([]Member, error) {
	return cached(r, memberKey, userID, func() ([]Member, error) {
		return list[Member](ctx, r, "created_at, id", "user_id = ?", userID)
	})
}

// OwnsAlone says whether a user is the only owner of any organization.
func (r Reader) OwnsAlone(ctx context.Context, userID string) (bool, error) {
	var n int64
	err := r.conn.hotRow(ctx, `SELECT count(*) FROM members AS mine
		WHERE mine.user_id = ? AND mine.role = 'owner' AND NOT EXISTS (
			SELECT 1 FROM members AS other WHERE other.organization_id = mine.organization_id
			AND other.role = 'owner' AND other.user_id <> mine.user_id)`, userID).Scan(&n)
	return n > 0, translate(err)
}

// InsertMember adds a member; [ErrTaken] says that the user is one already.
func (tx *Tx) InsertMember(ctx context.Context, m *Member) error {
	tx.change(memberKey, m.UserID)
	return insert(ctx, tx, m)
}

// changeMembers notes that the places which where describes change.
func (tx *Tx) changeMembers(ctx context.Context, where string, args ...any) error {
	var members []Member
	err := tx.bun.NewSelect().Conn(tx.conn).Model(&members).
		Column("user_id").Where(where, args...).Scan(ctx)
	for _, m := range members {
		tx.change(memberKey, m.UserID)
	}
	return translate(err)
}
