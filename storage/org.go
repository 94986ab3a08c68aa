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

// InsertOrganization adds an organization; [ErrTaken] says that the slug is in use.
func (tx *Tx) InsertOrganization(ctx context.Context, o *Organization) error {
	return insert(ctx, tx, o)
}
