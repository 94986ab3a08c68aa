package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/managed"
	"authy/server/provider"
	"authy/server/session"
)

// providerRoutes are about the identity providers that people come from: those of
// an organization for who manages it, and all of them for administrators of the
// server.
func (a *API) providerRoutes() {
	const all, any = "/api/v1/organizations/{id}/providers", "/api/v1/admin/providers"
	const one = "/{provider}"
	signed(a, "GET "+all, 200, "Providers retrieved successfully", "The identity providers of an organization", a.providers)
	signed(a, "POST "+all, 201, "Provider created successfully", "Add an identity provider to an organization", a.createProvider)
	signed(a, "GET "+all+one, 200, "Provider retrieved successfully", "One identity provider of an organization", a.provider)
	signed(a, "PATCH "+all+one, 200, "Provider updated successfully", "Change an identity provider of an organization", a.updateProvider)
	signed(a, "DELETE "+all+one, 200, "Provider deleted successfully",
		"Delete an identity provider of an organization, with the accounts' links to it", a.deleteProvider)
	signed(a, "POST "+all+one+"/test", 200, "Provider tested successfully", "Look what is wrong with an identity provider", a.testProvider)

	signed(a, "GET "+any, 200, "Providers retrieved successfully", "Every identity provider", a.allProviders)
	signed(a, "POST "+any, 201, "Provider created successfully", "Add an identity provider", a.createAnyProvider)
	signed(a, "GET "+any+one, 200, "Provider retrieved successfully", "Any identity provider", a.anyProvider)
	signed(a, "PATCH "+any+one, 200, "Provider updated successfully", "Change any identity provider", a.updateAnyProvider)
	signed(a, "DELETE "+any+one, 200, "Provider deleted successfully",
		"Delete any identity provider, with the accounts' links to it", a.deleteAnyProvider)
	signed(a, "POST "+any+one+"/test", 200, "Provider tested successfully", "Look what is wrong with any identity provider", a.testAnyProvider)
}

// providerView is an identity provider as those who manage it see it: without its
// secret.
type providerView struct {
	Slug           string    `json:"slug" example:"google" doc:"Its name in URLs"`
	Kind           string    `json:"kind" enum:"google,github,microsoft,oidc,saml"`
	OrganizationID *string   `json:"organization_id" nullable:"true" doc:"Whose it is; null for the whole server's"`
	HasSecret      bool      `json:"has_secret"`
	HasMetadata    bool      `json:"has_metadata"`
	IsManaged      bool      `json:"is_managed" doc:"Whether the configuration file sets it, and it cannot be changed here"`
	RedirectURI    string    `json:"redirect_uri" doc:"What to register at the provider"`
	CreatedAt      time.Time `json:"created_at"`
	UpdatedAt      time.Time `json:"updated_at"`
	// Only of one that is asked for by its slug.
	Identities *int64     `json:"identities,omitempty" doc:"How many accounts are linked by it; only of one provider that is asked for"`
	LastUsedAt *time.Time `json:"last_used_at,omitempty" doc:"When somebody came in by it last; only of one provider that is asked for"`
	ProviderSettings
	Managed
}

func (a *API) providerViewOf(p *provider.Provider) providerView {
	return providerView{
		Slug: p.Slug, Kind: p.Kind, OrganizationID: orNull(string(p.OrganizationID)),
		HasSecret: p.SealedSecret != "", HasMetadata: p.Options.Metadata != "", IsManaged: p.IsManaged,
		RedirectURI: a.Providers.RedirectURI(p), CreatedAt: p.CreatedAt.Time, UpdatedAt: p.UpdatedAt.Time,
		ProviderSettings: settingsOf(p), Managed: managedAs(managed.Provider, p.ID),
	}
}

type providerOut struct {
	Provider providerView `json:"provider"`
}

func (a *API) providerOutOf(p *provider.Provider, err error) (*providerOut, error) {
	if err != nil {
		return nil, err
	}
	return &providerOut{a.providerViewOf(p)}, nil
}

