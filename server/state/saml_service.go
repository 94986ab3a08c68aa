package state

import (
	"context"
	"errors"
	"fmt"

	"authy/server/managed"
	"authy/server/saml2"
	"authy/storage"
)

// prepareService reads the metadata of a service, unless it is known from the same
// address.
func (s *State) prepareService(ctx context.Context, from *source, o *Service) error {
	if o.MetadataFile != "" {
		o.Metadata = from.content(join(o.path, "metadata_file"), o.MetadataFile)
	}
	if o.MetadataURL == "" {
		return nil
	}
	known, err := s.db.ServiceBySlug(ctx, o.Slug)
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("look SAML service %s up: %w", o.Slug, err)
	case err == nil && known.Options.MetadataURL == o.MetadataURL:
		o.Metadata = known.Metadata
		return nil
	}
	o.Metadata, err = s.fetch(ctx, o.MetadataURL)
	return from.refused(o.path, nil, err)
}

func (s *Service) label() (kind, name string) { return managed.SAMLService, s.Slug }

func (s *Service) find(ctx context.Context, r *run) (string, error) {
	known, err := r.tx.ServiceBySlug(ctx, s.Slug)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look SAML service %s up: %w", s.Slug, err)
	}
	return known.ID, nil
}

func (s *Service) write(ctx context.Context, r *run, id string) (string, error) {
	orgID, err := r.orgID(ctx, s.path, s.Organization)
	if err != nil {
		return "", err
	}
	d := saml2.Description{
		Slug: s.Slug, OrganizationID: orgID, Name: s.Name, Metadata: s.Metadata, Allowed: s.Allow, Disabled: !s.IsActive,
		Options: storage.ServiceOptions{
			MetadataURL: s.MetadataURL, Preset: s.Preset, NameIDFormat: s.NameIDFormat, Attributes: s.Attributes,
			Unsolicited: s.Unsolicited, RelayState: s.RelayState, Plain: s.Plain,
		},
	}
	if id == "" {
		made, err := r.rules.Services.Create(ctx, r.by, d)
		if err != nil {
			return "", err
		}
		return made.ID, nil
	}
	known, err := r.tx.Service(ctx, id)
	if err != nil {
		return "", fmt.Errorf("look SAML service %s up: %w", s.Slug, err)
	}
	if err := r.stays(s.path, known.OrganizationID, orgID); err != nil {
		return "", err
	}
	_, err = r.rules.Services.Update(ctx, r.by, "", s.Slug, false, func(now *saml2.Description) { *now = d })
	return id, err
}

func (s *Service) describe(ctx context.Context, r *run, id string) (entry, error) {
	known, err := r.tx.Service(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look SAML service %s up: %w", id, err)
	}
	return r.describeService(ctx, known)
}

func (r *run) describeService(ctx context.Context, known *storage.Service) (*Service, error) {
	slug, err := r.slugOf(ctx, known.OrganizationID)
	if err != nil {
		return nil, err
	}
	o := known.Options
	s := &Service{
		Slug: known.Slug, Organization: slug, Name: known.Name, IsActive: known.IsActive, Allow: known.Allowed,
		MetadataURL: o.MetadataURL, Metadata: known.Metadata, Preset: o.Preset, NameIDFormat: o.NameIDFormat,
		Unsolicited: o.Unsolicited, RelayState: o.RelayState, Plain: o.Plain, Attributes: o.Attributes,
	}
	if s.MetadataURL != "" {
		s.Metadata = "" // it is had there
	}
	return s, nil
}
