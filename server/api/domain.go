package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/provider"
	"authy/server/session"
)

// domainRoutes are about the domains of addresses that organizations answer for.
func (a *API) domainRoutes() {
	const all = "/api/v1/admin/organizations/{id}/domains"
	signed(a, "GET /api/v1/organizations/{id}/domains", 200, "Domains retrieved successfully",
		"The domains that were granted to an organization", a.domains)
	signed(a, "POST "+all, 201, "Domain added successfully", "Grant an organization a domain", a.addDomain)
	signed(a, "DELETE "+all+"/{domain}", 200, "Domain removed successfully", "Take a domain from an organization", a.removeDomain)
}

// domainView is a domain that an organization was granted.
type domainView struct {
	Domain    string    `json:"domain" example:"acme-corp.com"`
	CreatedAt time.Time `json:"created_at"`
}

func domainViewOf(d *provider.Domain) domainView { return domainView{d.Domain, d.CreatedAt.Time} }

type domainsOut struct {
	Domains []domainView `json:"domains" nullable:"false"`
	Count   int          `json:"count"`
	PageOut
}

type domainsIn struct {
	InOrg
	PageIn
}

func (a *API) domains(ctx context.Context, _ *session.Identity, by audit.Actor, in *domainsIn) (*domainsOut, error) {
	domains, err := a.Providers.Domains(ctx, by, in.ID)
	if err != nil {
		return nil, err
	}
	views, next, err := pageOf(domains, in.PageIn, domainViewOf, func(d *provider.Domain) string { return d.Domain })
	return &domainsOut{Domains: views, Count: len(views), PageOut: next}, err
}

type addDomainIn struct {
	InOrg
	Body struct {
		Domain string `json:"domain" doc:"Without @; a public one such as gmail.com is refused"`
	}
}

type domainOut struct {
	Domain domainView `json:"domain"`
}

func (a *API) addDomain(ctx context.Context, _ *session.Identity, by audit.Actor, in *addDomainIn) (*domainOut, error) {
	d, err := a.Providers.AddDomain(ctx, by, in.ID, in.Body.Domain)
	if err != nil {
		return nil, err
	}
	return &domainOut{domainViewOf(d)}, nil
}

type domainIn struct {
	InOrg
	Domain string `path:"domain"`
}

func (a *API) removeDomain(ctx context.Context, _ *session.Identity, by audit.Actor, in *domainIn) (*nothing, error) {
	return nil, a.Providers.RemoveDomain(ctx, by, in.ID, in.Domain)
}
