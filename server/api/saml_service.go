package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/managed"
	"authy/server/saml2"
	"authy/server/session"
)

// samlServiceRoutes are about the applications that sign people in here by SAML: those of
// an organization for who manages it, and all of them for administrators of the server.
func (a *API) samlServiceRoutes() {
	const all, any = "/api/v1/organizations/{id}/saml/services", "/api/v1/admin/saml/services"
	const one = "/{service}"
	signed(a, "GET "+all, 200, "SAML services retrieved successfully", "The SAML services of an organization", a.orgServices)
	signed(a, "POST "+all, 201, "SAML service created successfully", "Add a SAML service to an organization", a.createOrgService)
	signed(a, "GET "+all+one, 200, "SAML service retrieved successfully", "One SAML service of an organization", a.orgService)
	signed(a, "PATCH "+all+one, 200, "SAML service updated successfully", "Change a SAML service of an organization", a.updateOrgService)
	signed(a, "DELETE "+all+one, 200, "SAML service deleted successfully", "Delete a SAML service of an organization", a.deleteOrgService)

	signed(a, "GET "+any, 200, "SAML services retrieved successfully", "Every SAML service", a.allServices)
	signed(a, "POST "+any, 201, "SAML service created successfully", "Add a SAML service of no organization", a.createService)
	signed(a, "GET "+any+one, 200, "SAML service retrieved successfully", "Any SAML service", a.anyService)
	signed(a, "PATCH "+any+one, 200, "SAML service updated successfully", "Change any SAML service", a.updateService)
	signed(a, "DELETE "+any+one, 200, "SAML service deleted successfully", "Delete any SAML service", a.deleteService)
}

// serviceView is a SAML service as those who manage it see it.
type serviceView struct {
	Slug           string            `json:"slug" example:"wiki" doc:"Its name in URLs"`
	EntityID       string            `json:"entity_id"`
	OrganizationID *string           `json:"organization_id" nullable:"true"`
	Name           string            `json:"name"`
	IsActive       bool              `json:"is_active"`
	Allow          []string          `json:"allow" nullable:"false" doc:"Who may use it: everyone, organization, or roles such as role:admin"`
	Preset         *string           `json:"preset" nullable:"true"`
	NameIDFormat   string            `json:"name_id_format" enum:"persistent,email,transient"`
	Attributes     map[string]string `json:"attributes" doc:"What it is told, by the name of the attribute: a claim"`
	Unsolicited    bool              `json:"unsolicited" doc:"Whether people can begin at /saml/start/ and its slug"`
	RelayState     *string           `json:"relay_state" nullable:"true" doc:"What such a link sends with it"`
	Plain          bool              `json:"plain" doc:"Whether nothing is encrypted, although it has a key for that"`
	Metadata       string            `json:"metadata"`
	MetadataURL    *string           `json:"metadata_url" nullable:"true"`
	CreatedAt      time.Time         `json:"created_at"`
	UpdatedAt      time.Time         `json:"updated_at"`
	LastUsedAt     *time.Time        `json:"last_used_at" nullable:"true" doc:"To the minute"`
	Managed
}

func serviceViewOf(s *saml2.Service) serviceView {
	o := saml2.Effective(s)
	return serviceView{
		Slug: s.Slug, EntityID: s.EntityID, OrganizationID: orNull(string(s.OrganizationID)), Name: s.Name,
		IsActive: s.IsActive, Allow: listOf(s.Allowed), Preset: orNull(o.Preset), NameIDFormat: o.NameIDFormat,
		Attributes: o.Attributes, Unsolicited: o.Unsolicited, RelayState: orNull(o.RelayState), Plain: o.Plain,
		Metadata: s.Metadata, MetadataURL: orNull(o.MetadataURL), CreatedAt: s.CreatedAt.Time, UpdatedAt: s.UpdatedAt.Time,
		LastUsedAt: timeOrNull(s.LastUsedAt.Time), Managed: managedAs(managed.SAMLService, s.ID),
	}
}

type serviceOut struct {
	Service serviceView `json:"service"`
}

func serviceOutOf(s *saml2.Service, err error) (*serviceOut, error) {
	if err != nil {
		return nil, err
	}
	return &serviceOut{serviceViewOf(s)}, nil
}

type servicesOut struct {
	Services []serviceView `json:"services" nullable:"false"`
	Count    int           `json:"count"`
	PageOut
}

// servicePage is the page of services, in the order of their slugs, that was asked for.
func (a *API) servicePage(ctx context.Context, by audit.Actor, orgID string, page PageIn) (*servicesOut, error) {
	found, err := a.SAMLServices.List(ctx, by, orgID)
	if err != nil {
		return nil, err
	}
	views, next, err := pageOf(found, page, serviceViewOf, func(s *saml2.Service) string { return s.Slug })
	return &servicesOut{Services: views, Count: len(views), PageOut: next}, err
}

