package storage

import (
	"context"

	"github.com/uptrace/bun"
)

// Domain is a domain of addresses that was granted to an organization.
type Domain struct {
	bun.BaseModel  `bun:"table:domains"`
	Domain         string `bun:",pk"` // in lower case, as in an address
	OrganizationID string
	CreatedAt      Time
}

// Domain returns the grant of a domain.
func (r Reader) Domain(ctx context.Context, domain string) (*Domain, error) {
	return find[Domain](ctx, r, "domain = ?", domain)
}

// Domains returns the domains of an organization.
func (r Reader) Domains(ctx context.Context, orgID string) ([]Domain, error) {
	return list[Domain](ctx, r, "domain", "organization_id = ?", orgID)
}

// InsertDomain grants a domain; [ErrTaken] says that an organization has it.
func (tx *Tx) InsertDomain(ctx context.Context, d *Domain) error { return insert(ctx, tx, d) }

// DeleteDomain takes a domain from an organization.
func (tx *Tx) DeleteDomain(ctx context.Context, domain, orgID string) error {
	n, err := remove[Domain](ctx, tx, "domain = ? AND organization_id = ?", domain, orgID)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
