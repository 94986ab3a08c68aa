package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// Sync makes the providers of the configuration what it says, by name: they are
// added, changed, and disabled and let go when they are no longer in it; who came
// from them stays known. A provider of the whole server with such a name that was
// there before becomes the configuration's. Each that changes is logged in a line.
func (s *Service) Sync(ctx context.Context, wanted map[string]*config.Provider) error {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		if err := s.set(ctx, name, wanted[name]); err != nil {
			return fmt.Errorf("provider.%s: %w", name, err)
		}
	}
	all, err := s.db.AllProviders(ctx)
	if err != nil {
		return fmt.Errorf("list providers: %w", err)
	}
	for i := range all {
		if all[i].IsManaged && wanted[all[i].Slug] == nil {
			if err := s.letGo(ctx, all[i].ID); err != nil {
				return fmt.Errorf("provider.%s: %w", all[i].Slug, err)
			}
		}
	}
	return nil
}

// Refused says why [Service.Sync] would refuse what the configuration says. It changes nothing.
func (s *Service) Refused(ctx context.Context, wanted map[string]*config.Provider) error {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		d, later, err := s.planned(ctx, name, wanted[name])
		if later != nil {
			continue // the server starts without it
		}
		if err == nil {
			err = s.db.Update(ctx, func(tx *storage.Tx) error {
				_, err := s.setIn(ctx, tx, steady.Now(), d)
				return cmp.Or(err, errOnlyTried)
			})
		}
		if !errors.Is(err, errOnlyTried) {
			return fmt.Errorf("provider.%s: %w", name, err)
		}
	}
	return nil
}

// errOnlyTried has what was tried undone.
var errOnlyTried = errors.New("this is only tried")

// set makes a provider what the configuration says.
func (s *Service) set(ctx context.Context, name string, c *config.Provider) error {
	d, later, err := s.planned(ctx, name, c)
	if later != nil {
		slog.WarnContext(ctx, "identity provider left as it is: its metadata cannot be had", "provider", name, "err", later)
		return nil
	}
	if err != nil {
		return err
	}
	now, done := steady.Now(), ""
	err = s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		done, err = s.setIn(ctx, tx, now, d)
		return err
	})
	if err == nil && done != "" {
		slog.InfoContext(ctx, "identity provider set by the configuration", "provider", name, "change", done)
	}
	return err
}

// planned is what a provider is to be. Where its metadata cannot be had now, later says why.
func (s *Service) planned(ctx context.Context, name string, c *config.Provider) (d Description, later, err error) {
	before, err := s.Find(ctx, name)
	if err != nil && !errors.Is(err, ErrNoProvider) {
		return d, nil, err
	}
	if d, err = s.configured(ctx, name, c); err != nil {
		return d, nil, err
	}
	was := Description{}
	if before != nil {
		was = describe(before)
		if d.Kind == SAML && d.Options.Metadata == "" && d.Options.MetadataURL == was.Options.MetadataURL {
			// What is known stays: no start waits for what has been had before.
			d.Options.Metadata, d.Issuer = was.Options.Metadata, cmp.Or(d.Issuer, was.Issuer)
		}
	}
	d, err = s.withMetadata(ctx, was, d)
	if err != nil && d.Kind == SAML && d.Options.MetadataURL != "" {
		return d, err, nil
	}
	return d, nil, err
}

// setIn is set within a transaction; it returns what was done, "" for nothing.
func (s *Service) setIn(ctx context.Context, tx *storage.Tx, now time.Time, d Description) (done string, err error) {
	by := audit.Server()
	if err := s.checkIn(ctx, tx.Reader, by, Description{}, d); err != nil {
		return "", err
	}
	p, err := find(ctx, tx.Reader, d.Slug)
	if errors.Is(err, ErrNoProvider) {
		p = &storage.Provider{ID: storage.NewID(), Slug: d.Slug, Kind: d.Kind, IsManaged: true, CreatedAt: storage.At(now)}
		d.writeTo(p, now)
		return "added", insert(ctx, tx, by, now, p)
	}
	switch {
	case err != nil:
		return "", err
	case p.OrganizationID != "":
		return "", fault.Field("slug", "An organization has a provider with this name: choose another.")
	case p.Kind != d.Kind && !p.IsManaged:
		return "", fault.Field("kind", "There is a provider of the kind "+p.Kind+" with this name: choose another, or delete it.")
	}
	facts := differences(describe(p), d)
	if len(facts) == 0 && p.IsManaged {
		return "", nil
	}
	facts["is_managed"] = "true"
	p.Kind, p.IsManaged = d.Kind, true
	d.writeTo(p, now)
	return "changed", saveAs(ctx, tx, by, now, p, facts)
}

