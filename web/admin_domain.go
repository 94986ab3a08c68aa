package web

import (
	"net/http"
	"net/url"
	"time"

	"authy/server/fault"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/session"
)

// registerDomains mounts the pages about the domains of organizations.
func (wb *Web) registerDomains(get, post func(path string, h handler)) {
	get("/organizations/:id/domains", wb.manager(wb.showOwnDomains))
	get("/admin/organizations/:id/domains", wb.admin(wb.showDomains))
	post("/admin/organizations/:id/domains", wb.admin(wb.addDomain))
	get("/admin/organizations/:id/domains/remove", wb.admin(wb.showDomainRemove))
	post("/admin/organizations/:id/domains/remove", wb.admin(wb.removeDomain))
}

// domainsPage is the data of pages "org_domains" and "admin_domains".
type domainsPage struct {
	Organization string
	Root         string // the path of this page
	Back         string // that of the organization
	List         []domainView
	Field        inputView // what is typed to grant one
	Problem      string
	CLI          cliPart
}

// domainView is a domain that was granted.
type domainView struct {
	Name, RemovePath string
	Since            time.Time
}

func domainViews(root string, domains []provider.Domain) (views []domainView) {
	for _, d := range domains {
		path := root + "/remove?" + url.Values{"domain": {d.Domain}}.Encode()
		views = append(views, domainView{d.Domain, path, d.CreatedAt.Time})
	}
	return views
}

// showOwnDomains shows those who manage an organization the domains that it was granted.
func (wb *Web) showOwnDomains(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	domains, err := wb.Providers.Domains(r.Context(), id.Actor(actor(r)), o.Organization.ID)
	if err != nil {
		return err
	}
	root := "/organizations/" + o.Organization.ID
	wb.orgPage(w, r, http.StatusOK, o, "org_domains", wb.say(r, "Domains"), domainsPage{
		Organization: o.Organization.Name, Root: root + "/domains", Back: root,
		List: domainViews(root+"/domains", domains), CLI: cliOf("authy org domain list", o.Organization.Slug),
	})
	return nil
}

// showDomains shows an administrator the domains of an organization, and grants more.
func (wb *Web) showDomains(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	return wb.renderDomains(w, r, id, nil)
}

func (wb *Web) renderDomains(w http.ResponseWriter, r *http.Request, id *session.Identity, wrong error) error {
	o, err := wb.Orgs.Find(r.Context(), param(r, "id"))
	if err != nil {
		return err
	}
	domains, err := wb.Providers.Domains(r.Context(), id.Actor(actor(r)), o.ID)
	if err != nil {
		return err
	}
	back, status := "/admin/organizations/"+o.ID, http.StatusOK
	page := domainsPage{
		Organization: o.Name, Root: back + "/domains", Back: back, List: domainViews(back+"/domains", domains),
		Field: inputView{
			Name: "domain", Label: msg("Domain"), Value: r.PostForm.Get("domain"), Required: true, Mono: true,
			Hint: msg("Such as example.com. Make sure that it is theirs: what their providers say about any address in it is trusted."),
		},
		CLI: cliOf("authy org domain add", o.Slug, "DOMAIN"),
	}
	if wrong != nil {
		fields := []inputView{page.Field}
		problem, told := problemsOf(r.Context(), wrong, fields)
		if !told {
			return wrong
		}
		page.Field, page.Problem, status = fields[0], problem, refusedWith(r.Context(), wrong)
	}
	wb.adminPage(w, r, status, "admin_domains", wb.say(r, "Domains of %s", o.Name), page)
	return nil
}

// addDomain grants an organization a domain.
func (wb *Web) addDomain(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	d, err := wb.Providers.AddDomain(r.Context(), id.Actor(actor(r)), param(r, "id"), r.PostForm.Get("domain"))
	if f, told := fault.In(r.Context(), err); told && (f.Kind == fault.Invalid || f.Kind == fault.Conflict) {
		return wb.renderDomains(w, r, id, err)
	}
	if err != nil {
		return err
	}
	notice := wb.say(r, "%s is granted.", d.Domain)
	return wb.carry(w, r, "/admin/organizations/"+d.OrganizationID+"/domains", carried{Notice: notice})
}

// domainRemovePage is the data of page "admin_domain_remove".
type domainRemovePage struct {
	Organization, Root, Domain string
	CLI                        cliPart
}

// showDomainRemove says what happens when a domain is taken from an organization.
func (wb *Web) showDomainRemove(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	o, err := wb.Orgs.Find(r.Context(), param(r, "id"))
	if err != nil {
		return err
	}
	domain := r.Form.Get("domain")
	domains, err := wb.Providers.Domains(r.Context(), id.Actor(actor(r)), o.ID)
	if err != nil {
		return err
	}
	for _, d := range domains {
		if d.Domain == domain {
			wb.adminPage(w, r, http.StatusOK, "admin_domain_remove", wb.say(r, "Remove a domain"), domainRemovePage{
				o.Name, "/admin/organizations/" + o.ID + "/domains", domain,
				cliOf("authy org domain remove", o.Slug, domain),
			})
			return nil
		}
	}
	return provider.ErrNoDomain
}

// removeDomain takes a domain from an organization.
func (wb *Web) removeDomain(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	orgID, domain := param(r, "id"), r.PostForm.Get("domain")
	if err := wb.Providers.RemoveDomain(r.Context(), id.Actor(actor(r)), orgID, domain); err != nil {
		return err
	}
	notice := wb.say(r, "%s is removed.", domain)
	return wb.carry(w, r, "/admin/organizations/"+orgID+"/domains", carried{Notice: notice})
}
