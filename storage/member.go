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
	ProviderID     Ref // whose groups gave it; "" for one that people gave
	InvitedAt      Time
	JoinedAt       Time
	CreatedAt      Time
	UpdatedAt      Time
}

// Member returns the place of a user in an organization.
func (r Reader) Member(ctx context.Context, orgID, userID string) (*Member, error) {
	return find[Member](ctx, r, "organization_id = ? AND user_id = ?", orgID, userID)
}

// MemberByID returns the place with an id.
func (r Reader) MemberByID(ctx context.Context, id string) (*Member, error) {
	return find[Member](ctx, r, "id = ?", id)
}

// Memberships returns the places of a user, the oldest first.
func (r Reader) Memberships(ctx context.Context, userID string) ([]Member, error) {
	return cached(r, memberKey, userID, func() ([]Member, error) {
		return list[Member](ctx, r, "created_at, id", "user_id = ?", userID)
	})
}

// Members returns at most limit places in an organization with ids after the
// given one, in their order, and the users that they belong to by their ids.
func (r Reader) Members(
	ctx context.Context, orgID, after string, limit int,
) ([]Member, map[string]*User, error) {
	return r.MembersAs(ctx, orgID, "", after, limit)
}

// MembersAs is [Reader.Members] for those with a role, "" for any.
func (r Reader) MembersAs(
	ctx context.Context, orgID string, role Role, after string, limit int,
) ([]Member, map[string]*User, error) {
	var members []Member
	q := r.bun.NewSelect().Conn(r.conn).Model(&members).Where("organization_id = ? AND id > ?", orgID, after)
	if role != "" {
		q.Where("role = ?", role)
	}
	err := q.OrderExpr("id").Limit(int64(limit)).Scan(ctx)
	if err != nil || len(members) == 0 {
		return members, nil, translate(err)
	}
	ids := make([]string, len(members))
	for i, m := range members {
		ids[i] = m.UserID
	}
	users, err := r.UsersByID(ctx, ids)
	return members, users, err
}

// MembersFound returns at most limit places in an organization, with a role or
// "" for any, of users whose address, or any word of whose name, begins with
// text, after a place, in the order of what was found of each; where each is;
// and the users by their ids.
func (r Reader) MembersFound(
	ctx context.Context, orgID string, role Role, text string, after TermKey, limit int,
) ([]Member, []TermKey, map[string]*User, error) {
	found, err := r.search(ctx, userTerms, text, after, limit, func(q *bun.SelectQuery) {
		q.Join("JOIN members AS m ON m.user_id = t.user_id AND m.organization_id = ?", orgID)
		if role != "" {
			q.Where("m.role = ?", role)
		}
	})
	if err != nil || len(found) == 0 {
		return nil, nil, nil, err
	}
	ids := make([]string, len(found))
	for i, f := range found {
		ids[i] = f.ID
	}
	users, err := r.UsersByID(ctx, ids)
	if err != nil {
		return nil, nil, nil, err
	}
	places, err := list[Member](ctx, r, "id", "organization_id = ? AND user_id IN (?)", orgID, bun.List(ids))
	if err != nil {
		return nil, nil, nil, err
	}
	members, keys := inOrderFound(places, found)
	return members, keys, users, nil
}

// inOrderFound returns the places in the order in which their users were found,
// and where each is; those that have ended since are left out.
func inOrderFound(places []Member, found []TermKey) ([]Member, []TermKey) {
	byUser := make(map[string]*Member, len(places))
	for i := range places {
		byUser[places[i].UserID] = &places[i]
	}
	var members []Member
	var keys []TermKey
	for _, f := range found {
		if m := byUser[f.ID]; m != nil {
			members, keys = append(members, *m), append(keys, f)
		}
	}
	return members, keys
}

// CountMembers returns how many members an organization has.
func (r Reader) CountMembers(ctx context.Context, orgID string) (int64, error) {
	n, err := r.bun.NewSelect().Conn(r.conn).Model((*Member)(nil)).
		Where("organization_id = ?", orgID).Count(ctx)
	return n, translate(err)
}

// HasOwnerBeside says whether an organization has an owner who can sign in,
// beside a user.
func (r Reader) HasOwnerBeside(ctx context.Context, orgID, userID string) (bool, error) {
	var n int64
	err := r.conn.hotRow(ctx, `SELECT count(*) FROM members AS m JOIN users AS u ON u.id = m.user_id
		WHERE m.organization_id = ? AND m.role = 'owner' AND m.user_id <> ?
		AND u.status IN ('active', 'pending')`, orgID, userID).Scan(&n)
	return n > 0, translate(err)
}

// OwnsAlone says whether a user is the only owner of any organization. Owners
// who cannot sign in do not count.
func (r Reader) OwnsAlone(ctx context.Context, userID string) (bool, error) {
	var n int64
	err := r.conn.hotRow(ctx, `SELECT count(*) FROM members AS mine
		WHERE mine.user_id = ? AND mine.role = 'owner' AND NOT EXISTS (
			SELECT 1 FROM members AS other JOIN users AS u ON u.id = other.user_id
			WHERE other.organization_id = mine.organization_id AND other.role = 'owner'
			AND other.user_id <> mine.user_id AND u.status IN ('active', 'pending'))`, userID).Scan(&n)
	return n > 0, translate(err)
}

// InsertMember adds a member; [ErrTaken] says that the user is one already.
func (tx *Tx) InsertMember(ctx context.Context, m *Member) error {
	tx.change(memberKey, m.UserID)
	tx.change(mfaKey, m.UserID)
	return insert(ctx, tx, m)
}

// SaveMember writes every column of m.
func (tx *Tx) SaveMember(ctx context.Context, m *Member) error {
	tx.change(memberKey, m.UserID)
	return save(ctx, tx, m)
}

// DeleteMember ends a user's place in an organization; [ErrNotFound] says that
// there is none.
func (tx *Tx) DeleteMember(ctx context.Context, orgID, userID string) error {
	tx.change(memberKey, userID)
	tx.change(mfaKey, userID)
	n, err := remove[Member](ctx, tx, "organization_id = ? AND user_id = ?", orgID, userID)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// changeMembers notes that the places which where describes change.
func (tx *Tx) changeMembers(ctx context.Context, where string, args ...any) error {
	var members []Member
	err := tx.bun.NewSelect().Conn(tx.conn).Model(&members).
		Column("user_id").Where(where, args...).Scan(ctx)
	for _, m := range members {
		tx.change(memberKey, m.UserID)
		tx.change(mfaKey, m.UserID)
	}
	return translate(err)
}
