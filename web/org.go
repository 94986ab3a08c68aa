package web

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"authy/server/fault"
	"authy/server/org"
	"authy/server/session"
)

// orgRows is how many rows a list of an organization has.
const orgRows = 50

// registerOrgs mounts the pages of organizations.
func (wb *Web) registerOrgs(get, post func(path string, h handler)) {
	const one = "/organizations/:id"
	get("/organizations", wb.listOrgs)
	post("/organizations", wb.createOrg)
	get(one, wb.showOrg)
	wb.registerOrgMembers(get, post, one)
	wb.registerOrgInvitations(get, post, one)
	get(one+"/security", wb.manager(wb.showOrgSecurity))
	post(one+"/security", wb.manager(wb.setOrgPolicy))
	post(one+"/security/remind", wb.manager(wb.remindMember))
	get(one+"/audit", wb.manager(wb.showOrgAudit))
	post(one+"/audit/export", wb.manager(wb.exportOrgAudit))
	wb.registerOrgTokens(get, post, one)
	get(one+"/settings", wb.manager(wb.showOrgSettings))
	post(one+"/settings", wb.manager(wb.saveOrgSettings))
	get(one+"/delete", wb.manager(wb.askDeleteOrg))
	post(one+"/delete", wb.manager(wb.deleteOrg))
}

// orgHead is what every page of an organization knows of it.
type orgHead struct {
	Root, ID, Slug, Name string
	Manager, Owner       bool // what the reader is
}

func headOfOrg(o *org.View) orgHead {
	return orgHead{
		Root: "/organizations/" + o.Organization.ID, ID: o.Organization.ID, Slug: o.Organization.Slug,
		Name: o.Organization.Name, Manager: slices.Contains(orgManagers, o.Role), Owner: o.Role == org.Owner,
	}
}

// orgPath is the path of something of an organization.
func orgPath(o *org.View, parts ...string) string {
	path := "/organizations/" + o.Organization.ID
	for _, part := range parts {
		path += "/" + url.PathEscape(part)
	}
	return path
}

// roleWords name the roles; roleHints say what each may do.
var (
	roleWords = map[org.Role]string{
		org.Owner: msg("Owner"), org.Admin: msg("Admin"), org.Member: msg("Member"), org.Guest: msg("Guest"),
	}
	roleHints = map[org.Role]string{
		org.Owner:  msg("Full control, including ownership and deletion"),
		org.Admin:  msg("Manages members, apps and security"),
		org.Member: msg("Uses the apps of the organization and sees its members"),
		org.Guest:  msg("Uses the apps of the organization, but does not see its members"),
	}
)

// roleOptions are the roles to choose from.
func roleOptions(roles []org.Role, chosen org.Role) []optionView {
	out := make([]optionView, len(roles))
	for i, role := range roles {
		out[i] = optionView{Value: string(role), Label: roleWords[role], Hint: roleHints[role], Chosen: role == chosen}
	}
	return out
}

// orgAfter is the place of a list that the address of r names, "" for the first
// page.
func orgAfter(r *http.Request) (string, error) {
	key, err := base64.RawURLEncoding.DecodeString(r.URL.Query().Get("after"))
	if err != nil || !utf8.Valid(key) || slices.Contains(key, 0) {
		return "", fault.New(fault.Invalid, "bad_cursor", "This is no page of the list. Begin again at the first.")
	}
	return string(key), nil
}

// orgPager leads from the page of a list that r asks for to the one that begins
// after next, "" for none, with the same filters.
func orgPager(r *http.Request, next string) (p pagerView) {
	q := r.URL.Query()
	if q.Has("after") {
		q.Del("after")
		p.Back = addressOf(r.URL.Path, q)
	}
	if next != "" {
		q.Set("after", base64.RawURLEncoding.EncodeToString([]byte(next)))
		p.Next = addressOf(r.URL.Path, q)
	}
	return p
}

// orgText is what was typed into the field of a search, as storage can take it.
func orgText(r *http.Request, name string) string {
	text := strings.ToValidUTF8(strings.ReplaceAll(r.URL.Query().Get(name), "\x00", ""), "")
	if len(text) > 200 {
		return ""
	}
	return strings.TrimSpace(text)
}

// orgConfirmPage is the data of page "org_confirm", which says what will happen
// before it does.
type orgConfirmPage struct {
	orgHead
	Crumb, CrumbPath string // where it was come from
	Heading          string
	What             []string // what will happen
	Typed            string   // must be typed to confirm, "" for nothing
	Problem          string
	Action, Button   string
	CLI              cliPart
}

