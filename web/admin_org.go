package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/org"
	"authy/server/session"
)

// adminOrgsPage is the data of page "admin_organizations".
type adminOrgsPage struct {
	Search   string
	Active   []optionView
	Filtered bool
	Orgs     []orgRow
	Pager    pagerView
	CLI      cliPart
}

// orgRow is an organization in a list.
type orgRow struct {
	ID, Name, Slug string
	State          stateView
	Created        time.Time
}

func (wb *Web) registerAdminOrgs(get, post func(string, handler)) {
	get("/admin/organizations", wb.admin(wb.showOrgs))
	get("/admin/organizations/:id", wb.admin(orNew(wb.askNewOrg, wb.showAnyOrg)))
	post("/admin/organizations/:id", wb.admin(orNew(wb.createOrgFor, wb.saveOrg)))
	get("/admin/organizations/:id/do/:act", wb.admin(wb.askOrgAct))
	post("/admin/organizations/:id/do/:act", wb.admin(wb.doOrgAct))
}

// orgStates name whether an organization is enabled.
var orgStates = map[bool]stateView{true: {msg("Enabled"), true, false}, false: {msg("Disabled"), false, true}}

// showOrgs lists organizations.
func (wb *Web) showOrgs(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	q := r.URL.Query()
	var filter org.Filter
	if active := q.Get("active"); active != "" {
		filter.Active = new(active == "true")
	}
	found, next, err := wb.Orgs.Search(r.Context(), id.Actor(actor(r)), filter, q.Get("search"), askedKey(q.Get("after")), adminListed)
	if err != nil {
		return err
	}
	page := adminOrgsPage{
		Search: q.Get("search"), Pager: adminPager(r, next), Filtered: q.Get("search") != "" || filter.Active != nil,
		CLI: orgsCommand(q.Get("search"), filter),
		Active: []optionView{
			{Label: msg("Any state")},
			{Value: "true", Label: orgStates[true].Text, Chosen: q.Get("active") == "true"},
			{Value: "false", Label: orgStates[false].Text, Chosen: q.Get("active") == "false"},
		},
	}
	for _, o := range found {
		page.Orgs = append(page.Orgs, orgRow{o.ID, o.Name, o.Slug, orgStates[o.IsActive], o.CreatedAt.Time})
	}
	wb.adminPage(w, r, http.StatusOK, "admin_organizations", "Organizations", page)
	return nil
}

// orgsCommand is the command that lists the same.
func orgsCommand(search string, f org.Filter) cliPart {
	command := []string{"authy org list"}
	if f.Active != nil {
		command = append(command, fmt.Sprintf("--disabled=%t", !*f.Active))
	}
	return cliWith(command, [][2]string{{"--search", search}})
}

// adminNewOrgPage is the data of page "admin_new_organization".
type adminNewOrgPage struct {
	Fields  []inputView
	Problem string
}

func newOrgFields(form url.Values) []inputView {
	return []inputView{
		{Name: "name", Label: msg("Name"), Value: form.Get("name"), Required: true},
		{
			Name: "slug", Label: msg("Short name"), Value: form.Get("slug"), Required: true, Mono: true,
			Hint: msg("For addresses and apps, such as acme-corp. It stays."),
		},
		{
			Name: "owner", Label: msg("Owner"), Kind: "email", Value: form.Get("owner"), Required: true,
			Hint: msg("The address of a user, who then manages it."),
		},
		{Name: "description", Label: msg("Description"), Kind: textArea, Value: form.Get("description")},
	}
}

func (wb *Web) askNewOrg(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	form := url.Values{"owner": {id.User.Email}}
	wb.adminPage(w, r, http.StatusOK, "admin_new_organization", "Add an organization", adminNewOrgPage{Fields: newOrgFields(form)})
	return nil
}

// createOrgFor makes an organization for somebody.
func (wb *Web) createOrgFor(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	form := r.PostForm
	o, err := wb.Orgs.Everywhere().CreateFor(r.Context(), id.Actor(actor(r)), form.Get("owner"), org.NewOrg{
		Slug: strings.TrimSpace(form.Get("slug")), Name: form.Get("name"), Description: form.Get("description"),
	})
	if err == nil {
		return wb.carry(w, r, "/admin/organizations/"+o.ID, carried{Notice: wb.say(r, "The organization is added.")})
	}
	fields := newOrgFields(form)
	rest, told := problemsOf(r.Context(), err, fields)
	if !told {
		return err
	}
	wb.adminPage(w, r, refusedWith(r.Context(), err), "admin_new_organization", "Add an organization", adminNewOrgPage{fields, rest})
	return nil
}