// usedOutOf is [API.providerOutOf] with how the provider is used.
func (a *API) usedOutOf(u *provider.Used, err error) (*providerOut, error) {
	if err != nil {
		return nil, err
	}
	view := a.providerViewOf(&u.Provider)
	view.Identities = &u.Use.Identities
	if at := u.Use.LastUsedAt.Time; !at.IsZero() {
		view.LastUsedAt = &at
	}
	return &providerOut{view}, nil
}

type providersOut struct {
	Providers []providerView `json:"providers" nullable:"false"`
	Count     int            `json:"count"`
	PageOut
}

// providerPage is the page of providers, in the order of their slugs, that was
// asked for.
func (a *API) providerPage(ctx context.Context, by audit.Actor, orgID string, page PageIn) (*providersOut, error) {
	list, err := a.Providers.List(ctx, by, orgID)
	if err != nil {
		return nil, err
	}
	views, next, err := pageOf(list, page, a.providerViewOf, func(p *provider.Provider) string { return p.Slug })
	return &providersOut{Providers: views, Count: len(views), PageOut: next}, err
}

type providersIn struct {
	InOrg
	PageIn
}

func (a *API) providers(ctx context.Context, _ *session.Identity, by audit.Actor, in *providersIn) (*providersOut, error) {
	return a.providerPage(ctx, by, in.ID, in.PageIn)
}

type allProvidersIn struct{ PageIn }

func (a *API) allProviders(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *allProvidersIn,
) (*providersOut, error) {
	return a.providerPage(ctx, by, "", in.PageIn)
}

// ProviderIn names an identity provider in the path.
type ProviderIn struct {
	Provider string `path:"provider" doc:"Its slug"`
}

// OrgProviderIn names an identity provider of an organization in the path.
type OrgProviderIn struct {
	InOrg
	ProviderIn
}

func (a *API) provider(ctx context.Context, _ *session.Identity, by audit.Actor, in *OrgProviderIn) (*providerOut, error) {
	return a.usedOutOf(a.Providers.Inspect(ctx, by, in.ID, in.Provider))
}

func (a *API) anyProvider(ctx context.Context, _ *session.Identity, by audit.Actor, in *ProviderIn) (*providerOut, error) {
	return a.usedOutOf(a.Providers.Inspect(ctx, by, "", in.Provider))
}

func (a *API) deleteProvider(ctx context.Context, _ *session.Identity, by audit.Actor, in *OrgProviderIn) (*nothing, error) {
	return nil, a.Providers.Remove(ctx, by, in.ID, in.Provider)
}

func (a *API) deleteAnyProvider(ctx context.Context, _ *session.Identity, by audit.Actor, in *ProviderIn) (*nothing, error) {
	return nil, a.Providers.Remove(ctx, by, "", in.Provider)
}

// providerTestOut says what was found out about a provider.
type providerTestOut struct {
	OK     bool        `json:"ok" doc:"Whether all of it is right"`
	Checks []checkView `json:"checks" nullable:"false"`
}

type checkView struct {
	Name string `json:"name" example:"discovery"`
	OK   bool   `json:"ok"`
	Text string `json:"text" doc:"What was found, and what to do where it is not right"`
}

func providerTestOf(checks []provider.Check, err error) (*providerTestOut, error) {
	if err != nil {
		return nil, err
	}
	out := &providerTestOut{OK: true, Checks: make([]checkView, len(checks))}
	for i, c := range checks {
		out.Checks[i] = checkView(c)
		out.OK = out.OK && c.OK
	}
	return out, nil
}

func (a *API) testProvider(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *OrgProviderIn,
) (*providerTestOut, error) {
	return providerTestOf(a.Providers.Test(ctx, by, in.ID, in.Provider))
}

func (a *API) testAnyProvider(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *ProviderIn,
) (*providerTestOut, error) {
	return providerTestOf(a.Providers.Test(ctx, by, "", in.Provider))
}
