package state

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"

	"authy/server/managed"
	"authy/server/provider"
	"authy/server/saml2"
	"authy/storage"
)

// prepareProvider reads the metadata of a SAML provider, unless it is known from the same
// address: then it is kept new by its own job.
func (s *State) prepareProvider(ctx context.Context, from *source, p *Provider) error {
	if p.MetadataFile != "" {
		p.Metadata = from.content(join(p.path, "metadata_file"), p.MetadataFile)
	}
	if p.MetadataURL == "" {
		return nil
	}
	known, err := s.db.ProviderBySlug(ctx, p.Slug)
	switch {
	case err != nil && !errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("look provider %s up: %w", p.Slug, err)
	case err == nil && known.Options.MetadataURL == p.MetadataURL && known.Options.Metadata != "":
		p.Metadata = known.Options.Metadata
		return nil
	}
	p.Metadata, err = s.fetch(ctx, p.MetadataURL)
	return from.refused(p.path, nil, err)
}

func (s *State) fetch(ctx context.Context, url string) (string, error) {
	document, err := saml2.FetchMetadata(ctx, s.rules.Outbound, url)
	return string(document), err
}

func (p *Provider) label() (kind, name string) { return managed.Provider, p.Slug }

func (p *Provider) alias() map[string]string { return secretAlias(p.SecretFile, p.SecretEnv) }

func (p *Provider) find(ctx context.Context, r *run) (string, error) {
	known, err := r.tx.ProviderBySlug(ctx, p.Slug)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look provider %s up: %w", p.Slug, err)
	}
	return known.ID, nil
}

// description is what the services call a provider of an organization.
func (p *Provider) description(ctx context.Context, r *run, orgID string) (provider.Description, error) {
	d := provider.Description{
		Slug: p.Slug, Kind: p.Kind, OrganizationID: orgID, Name: p.Name, Issuer: p.Issuer, ClientID: p.ClientID,
		Secret: p.secret, Disabled: !p.IsActive,
		Options: provider.Options{
			Scopes: p.Scopes, AuthMethod: p.AuthMethod, Tenants: p.Tenants, Domains: p.Domains, Registration: p.Registration,
			TrustedMethods: p.TrustedMethods, TrustedContexts: p.TrustedContexts, Groups: p.Groups, KeepProfile: p.KeepProfile,
			Logout: p.Logout, Metadata: p.Metadata, MetadataURL: p.MetadataURL, Unsolicited: p.Unsolicited,
			NameIDFormat: p.NameIDFormat, SubjectAttribute: p.SubjectAttribute,
		},
	}
	var err error
	if d.Options.Attributes, err = provider.ParseAttributes(p.Attributes); err != nil {
		return d, err
	}
	d.Options.Roles, err = r.rules.Providers.ReadRoles(ctx, orgID, p.Roles)
	return d, err
}

func (p *Provider) write(ctx context.Context, r *run, id string) (string, error) {
	orgID, err := r.orgID(ctx, p.path, p.Organization)
	if err != nil {
		return "", err
	}
	d, err := p.description(ctx, r, orgID)
	if err != nil {
		return "", err
	}
	if id == "" {
		return p.create(ctx, r, d)
	}
	known, err := r.tx.Provider(ctx, id)
	if err != nil {
		return "", fmt.Errorf("look provider %s up: %w", p.Slug, err)
	}
	if err := r.stays(p.path, known.OrganizationID, orgID); err != nil {
		return "", err
	}
	if known.Kind != p.Kind {
		r.source.note(join(p.path, "kind"), "it is of the kind %s here, and stays so; remove it and make it anew", known.Kind)
		return "", errRefused
	}
	if p.secret != "" && p.secret != known.Secret {
		r.aside = append(r.aside, Field{Key: "client_secret"})
	}
	_, err = r.rules.Providers.Update(ctx, r.by, "", p.Slug, func(now *provider.Description) {
		secret, issuer := now.Secret, now.Issuer
		*now = d
		if p.secret == "" && p.HasSecret {
			now.Secret = secret
		}
		if p.Kind == provider.SAML && p.Issuer == "" {
			now.Issuer = issuer
		}
	})
	return id, err
}

// create adds a provider. A secret that is only known to be there, as an export says, is
// one that nobody knows.
func (p *Provider) create(ctx context.Context, r *run, d provider.Description) (string, error) {
	if d.Secret == "" && p.HasSecret {
		d.Secret = rand.Text()
		r.plan.Notes = append(r.plan.Notes, fmt.Sprintf(
			"Provider %q works once its secret is set: name it with client_secret_file or client_secret_env, or run 'authy provider update %[1]s --secret-stdin'.",
			p.Slug))
	}
	made, err := r.rules.Providers.Create(ctx, r.by, d)
	if err != nil {
		return "", err
	}
	return made.ID, nil
}

func (p *Provider) describe(ctx context.Context, r *run, id string) (entry, error) {
	known, err := r.tx.Provider(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look provider %s up: %w", id, err)
	}
	return r.describeProvider(ctx, known)
}

func (r *run) describeProvider(ctx context.Context, known *storage.Provider) (*Provider, error) {
	slug, err := r.slugOf(ctx, known.OrganizationID)
	if err != nil {
		return nil, err
	}
	o := known.Options
	p := &Provider{
		Slug: known.Slug, Organization: slug, Kind: known.Kind, Name: known.Name, IsActive: known.IsActive,
		Issuer: known.Issuer, ClientID: known.ClientID, HasSecret: known.SealedSecret != "", AuthMethod: o.AuthMethod,
		Scopes: o.Scopes, Tenants: o.Tenants, Domains: o.Domains, Registration: o.Registration,
		TrustedMethods: o.TrustedMethods, TrustedContexts: o.TrustedContexts, Groups: o.Groups,
		KeepProfile: o.KeepProfile, Logout: o.Logout, MetadataURL: o.MetadataURL, Metadata: o.Metadata,
		Unsolicited: o.Unsolicited, NameIDFormat: o.NameIDFormat, SubjectAttribute: o.SubjectAttribute,
	}
	if p.MetadataURL != "" {
		p.Metadata = "" // it is had there
	}
	for _, claim := range slices.Sorted(maps.Keys(o.Attributes)) {
		p.Attributes = append(p.Attributes, claim+"="+o.Attributes[claim])
	}
	p.Roles, err = r.rules.Providers.RoleLines(ctx, known)
	return p, err
}
