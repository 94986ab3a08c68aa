package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// Organization is a group of users with roles, and the owner of clients.
type Organization struct {
	bun.BaseModel `bun:"table:organizations"`
	ID            string `bun:",pk"`
	Slug          string // unique
	Name          string
	Description   string
	LogoURL       string `bun:"logo_url"`
	IsActive      bool
	CreatedAt     Time
	UpdatedAt     Time
}

// Organization returns the organization with an id.
func (r Reader) Organization(ctx context.Context, id string) (*Organization, error) {
	return cached(r, orgKey, id, func() (*Organization, error) {
		return find[Organization](ctx, r, "id = ?", id)
	})
}

// OrganizationBySlug returns the organization with a slug.
func (r Reader) OrganizationBySlug(ctx context.Context, slug string) (*Organization, error) {
	return find[Organization](ctx, r, "slug = ?", slug)
}

// OrganizationFilter says which organizations are meant; its zero value means
// all.
type OrganizationFilter struct{ Active *bool }

func (f OrganizationFilter) narrow(q *bun.SelectQuery) {
	if f.Active != nil {
		q.Where("organization.is_active = ?", *f.Active)
	}
}

// Organizations returns at most limit organizations of a filter with slugs
// after the given one, in the order of their slugs.
func (r Reader) Organizations(
	ctx context.Context, f OrganizationFilter, after string, limit int,
) ([]Organization, error) {
	var orgs []Organization
	q := r.bun.NewSelect().Conn(r.conn).Model(&orgs).Where("organization.slug > ?", after)
	f.narrow(q)
	err := q.OrderExpr("organization.slug").Limit(int64(limit)).Scan(ctx)
	return orgs, translate(err)
}

// OrganizationsFound returns at most limit organizations of a filter whose
// slug, or any word of whose name, begins with text, after a place, and where
// each is.
func (r Reader) OrganizationsFound(
	ctx context.Context, f OrganizationFilter, text string, after TermKey, limit int,
) ([]Organization, []TermKey, error) {
	found, err := r.search(ctx, orgTerms, text, after, limit, func(q *bun.SelectQuery) {
		f.narrow(q.Join("JOIN organizations AS organization ON organization.id = t.organization_id"))
	})
	if err != nil {
		return nil, nil, err
	}
	return gather(ctx, r, found, func(o *Organization) string { return o.ID })
}

// InsertOrganization adds an organization; [ErrTaken] says that the slug is in use.
func (tx *Tx) InsertOrganization(ctx context.Context, o *Organization) error {
	if err := insert(ctx, tx, o); err != nil {
		return err
	}
	return tx.index(ctx, orgTerms, o.ID, o.Slug, o.Name)
}

// SaveOrganization writes every column of o.
func (tx *Tx) SaveOrganization(ctx context.Context, o *Organization) error {
	tx.change(orgKey, o.ID)
	if err := tx.reindex(ctx, orgTerms, o.ID, o.Slug, o.Name); err != nil {
		return err
	}
	return save(ctx, tx, o)
}

// DeleteOrganization deletes an organization with its members, invitations,
// tokens and clients, and what those were granted.
func (tx *Tx) DeleteOrganization(ctx context.Context, id string) error {
	clients, err := tx.clientsOf(ctx, id)
	if err != nil {
		return err
	}
	for _, c := range clients {
		tx.change(clientKey, c.ClientID)
		tx.change(clientRowKey, c.ID)
		if err := tx.changeGrants(ctx, "client_id = ?", c.ID); err != nil {
			return err
		}
	}
	if err := tx.changeMembers(ctx, "organization_id = ?", id); err != nil {
		return err
	}
	if err := tx.changeAPITokens(ctx, "organization_id = ?", id); err != nil {
		return err
	}
	tx.change(orgKey, id)
	n, err := remove[Organization](ctx, tx, "id = ?", id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// clientsOf returns by what the clients of an organization are cached.
func (tx *Tx) clientsOf(ctx context.Context, orgID string) ([]Client, error) {
	var clients []Client
	err := tx.bun.NewSelect().Conn(tx.conn).Model(&clients).
		Column("id", "client_id").Where("organization_id = ?", orgID).Scan(ctx)
	return clients, translate(err)
}
