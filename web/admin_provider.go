package web

import (
	"net/http"
	"net/url"
	"time"

	"authy/server/fault"
	"authy/server/managed"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/saml2"
	"authy/server/session"
)

const (
	// providersOnPage is how many providers a list shows at once.
	providersOnPage = 50
	// maxProviderForm is the longest form about a provider, in bytes: SAML metadata is in it.
	maxProviderForm = 2 << 20
)

// providerDesk is where providers are managed: those of the whole server, which sees all,
// or those of one organization.
type providerDesk struct {
	id   *session.Identity
	home *org.View // nil for the whole server
	Root string    // the path of the list
}

// orgID is that of the organization, "" for the whole server.
func (d providerDesk) orgID() string {
	if d.home == nil {
		return ""
	}
	return d.home.Organization.ID
}

// atDesk is a handler for who manages providers.
type atDesk func(w http.ResponseWriter, r *http.Request, d providerDesk) error

func (wb *Web) serverDesk(h atDesk) handler {
	return wb.admin(func(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
		return h(w, r, providerDesk{id: id, Root: "/admin/providers"})
	})
}

func (wb *Web) orgDesk(h atDesk) handler {
	return wb.manager(func(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
		return h(w, r, providerDesk{id, o, "/organizations/" + o.Organization.ID + "/providers"})
	})
}

// registerProviders mounts the pages about identity providers, of the server and of
// organizations.
func (wb *Web) registerProviders(
	get, post func(path string, h handler), handle func(method, path string, h http.Handler),
) {
	for root, desk := range map[string]func(atDesk) handler{
		"/admin/providers": wb.serverDesk, "/organizations/:id/providers": wb.orgDesk,
	} {
		one := root + "/:provider"
		long := func(path string, h atDesk) {
			handle(http.MethodPost, path, wb.form(wb.sized(maxProviderForm, desk(h))))
		}
		get(root, desk(wb.showProviders))
		long(root, wb.addProvider)
		get(one, desk(wb.showProvider))
		get(one+"/edit", desk(wb.showProviderEdit))
		long(one+"/edit", wb.editProvider)
		post(one+"/test", desk(wb.testProvider))
		post(one+"/state", desk(wb.switchProvider))
		get(one+"/remove", desk(wb.showProviderRemove))
		post(one+"/remove", desk(wb.removeProvider))
	}
}

// providerPage answers with a page about providers.
func (wb *Web) providerPage(
	w http.ResponseWriter, r *http.Request, status int, d providerDesk, name, title string, data any,
) {
	if d.home == nil {
		wb.adminPage(w, r, status, name, title, data)
		return
	}
	wb.orgPage(w, r, status, d.home, name, title, data)
}

// providersPage is the data of page "admin_providers".
type providersPage struct {
	Root, Query  string
	Server       bool // it has the providers of the whole server
	Organization string
	List         []providerRow
	Pager        pagerView
	CLI          cliPart
}

// providerRow is a provider in a list.
type providerRow struct {
	Path, Name, Slug, Kind string
	Organization           string // whose it is, "" for the whole server's
	Active, Managed        bool
	Identities             int
	LastUsed               time.Time
}

// kindNames are what the kinds of providers are called.
var kindNames = map[string]string{
	provider.Google: "Google", provider.GitHub: "GitHub", provider.Microsoft: "Microsoft",
	provider.OIDC: "OpenID Connect", provider.SAML: "SAML 2.0",
}

// showProviders lists providers.
func (wb *Web) showProviders(w http.ResponseWriter, r *http.Request, d providerDesk) error {
	query, after := r.Form.Get("q"), r.Form.Get("after")
	list, next, err := wb.Providers.Overview(r.Context(), d.id.Actor(actor(r)), d.orgID(), provider.Search{
		Text: query, After: after, Limit: providersOnPage,
	})
	if err != nil {
		return err
	}
	page := providersPage{Root: d.Root, Query: query, Server: d.home == nil, CLI: cliOf("authy provider list")}
	if d.home != nil {
		page.Organization = d.home.Organization.Name
		page.CLI = cliOf("authy provider list --org", d.home.Organization.Slug)
	}
	for i := range list {
		page.List = append(page.List, rowOf(d, &list[i]))
	}
	if next != "" {
		page.Pager.Next = d.Root + "?" + url.Values{"q": {query}, "after": {next}}.Encode()
	}
	if after != "" {
		page.Pager.Back = d.Root + "?" + url.Values{"q": {query}}.Encode()
	}
	wb.providerPage(w, r, http.StatusOK, d, "admin_providers", wb.say(r, "Providers"), page)
	return nil
}

func rowOf(d providerDesk, u *provider.Used) providerRow {
	return providerRow{
		Path: d.Root + "/" + u.Slug, Name: u.Name, Slug: u.Slug, Kind: kindNames[u.Kind],
		Organization: u.Organization, Active: u.IsActive, Managed: u.IsManaged,
		Identities: int(u.Use.Identities), LastUsed: u.Use.LastUsedAt.Time,
	}
}

// providerDetail is the data of page "admin_provider".
type providerDetail struct {
	subject
	providerRow
	Root         string
	Issuer       string
	ClientID     string
	HasSecret    bool
	Registration string
	Domains      []string
	Groups       string
	Roles        []string
	Trusted      []string // what stands for the second factor
	Logout       bool
	Register     []copyPart // what to register there
	Checks       []checkView
	CLI          cliPart
}

// checkView is something about a provider that was looked at.
type checkView struct {
	OK   bool
	Text string
}