// ServiceSettings are what can be set and changed of a SAML service; what is not sent
// stays as it is.
type ServiceSettings struct {
	Name         *string           `json:"name,omitempty"`
	Metadata     *string           `json:"metadata,omitempty" maxLength:"1000000" doc:"The document; or else metadata_url"`
	MetadataURL  *string           `json:"metadata_url,omitempty" doc:"Where the document is fetched, once"`
	IsActive     *bool             `json:"is_active,omitempty"`
	Allow        []string          `json:"allow,omitempty" nullable:"false" minItems:"1" doc:"Who may use it"`
	Preset       *string           `json:"preset,omitempty" example:"nextcloud" doc:"A well-known application"`
	NameIDFormat *string           `json:"name_id_format,omitempty" enum:"persistent,email,transient"`
	Attributes   map[string]string `json:"attributes,omitempty" doc:"What it is told, by the name of the attribute: a claim, or text: and words"`
	Unsolicited  *bool             `json:"unsolicited,omitempty"`
	RelayState   *string           `json:"relay_state,omitempty"`
	Plain        *bool             `json:"plain,omitempty"`
}

func (in ServiceSettings) writeTo(d *saml2.Description) {
	set(&d.Name, in.Name)
	set(&d.Metadata, in.Metadata)
	set(&d.Options.MetadataURL, in.MetadataURL)
	if in.IsActive != nil {
		d.Disabled = !*in.IsActive
	}
	setList(&d.Allowed, in.Allow)
	set(&d.Options.Preset, in.Preset)
	set(&d.Options.NameIDFormat, in.NameIDFormat)
	if in.Attributes != nil {
		d.Options.Attributes = in.Attributes
	}
	set(&d.Options.Unsolicited, in.Unsolicited)
	set(&d.Options.RelayState, in.RelayState)
	set(&d.Options.Plain, in.Plain)
}

// NewService describes a SAML service to be added.
type NewService struct {
	Slug     string `json:"slug,omitempty" doc:"Made of its name unless it is sent"`
	EntityID string `json:"entity_id,omitempty" doc:"Of an application without metadata"`
	ACS      string `json:"acs_url,omitempty" doc:"Where that takes answers by POST"`
	SLO      string `json:"slo_url,omitempty" doc:"Where that signs people out, by redirect"`
	ServiceSettings
}

func (n NewService) of(orgID string) saml2.Description {
	d := saml2.Description{
		Slug: n.Slug, OrganizationID: orgID, Typed: saml2.Typed{EntityID: n.EntityID, ACS: n.ACS, SLO: n.SLO},
	}
	n.writeTo(&d)
	return d
}

// ServiceChange is what to change of a SAML service.
type ServiceChange struct {
	Fetch bool `json:"fetch,omitempty" doc:"Fetch its metadata anew from metadata_url"`
	ServiceSettings
}

// ServiceIn names a SAML service in the path.
type ServiceIn struct {
	Service string `path:"service" doc:"Its slug"`
}

// OrgServiceIn names a SAML service of an organization in the path.
type OrgServiceIn struct {
	InOrg
	ServiceIn
}

type orgServicesIn struct {
	InOrg
	PageIn
}

func (a *API) orgServices(ctx context.Context, _ *session.Identity, by audit.Actor, in *orgServicesIn) (*servicesOut, error) {
	return a.servicePage(ctx, by, in.ID, in.PageIn)
}

type allServicesIn struct{ PageIn }

func (a *API) allServices(ctx context.Context, _ *session.Identity, by audit.Actor, in *allServicesIn) (*servicesOut, error) {
	return a.servicePage(ctx, by, "", in.PageIn)
}

type createOrgServiceIn struct {
	InOrg
	Body NewService
}

func (a *API) createOrgService(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *createOrgServiceIn,
) (*serviceOut, error) {
	return serviceOutOf(a.SAMLServices.Create(ctx, by, in.Body.of(in.ID)))
}

type createServiceIn struct{ Body NewService }

func (a *API) createService(ctx context.Context, _ *session.Identity, by audit.Actor, in *createServiceIn) (*serviceOut, error) {
	return serviceOutOf(a.SAMLServices.Create(ctx, by, in.Body.of("")))
}

func (a *API) orgService(ctx context.Context, _ *session.Identity, by audit.Actor, in *OrgServiceIn) (*serviceOut, error) {
	return serviceOutOf(a.SAMLServices.Show(ctx, by, in.ID, in.Service))
}

func (a *API) anyService(ctx context.Context, _ *session.Identity, by audit.Actor, in *ServiceIn) (*serviceOut, error) {
	return serviceOutOf(a.SAMLServices.Show(ctx, by, "", in.Service))
}

type updateOrgServiceIn struct {
	OrgServiceIn
	Body ServiceChange
}

func (a *API) updateOrgService(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *updateOrgServiceIn,
) (*serviceOut, error) {
	return serviceOutOf(a.SAMLServices.Update(ctx, by, in.ID, in.Service, in.Body.Fetch, in.Body.writeTo))
}

type updateServiceIn struct {
	ServiceIn
	Body ServiceChange
}

func (a *API) updateService(ctx context.Context, _ *session.Identity, by audit.Actor, in *updateServiceIn) (*serviceOut, error) {
	return serviceOutOf(a.SAMLServices.Update(ctx, by, "", in.Service, in.Body.Fetch, in.Body.writeTo))
}

func (a *API) deleteOrgService(ctx context.Context, _ *session.Identity, by audit.Actor, in *OrgServiceIn) (*nothing, error) {
	return nil, a.SAMLServices.Remove(ctx, by, in.ID, in.Service)
}

func (a *API) deleteService(ctx context.Context, _ *session.Identity, by audit.Actor, in *ServiceIn) (*nothing, error) {
	return nil, a.SAMLServices.Remove(ctx, by, "", in.Service)
}