// letGo disables a provider that the configuration has no more. It is as any
// other then: it can be enabled, changed and deleted.
func (s *Service) letGo(ctx context.Context, id string) error {
	now := steady.Now()
	var p *storage.Provider
	err := s.db.Update(ctx, func(tx *storage.Tx) (err error) {
		if p, err = tx.Provider(ctx, id); err != nil {
			return fmt.Errorf("look provider up: %w", err)
		}
		p.IsManaged, p.IsActive, p.UpdatedAt = false, false, storage.At(now)
		return saveAs(ctx, tx, audit.Server(), now, p, map[string]string{"is_active": "false", "is_managed": "false"})
	})
	if err == nil {
		slog.InfoContext(ctx, "identity provider no longer set by the configuration", "provider", p.Slug, "change", "disabled")
	}
	return err
}

// configured is what the configuration says of a provider. Roles in organizations
// that there are not are left out, with a warning: deleting one must not keep the
// server from starting.
func (s *Service) configured(ctx context.Context, name string, c *config.Provider) (Description, error) {
	d := Description{
		Slug: name, Kind: c.Kind, Name: c.Name, Issuer: c.Issuer, ClientID: c.ClientID, Secret: c.ClientSecret.Reveal(),
		Options: Options{
			Scopes: c.Scopes, AuthMethod: c.AuthMethod, Tenants: c.Tenants, Domains: c.Domains, Registration: c.Registration,
			TrustedMethods: c.TrustedMethods, TrustedContexts: c.TrustedContexts, Groups: c.Groups,
			KeepProfile: c.KeepProfile, Logout: c.Logout, Metadata: c.Metadata, MetadataURL: c.MetadataURL,
			Unsolicited: c.Unsolicited, NameIDFormat: c.NameIDFormat, SubjectAttribute: c.SubjectAttribute,
		},
	}
	if d.Name == "" && usualNames[d.Kind] == "" {
		d.Name = name
	}
	var err error
	if d.Options.Attributes, err = ParseAttributes(c.Attributes); err != nil {
		return d, err
	}
	for _, text := range c.Roles {
		role, slug, err := ParseRole(text)
		if err != nil {
			return d, err
		}
		home, err := s.orgs.Find(ctx, slug)
		if f, ok := fault.As(err); ok && f.Kind == fault.NotFound {
			slog.WarnContext(ctx, "role left out: there is no such organization", "provider", name, "organization", slug)
			continue
		}
		if err != nil {
			return d, fmt.Errorf("look organization %s up: %w", slug, err)
		}
		role.OrganizationID = home.ID
		d.Options.Roles = append(d.Options.Roles, role)
	}
	return d.normal(), nil
}

// ParseRole reads GROUP=ORGANIZATION:ROLE, or GROUP=ROLE for the organization of
// the provider; a group may hold = and :. The organization is as it was written.
func ParseRole(text string) (role Role, organization string, err error) {
	end := strings.LastIndexByte(text, '=')
	if end < 1 || end == len(text)-1 {
		return role, "", fault.Field("roles", "Write each as group=organization:role.")
	}
	role.Group, role.Role = text[:end], text[end+1:]
	if home, name, found := strings.Cut(role.Role, ":"); found {
		organization, role.Role = home, name
	}
	return role, organization, nil
}

// ParseAttributes reads CLAIM=ATTRIBUTE, once for each claim.
func ParseAttributes(list []string) (map[string]string, error) {
	if len(list) == 0 {
		return nil, nil
	}
	attributes := map[string]string{}
	for _, text := range list {
		claim, attribute, found := strings.Cut(text, "=")
		if !found || claim == "" || attribute == "" || attributes[claim] != "" {
			return nil, fault.Field("attributes", "Write each as claim=attribute, once for each claim.")
		}
		attributes[claim] = attribute
	}
	return attributes, nil
}