// policies are who gets an account by coming from a provider.
var policies = map[string]string{
	"": msg("As on the sign-up page"), provider.RegistrationOff: msg("Nobody"), provider.RegistrationOpen: msg("Everyone who comes"),
	provider.RegistrationInvited: msg("Who has an invitation"), provider.RegistrationDomains: msg("Who has an address in the domains below"),
}

// showProvider shows one provider, or how to add one where it is called "new".
func (wb *Web) showProvider(w http.ResponseWriter, r *http.Request, d providerDesk) error {
	if param(r, "provider") == "new" {
		return wb.showNewProvider(w, r, d)
	}
	return wb.renderProvider(w, r, d, nil)
}

func (wb *Web) renderProvider(w http.ResponseWriter, r *http.Request, d providerDesk, checks []provider.Check) error {
	u, err := wb.Providers.Inspect(r.Context(), d.id.Actor(actor(r)), d.orgID(), param(r, "provider"))
	if err != nil {
		return err
	}
	roles, err := wb.Providers.RoleLines(r.Context(), &u.Provider)
	if err != nil {
		return err
	}
	o := u.Options
	page := providerDetail{
		subject:     subject{managed.Provider, u.ID},
		providerRow: rowOf(d, u), Root: d.Root, Issuer: u.Issuer, ClientID: u.ClientID, HasSecret: u.Secret != "",
		Registration: policies[o.Registration], Domains: o.Domains, Groups: o.Groups, Roles: roles,
		Trusted: append(append([]string{}, o.TrustedMethods...), o.TrustedContexts...), Logout: o.Logout,
		Register: wb.toRegister(u.Kind, wb.Providers.RedirectURI(&u.Provider)),
		CLI:      cliLines(cliOf("authy provider show", u.Slug), cliOf("authy provider test", u.Slug)),
	}
	if o.AuthMethod == provider.AuthKey {
		page.Register = append(page.Register, copyPart{msg("Keys that sign for this server (JWKS URL)"), wb.Providers.KeysURL})
	}
	if o.Logout && u.Kind != provider.SAML {
		page.Register = append(page.Register, copyPart{msg("Post-logout redirect URI"), wb.Providers.PublicURL + "/signed-out"})
	}
	for _, c := range checks {
		page.Checks = append(page.Checks, checkView{c.OK, c.Text})
	}
	wb.providerPage(w, r, http.StatusOK, d, "admin_provider", u.Name, page)
	return nil
}

// toRegister is what a provider must be told of this server.
func (wb *Web) toRegister(kind, redirectURI string) []copyPart {
	if kind != provider.SAML {
		return []copyPart{{msg("Redirect URI"), redirectURI}}
	}
	metadata := wb.Providers.PublicURL + saml2.SPMetadataPath
	return []copyPart{
		{msg("Reply address (ACS URL)"), redirectURI}, {msg("Entity ID"), wb.SAMLSP.EntityID()}, {msg("Metadata URL"), metadata},
	}
}

// testProvider looks whether a provider works, and shows what was found.
func (wb *Web) testProvider(w http.ResponseWriter, r *http.Request, d providerDesk) error {
	checks, err := wb.Providers.Test(r.Context(), d.id.Actor(actor(r)), d.orgID(), param(r, "provider"))
	if err != nil {
		return err
	}
	return wb.renderProvider(w, r, d, checks)
}

// switchProvider lets people come from a provider, or not any more.
func (wb *Web) switchProvider(w http.ResponseWriter, r *http.Request, d providerDesk) error {
	on, slug := r.PostForm.Get("on") == "yes", param(r, "provider")
	_, err := wb.Providers.Update(r.Context(), d.id.Actor(actor(r)), d.orgID(), slug,
		func(p *provider.Description) { p.Disabled = !on })
	if err != nil {
		return err
	}
	notice := wb.say(r, "It is switched on: people can sign in by it.")
	if !on {
		notice = wb.say(r, "It is switched off: nobody can sign in by it. Whoever is signed in stays signed in.")
	}
	return wb.carry(w, r, d.Root+"/"+slug, carried{Notice: notice})
}

// providerRemovePage is the data of page "admin_provider_remove".
type providerRemovePage struct {
	providerRow
	Root, Problem string
	CLI           cliPart
}

// showProviderRemove says what happens when a provider is removed.
func (wb *Web) showProviderRemove(w http.ResponseWriter, r *http.Request, d providerDesk) error {
	return wb.renderProviderRemove(w, r, http.StatusOK, d, "")
}

func (wb *Web) renderProviderRemove(
	w http.ResponseWriter, r *http.Request, status int, d providerDesk, problem string,
) error {
	u, err := wb.Providers.Inspect(r.Context(), d.id.Actor(actor(r)), d.orgID(), param(r, "provider"))
	if err != nil {
		return err
	}
	if u.IsManaged {
		return provider.ErrManaged
	}
	wb.providerPage(w, r, status, d, "admin_provider_remove", wb.say(r, "Remove a provider"), providerRemovePage{
		rowOf(d, u), d.Root, problem, cliOf("authy provider remove", u.Slug),
	})
	return nil
}

// removeProvider removes a provider.
func (wb *Web) removeProvider(w http.ResponseWriter, r *http.Request, d providerDesk) error {
	slug := param(r, "provider")
	err := wb.Providers.Remove(r.Context(), d.id.Actor(actor(r)), d.orgID(), slug)
	if f, told := fault.In(r.Context(), err); told && f.Kind == fault.Conflict {
		return wb.renderProviderRemove(w, r, http.StatusConflict, d, f.Message)
	}
	if err != nil {
		return err
	}
	return wb.carry(w, r, d.Root, carried{Notice: wb.say(r, "%s is removed.", slug)})
}
