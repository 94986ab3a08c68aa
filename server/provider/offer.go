package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"authy/storage"
)

// Offered returns the providers of the whole server that are enabled, in the order
// of their slugs and without their secrets.
func (s *Service) Offered(ctx context.Context) ([]storage.Provider, error) {
	list, err := s.db.Providers(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("list providers: %w", err)
	}
	return slices.DeleteFunc(list, func(p storage.Provider) bool { return !p.IsActive }), nil
}

// ForAddress returns the enabled provider of the organization that the domain of
// an address was granted to: the first that is believed about that domain, else
// the first there is; nil if there is none.
func (s *Service) ForAddress(ctx context.Context, email string) (*storage.Provider, error) {
	domain := domainOf(email)
	if domain == "" {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	granted, err := s.db.Domain(ctx, domain)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil //nolint:nilnil // as above
	}
	if err != nil {
		return nil, fmt.Errorf("look domain %s up: %w", domain, err)
	}
	list, err := s.db.Providers(ctx, granted.OrganizationID)
	if err != nil {
		return nil, fmt.Errorf("providers of %s: %w", granted.OrganizationID, err)
	}
	list = slices.DeleteFunc(list, func(p storage.Provider) bool { return !p.IsActive })
	if len(list) == 0 {
		return nil, nil //nolint:nilnil // as above
	}
	best := max(0, slices.IndexFunc(list, func(p storage.Provider) bool { return slices.Contains(p.Options.Domains, domain) }))
	if usable, err := s.Usable(ctx, s.db.Reader, &list[best]); err != nil || !usable {
		return nil, err
	}
	return s.Find(ctx, list[best].Slug)
}

// Usable says whether people may come from a provider: it is enabled, and so is
// the organization that it belongs to.
func (s *Service) Usable(ctx context.Context, r storage.Reader, p *storage.Provider) (bool, error) {
	if !p.IsActive || p.OrganizationID == "" {
		return p.IsActive, nil
	}
	o, err := findOrg(ctx, r, string(p.OrganizationID))
	if err != nil {
		return false, err
	}
	return o.IsActive, nil
}

// Believes says whether a provider is believed about an address that it says is
// verified: its domain is one of the provider's and, where that is an
// organization's, still granted to that organization.
func (s *Service) Believes(ctx context.Context, r storage.Reader, p *storage.Provider, email string) (bool, error) {
	domain := domainOf(email)
	if domain == "" || !slices.Contains(p.Options.Domains, domain) {
		return false, nil
	}
	if p.OrganizationID == "" {
		return true, nil
	}
	granted, err := r.Domain(ctx, domain)
	if errors.Is(err, storage.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look domain %s up: %w", domain, err)
	}
	return granted.OrganizationID == string(p.OrganizationID), nil
}
