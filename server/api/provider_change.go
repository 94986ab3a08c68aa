package api

import (
	"context"

	"authy/server/audit"
	"authy/server/provider"
	"authy/server/session"
)

// ProviderSettings are what can be set and changed of an identity provider; what
// is not sent stays as it is. It is the same type coming in and going out. The
// framework sees only embedded types that are exported.
type ProviderSettings struct {
	Name            *string           `json:"name,omitempty" example:"Google" doc:"What its button says"`
	IsActive        *bool             `json:"is_active,omitempty"`
	Issuer          *string           `json:"issuer,omitempty" doc:"The usual one of Google, GitHub and Microsoft unless it is set; for Microsoft a tenant stands for it; for SAML it is the entity id"`
	ClientID        *string           `json:"client_id,omitempty" doc:"Who authy is there"`
	AuthMethod      *string           `json:"auth_method,omitempty" enum:",client_secret_basic,client_secret_post,private_key_jwt" doc:"How it proves that at the token endpoint; empty is a way that the provider takes"`
	Scopes          []string          `json:"scopes,omitzero" nullable:"false"`
	Tenants         []string          `json:"tenants,omitzero" nullable:"false" doc:"The ids of those tenants of Microsoft whose people may come; empty for any"`
	Domains         []string          `json:"domains,omitzero" nullable:"false" doc:"Of the addresses that it is believed about; those of an organization must have been granted to it"`
	Registration    *string           `json:"registration,omitempty" enum:",off,open,invited,domains" doc:"Who gets an account by coming from there; empty is as the server is set"`
	TrustedMethods  []string          `json:"trusted_methods,omitzero" nullable:"false" doc:"Values of amr that stand for the second factor"`
	TrustedContexts []string          `json:"trusted_contexts,omitzero" nullable:"false" doc:"Values of acr, or of the SAML AuthnContext, that do"`
	Groups          *string           `json:"groups,omitempty" doc:"The claim or attribute that lists the groups of somebody"`
	Roles           []ProviderRole    `json:"roles,omitzero" nullable:"false"`
	KeepProfile     *bool             `json:"keep_profile,omitempty" doc:"Whether name and picture stay as they are at later sign-ins"`
	Logout          *bool             `json:"logout,omitempty" doc:"Whether signing out here also signs out there"`
	MetadataURL     *string           `json:"metadata_url,omitempty" doc:"Of SAML metadata"`
	Unsolicited     *bool             `json:"unsolicited,omitempty" doc:"Whether sign-ins may begin at the SAML provider"`
	NameIDFormat    *string           `json:"name_id_format,omitempty"`
	Subject         *string           `json:"subject_attribute,omitempty" doc:"The SAML attribute that says who somebody is for good, where the NameID does not"`
	Attributes      map[string]string `json:"attributes,omitempty" nullable:"false" doc:"The SAML attributes that say a claim, by the name of the claim"`
}

// ProviderRole is the role that a group of a provider gives.
type ProviderRole struct {
	Group          string `json:"group" doc:"* is everyone who comes"`
	OrganizationID string `json:"organization_id,omitempty" doc:"The provider's own if it is left out"`
	Role           string `json:"role" enum:"owner,admin,member,guest"`
}

// writeTo writes what was sent to the description of a provider.
func (s *ProviderSettings) writeTo(d *provider.Description) {
	o := &d.Options
	for _, text := range []struct{ field, sent *string }{
		{&d.Name, s.Name},
		{&d.Issuer, s.Issuer},
		{&d.ClientID, s.ClientID},
		{&o.AuthMethod, s.AuthMethod},
		{&o.Registration, s.Registration},
		{&o.Groups, s.Groups},
		{&o.MetadataURL, s.MetadataURL},
		{&o.NameIDFormat, s.NameIDFormat},
		{&o.SubjectAttribute, s.Subject},
	} {
		set(text.field, text.sent)
	}
	if s.IsActive != nil {
		d.Disabled = !*s.IsActive
	}
	setList(&o.Scopes, s.Scopes)
	setList(&o.Tenants, s.Tenants)
	setList(&o.Domains, s.Domains)
	setList(&o.TrustedMethods, s.TrustedMethods)
	setList(&o.TrustedContexts, s.TrustedContexts)
	set(&o.KeepProfile, s.KeepProfile)
	set(&o.Logout, s.Logout)
	set(&o.Unsolicited, s.Unsolicited)
	if s.Attributes != nil {
		o.Attributes = s.Attributes
	}
	if s.Roles != nil {
		o.Roles = make([]provider.Role, len(s.Roles))
		for i, role := range s.Roles {
			o.Roles[i] = provider.Role(role)
		}
	}
}