// showOrgConfirm asks.
func (wb *Web) showOrgConfirm(
	w http.ResponseWriter, r *http.Request, status int, o *org.View, page orgConfirmPage,
) error {
	page.orgHead = headOfOrg(o)
	page.Action = r.URL.Path
	wb.orgPage(w, r, status, o, "org_confirm", page.Heading, page)
	return nil
}

// told is err, in words, for a page that says why beside its form: it reports what to say
// and with which status, or false for an error that is none of the form's.
func (wb *Web) told(r *http.Request, err error) (problem string, status int, ok bool) {
	f, ok := fault.In(r.Context(), err)
	if !ok || f.Kind.IsOurs() {
		return "", 0, false
	}
	return wb.explain(r, f), statuses[f.Kind], true
}

// orgListPage is the data of page "org_list".
type orgListPage struct {
	Organizations []orgCard
	Pager         pagerView
}

// orgCard is an organization in the list of one's own.
type orgCard struct{ ID, Name, Description, Role string }

// listOrgs lists the organizations of who is signed in.
func (wb *Web) listOrgs(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	after, err := orgAfter(r)
	if err != nil {
		return err
	}
	found, more, err := wb.Orgs.Page(r.Context(), id.User.ID, after, orgRows)
	if err != nil {
		return err
	}
	page, next := orgListPage{}, ""
	for _, m := range found {
		o := m.Organization
		page.Organizations = append(page.Organizations, orgCard{o.ID, o.Name, o.Description, roleWords[m.Role]})
		next = o.Slug
	}
	if !more {
		next = ""
	}
	page.Pager = orgPager(r, next)
	wb.console(w, r, http.StatusOK, accountArea(), "org_list", "Organizations", page)
	return nil
}

// accountArea is the area of one's account, at its organizations.
func accountArea() consoleView {
	return consoleView{
		Area: msg("Your account"), Groups: accountNavigation.at("/account", "/account/organizations"),
	}
}

// orgNewPage is the data of page "org_new".
type orgNewPage struct {
	Fields  []inputView
	Problem string
}

func orgNewFields(in org.NewOrg) []inputView {
	return []inputView{
		{Name: "name", Label: msg("Name"), Value: in.Name, Required: true, Hint: msg("As people know it: “Acme Corporation”")},
		{
			Name: "slug", Label: msg("Short name"), Value: in.Slug, Required: true, Mono: true,
			Hint: msg("Lower-case letters, digits and hyphens. Apps know the organization by it, so it cannot be changed later."),
		},
		{Name: "description", Label: msg("Description"), Value: in.Description, Kind: textArea},
	}
}

// showNewOrg asks what an organization is to be.
func (wb *Web) showNewOrg(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	page := orgNewPage{Fields: orgNewFields(org.NewOrg{})}
	wb.console(w, r, http.StatusOK, accountArea(), "org_new", "New organization", page)
	return nil
}

// createOrg makes an organization that who is signed in owns.
func (wb *Web) createOrg(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	form := r.PostForm
	in := org.NewOrg{
		Name: form.Get("name"), Slug: strings.TrimSpace(form.Get("slug")), Description: textOf(form.Get("description")),
		OwnerID: id.User.ID,
	}
	made, err := wb.Orgs.Create(r.Context(), id.Actor(actor(r)), in)
	if err != nil {
		return wb.refuseNewOrg(w, r, in, err)
	}
	return wb.carry(w, r, "/organizations/"+made.ID, carried{
		Notice: wb.say(r, "Your organization is ready. Invite the people who belong to it."),
	})
}

func (wb *Web) refuseNewOrg(w http.ResponseWriter, r *http.Request, in org.NewOrg, err error) error {
	page := orgNewPage{Fields: orgNewFields(in)}
	f, _ := fault.In(r.Context(), err)
	if f != nil && f.Is(org.ErrSlugTaken) {
		err = &fault.Error{Kind: f.Kind, Code: f.Code, Fields: map[string][]string{
			"slug": {msg("Another organization has this short name. Choose a different one.")},
		}}
	}
	problem, ok := problemsOf(r.Context(), err, page.Fields)
	if !ok {
		return err
	}
	page.Problem = problem
	wb.console(w, r, statuses[f.Kind], accountArea(), "org_new", "New organization", page)
	return nil
}

// textOf is what was typed into a text area: browsers send its lines as in mail.
func textOf(typed string) string { return strings.TrimSpace(strings.ReplaceAll(typed, "\r\n", "\n")) }

// showOrg is the page of an organization, or the form for a new one.
func (wb *Web) showOrg(w http.ResponseWriter, r *http.Request) error {
	if param(r, "id") == "new" {
		return wb.showNewOrg(w, r)
	}
	return wb.member(wb.showOrgOverview)(w, r)
}

// mine says whether a member is who is signed in.
func mine(id *session.Identity, userID string) bool { return id.User.ID == userID }