// adminOrgPage is the data of page "admin_organization".
type adminOrgPage struct {
	subject
	orgRow
	Fields   []inputView
	Problem  string
	Members  []adminMemberRow
	Count    int
	Pager    pagerView
	Policy   string
	Switch   actLink // disables or enables it
	Rescue   actLink
	Delete   actLink
	AuditURL string
}

// adminMemberRow is a member in a list.
type adminMemberRow struct {
	ID, Name, Email, Role string
	Face                  faceView
	State                 stateView
	Since                 time.Time
}

func orgFields(value func(string) string) []inputView {
	return []inputView{
		{Name: "name", Label: msg("Name"), Value: value("name"), Required: true},
		{Name: "description", Label: msg("Description"), Kind: textArea, Value: value("description")},
		{Name: "logo_url", Label: msg("Address of its logo"), Kind: "url", Value: value("logo_url")},
	}
}

func (wb *Web) showAnyOrg(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	return wb.renderOrg(w, r, http.StatusOK, id, nil, "")
}

// renderOrg shows an organization; fields are those of a form that was refused.
func (wb *Web) renderOrg(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, fields []inputView, problem string,
) error {
	all, by, orgID := wb.Orgs.Everywhere(), id.Actor(actor(r)), param(r, "id")
	view, err := all.Show(r.Context(), by, orgID)
	if err != nil {
		return err
	}
	o := view.Organization
	if fields == nil {
		kept := map[string]string{"name": o.Name, "description": o.Description, "logo_url": o.LogoURL}
		fields = orgFields(func(name string) string { return kept[name] })
	}
	page := adminOrgPage{
		subject: subject{managed.Organization, o.ID},
		orgRow:  orgRow{o.ID, o.Name, o.Slug, orgStates[o.IsActive], o.CreatedAt.Time}, Fields: fields, Problem: problem,
		Count: int(view.Members), Switch: orgLink(o.ID, "disable"), Rescue: orgLink(o.ID, "rescue"), Delete: orgLink(o.ID, "delete"),
		AuditURL: "/admin/audit?organization=" + o.ID,
	}
	if !o.IsActive {
		page.Switch = orgLink(o.ID, "enable")
	}
	policy, err := all.Policy(r.Context(), by, orgID)
	if err != nil {
		return err
	}
	page.Policy = modeWord(policy.Mode)
	if err := wb.fillMembers(r, by, all, &page); err != nil {
		return err
	}
	wb.adminPage(w, r, status, "admin_organization", "Organization", page)
	return nil
}

func (wb *Web) fillMembers(r *http.Request, by audit.Actor, all *org.Service, page *adminOrgPage) error {
	members, err := all.Members(r.Context(), by, page.ID, r.URL.Query().Get("after"), adminListed+1)
	if err != nil {
		return err
	}
	next := ""
	if len(members) > adminListed {
		members, next = members[:adminListed], members[adminListed-1].Member.ID
	}
	page.Pager = adminPager(r, next)
	for _, p := range members {
		page.Members = append(page.Members, adminMemberRow{
			ID: p.User.ID, Name: p.User.FullName, Email: p.User.Email, Role: roleWords[p.Member.Role],
			Face:  wb.faceOf(p.User),
			State: userStates[string(p.User.Status)], Since: p.Member.CreatedAt.Time,
		})
	}
	return nil
}

// saveOrg changes what is told of an organization.
func (wb *Web) saveOrg(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	form := r.PostForm
	name, description, logo := form.Get("name"), form.Get("description"), strings.TrimSpace(form.Get("logo_url"))
	_, err := wb.Orgs.Everywhere().Update(r.Context(), id.Actor(actor(r)), param(r, "id"), org.Change{
		Name: &name, Description: &description, LogoURL: &logo,
	})
	if err == nil {
		return wb.carry(w, r, r.URL.Path, carried{Notice: wb.say(r, "Saved.")})
	}
	fields := orgFields(form.Get)
	rest, told := problemsOf(r.Context(), err, fields)
	if f, ok := fault.In(r.Context(), err); !told || ok && f.Kind == fault.NotFound {
		return err
	}
	return wb.renderOrg(w, r, refusedWith(r.Context(), err), id, fields, rest)
}