// settingsOf returns what can be changed of a provider.
func settingsOf(p *provider.Provider) ProviderSettings {
	o := p.Options
	out := ProviderSettings{
		Name: &p.Name, IsActive: &p.IsActive, Issuer: &p.Issuer, ClientID: &p.ClientID,
		AuthMethod: &o.AuthMethod, Scopes: listOf(o.Scopes), Tenants: listOf(o.Tenants), Domains: listOf(o.Domains), Registration: &o.Registration,
		TrustedMethods: listOf(o.TrustedMethods), TrustedContexts: listOf(o.TrustedContexts),
		Groups: orNull(o.Groups), Roles: make([]ProviderRole, len(o.Roles)), KeepProfile: &o.KeepProfile, Logout: &o.Logout,
		MetadataURL: orNull(o.MetadataURL), Unsolicited: &o.Unsolicited,
		NameIDFormat: orNull(o.NameIDFormat), Subject: orNull(o.SubjectAttribute), Attributes: o.Attributes,
	}
	for i, role := range o.Roles {
		out.Roles[i] = ProviderRole(role)
	}
	return out
}

// ProviderSecrets are what is sent and never answered.
type ProviderSecrets struct {
	ClientSecret *string `json:"client_secret,omitempty" doc:"Never answered; needed again when the issuer changes"`
	Metadata     *string `json:"metadata,omitempty" doc:"SAML metadata"`
}

func (s *ProviderSecrets) writeTo(d *provider.Description) {
	set(&d.Secret, s.ClientSecret)
	set(&d.Options.Metadata, s.Metadata)
}

// NewProvider describes an identity provider to be added.
type NewProvider struct {
	Slug string `json:"slug,omitempty" doc:"The kind unless it is set; that of an organization begins with the organization's slug and a hyphen"`
	Kind string `json:"kind" enum:"google,github,microsoft,oidc,saml"`
	ProviderSettings
	ProviderSecrets
}

// of returns the description of a provider of an organization, or of the whole
// server ("").
func (n *NewProvider) of(orgID string) provider.Description {
	d := provider.Description{Slug: n.Slug, Kind: n.Kind, OrganizationID: orgID}
	n.ProviderSettings.writeTo(&d)
	n.ProviderSecrets.writeTo(&d)
	return d
}

type createProviderIn struct {
	InOrg
	Body NewProvider
}

func (a *API) createProvider(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *createProviderIn,
) (*providerOut, error) {
	return a.providerOutOf(a.Providers.Create(ctx, by, in.Body.of(in.ID)))
}

type createAnyProviderIn struct {
	Body struct {
		OrganizationID string `json:"organization_id,omitempty" maxLength:"36" doc:"Whose it becomes; the whole server's if it is left out"`
		NewProvider
	}
}

func (a *API) createAnyProvider(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *createAnyProviderIn,
) (*providerOut, error) {
	return a.providerOutOf(a.Providers.Create(ctx, by, in.Body.of(in.Body.OrganizationID)))
}

// ProviderChange is what to change of an identity provider.
type ProviderChange struct {
	ProviderSettings
	ProviderSecrets
}

func (c *ProviderChange) apply(d *provider.Description) {
	c.ProviderSettings.writeTo(d)
	c.ProviderSecrets.writeTo(d)
}

type updateProviderIn struct {
	OrgProviderIn
	Body ProviderChange
}

func (a *API) updateProvider(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *updateProviderIn,
) (*providerOut, error) {
	return a.providerOutOf(a.Providers.Update(ctx, by, in.ID, in.Provider, in.Body.apply))
}

type updateAnyProviderIn struct {
	ProviderIn
	Body ProviderChange
}

func (a *API) updateAnyProvider(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *updateAnyProviderIn,
) (*providerOut, error) {
	return a.providerOutOf(a.Providers.Update(ctx, by, "", in.Provider, in.Body.apply))
}
