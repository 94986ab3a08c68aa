package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/steady"
	"authy/storage"
)

// maxProviders is how many an organization has at most.
const maxProviders = 20

// Create adds a provider as it is described: one of the whole server for who
// administers it, one of an organization also for its owners and admins.
// [ErrTaken] if its slug is in use.
func (s *Service) Create(ctx context.Context, by audit.Actor, d Description) (*storage.Provider, error) {
	if err := s.mayManage(ctx, s.db.Reader, by, d.OrganizationID); err != nil {
		return nil, err
	}
	if d.Slug == "" && d.OrganizationID != "" {
		home, err := findOrg(ctx, s.db.Reader, d.OrganizationID)
		if err != nil {
			return nil, err
		}
		d.Slug = home.Slug + "-" + d.Kind
	}
	d, err := s.withMetadata(ctx, Description{}, d.normal())
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	p := &storage.Provider{
		ID: storage.NewID(), Slug: d.Slug, Kind: d.Kind, OrganizationID: storage.Ref(d.OrganizationID), CreatedAt: storage.At(now),
	}
	d.writeTo(p, now)
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := s.mayManage(ctx, tx.Reader, by, d.OrganizationID); err != nil {
			return err
		}
		if err := s.checkIn(ctx, tx.Reader, by, Description{}, d); err != nil {
			return err
		}
		return insert(ctx, tx, by, now, p)
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// insert keeps a provider, and the event that says so, in tx.
func insert(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, p *storage.Provider) error {
	if home := string(p.OrganizationID); home != "" {
		others, err := tx.Providers(ctx, home)
		if err != nil {
			return fmt.Errorf("providers of %s: %w", home, err)
		}
		if len(others) >= maxProviders {
			return ErrTooMany
		}
	}
	err := tx.InsertProvider(ctx, p)
	if errors.Is(err, storage.ErrTaken) {
		return ErrTaken
	}
	if err != nil {
		return fmt.Errorf("add provider %s: %w", p.Slug, err)
	}
	return audit.Record(ctx, tx, by, now, event("provider.create", p, differences(Description{}, describe(p))))
}

// Update changes a provider by change, which may be called more than once. orgID
// is as in [Service.Show].
func (s *Service) Update(
	ctx context.Context, by audit.Actor, orgID, slug string, change func(*Description),
) (*storage.Provider, error) {
	p, err := s.managed(ctx, s.db.Reader, by, orgID, slug)
	if err != nil {
		return nil, err
	}
	before := describe(p)
	fetched, err := s.withMetadata(ctx, before, changed(before, change))
	if err != nil {
		return nil, err
	}
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if p, err = s.managed(ctx, tx.Reader, by, orgID, slug); err != nil {
			return err
		}
		before := describe(p)
		d := changed(before, change)
		if d.Kind == SAML && d.Options.MetadataURL == fetched.Options.MetadataURL {
			d.Issuer, d.Options.Metadata = fetched.Issuer, fetched.Options.Metadata
		}
		if err := s.checkIn(ctx, tx.Reader, by, before, d); err != nil {
			return err
		}
		return save(ctx, tx, by, now, p, d)
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// unsaid stands for a secret that a change says nothing of; no secret has it.
const unsaid = "\x00"

// changed is what a description becomes by change.
func changed(before Description, change func(*Description)) Description {
	d := before
	d.Secret, d.Options.Roles = unsaid, slices.Clone(before.Options.Roles)
	change(&d)
	if d.Secret == unsaid {
		d.Secret, d.keepsSecret = before.Secret, true
	}
	d.Slug, d.Kind, d.OrganizationID = before.Slug, before.Kind, before.OrganizationID
	return d.normal()
}

// save makes p what d says, and records that, in tx; if it is so already it does
// nothing.
func save(ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, p *storage.Provider, d Description) error {
	facts := differences(describe(p), d)
	if len(facts) == 0 {
		return nil
	}
	d.writeTo(p, now)
	return saveAs(ctx, tx, by, now, p, facts)
}

// saveAs keeps a provider in which facts have changed.
func saveAs(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, p *storage.Provider, facts map[string]string,
) error {
	if err := tx.SaveProvider(ctx, p); err != nil {
		return fmt.Errorf("change provider %s: %w", p.Slug, err)
	}
	return audit.Record(ctx, tx, by, now, event("provider.update", p, facts))
}

// Remove deletes a provider with the identities that came from it: who has no
// other way in has none. orgID is as in [Service.Show].
func (s *Service) Remove(ctx context.Context, by audit.Actor, orgID, slug string) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		p, err := s.managed(ctx, tx.Reader, by, orgID, slug)
		if err != nil {
			return err
		}
		if err := tx.DeleteProvider(ctx, p.ID); err != nil {
			return fmt.Errorf("delete provider %s: %w", slug, err)
		}
		return audit.Record(ctx, tx, by, now, event("provider.delete", p, nil))
	})
}

// managed returns a provider that by may change. [ErrManaged] if it is the
// configuration's, [managed.ErrManaged] if it is a file's.
func (s *Service) managed(
	ctx context.Context, r storage.Reader, by audit.Actor, orgID, slug string,
) (*storage.Provider, error) {
	p, err := s.shown(ctx, r, by, orgID, slug)
	switch {
	case err != nil:
		return nil, err
	case p.IsManaged:
		return nil, ErrManaged
	}
	return p, managed.Refuse(ctx, r, by, managed.Provider, p.ID)
}

// withMetadata returns d with the SAML metadata that its URL leads to, if that is
// new and no metadata came with it, and with the entity id of new metadata.
func (s *Service) withMetadata(ctx context.Context, before, d Description) (Description, error) {
	o := &d.Options
	if d.Kind != SAML {
		return d, nil
	}
	fresh := o.Metadata != "" && o.Metadata != before.Options.Metadata
	if o.MetadataURL != "" && !fresh && (o.MetadataURL != before.Options.MetadataURL || o.Metadata == "") {
		if problem := s.urlProblem(o.MetadataURL); problem != "" {
			return d, fault.Field("metadata_url", problem)
		}
		answer, err := s.Outbound.Get(ctx, o.MetadataURL, maxMetadata)
		if err != nil {
			return d, fault.Field("metadata_url", "It cannot be read: "+audit.Cut(err.Error(), 200)+".")
		}
		o.Metadata, fresh = strings.TrimPrefix(string(answer.Body), "\ufeff"), true
	}
	if !fresh || o.Metadata == "" || s.ReadMetadata == nil {
		return d, nil
	}
	given := d.Issuer
	if given == before.Issuer {
		given = ""
	}
	entityID, err := s.ReadMetadata(o.Metadata, given)
	if f, ok := fault.As(err); ok && len(f.Fields) > 0 {
		return d, err // it says more exactly what is wrong
	}
	if err != nil {
		return d, fault.Field("metadata", "It cannot be used: "+audit.Cut(err.Error(), 200)+".")
	}
	d.Issuer = entityID
	return d, nil
}
