package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/julienschmidt/httprouter"

	"authy/server/fault"
	"authy/server/org"
	"authy/server/session"
)

// consoleView is what a page of the console shows around its own part: the
// navigation of its area, and what the last form left.
type consoleView struct {
	Area   string // what the navigation is of: "Administration", or an organization's name
	Named  bool   // Area is a name, which is not translated
	Groups []navGroup
	Notice string     // what has just been done
	Secret string     // what has just been made and is shown this once
	SetBy  *setByView // the state file that sets what the page is about, nil for none
	Logo   string     // the address of a logo that the page shows, "" for none
}

// navGroup is a part of the navigation, under a title if it has one.
type navGroup struct {
	Title string
	Items []navItem
}

// navItem leads to a page. Below says that it is the one that is shown, or leads
// to it. For are the roles that may open it, none for everyone.
type navItem struct {
	Title, Path string
	Below       bool
	For         []org.Role
}

// navigation is an area's navigation as it is drawn up: paths are relative to
// the area's root.
type navigation []navGroup

// adminNavigation is that of who administers the server, below /admin.
var adminNavigation = navigation{
	{"", []navItem{{Title: msg("Overview"), Path: ""}}},
	{msg("People"), []navItem{
		{Title: msg("Users"), Path: "/users"},
		{Title: msg("Organizations"), Path: "/organizations"},
		{Title: msg("Sessions"), Path: "/sessions"},
	}},
	{msg("Sign-in"), []navItem{
		{Title: msg("Apps"), Path: "/clients"},
		{Title: msg("SAML services"), Path: "/saml"},
		{Title: msg("Providers"), Path: "/providers"},
		{Title: msg("Forward-auth"), Path: "/forward-auth"},
	}},
	{msg("Server"), []navItem{
		{Title: msg("Audit log"), Path: "/audit"},
		{Title: msg("Webhooks"), Path: "/webhooks"},
		{Title: msg("Keys"), Path: "/keys"},
		{Title: msg("Mail"), Path: "/mail"},
		{Title: msg("Backup"), Path: "/backup"},
		{Title: msg("Branding"), Path: "/branding"},
		{Title: msg("Settings"), Path: "/settings"},
	}},
}

// Who may open what of an organization.
var (
	orgInsiders = []org.Role{org.Owner, org.Admin, org.Member}
	orgManagers = []org.Role{org.Owner, org.Admin}
)

// orgNavigation is that of an organization, below /organizations/{id}.
var orgNavigation = navigation{
	{"", []navItem{
		{Title: msg("Overview"), Path: ""},
		{Title: msg("Members"), Path: "/members", For: orgInsiders},
		{Title: msg("Invitations"), Path: "/invitations", For: orgManagers},
		{Title: msg("Second factor"), Path: "/security", For: orgManagers},
	}},
	{msg("Sign-in"), []navItem{
		{Title: msg("Apps"), Path: "/apps", For: orgManagers},
		{Title: msg("SAML services"), Path: "/saml", For: orgManagers},
		{Title: msg("Providers"), Path: "/providers", For: orgManagers},
		{Title: msg("Domains"), Path: "/domains", For: orgManagers},
	}},
	{"", []navItem{
		{Title: msg("Audit log"), Path: "/audit", For: orgManagers},
		{Title: msg("API tokens"), Path: "/tokens", For: orgManagers},
		{Title: msg("Settings"), Path: "/settings", For: orgManagers},
	}},
}

// accountNavigation is that of someone's own account, below /account.
var accountNavigation = navigation{
	{"", []navItem{
		{Title: msg("Overview"), Path: ""},
		{Title: msg("Profile"), Path: "/profile"},
		{Title: msg("Security"), Path: "/security"},
		{Title: msg("Sessions"), Path: "/sessions"},
		{Title: msg("Apps"), Path: "/apps"},
		{Title: msg("API tokens"), Path: "/tokens"},
		{Title: msg("Organizations"), Path: "/organizations"},
		{Title: msg("Activity"), Path: "/activity"},
		{Title: msg("Your data"), Path: "/data"},
	}},
}

// at is the navigation with the one item marked that leads to path, or nearest
// to it.
func (n navigation) at(root, path string) []navGroup {
	groups := make([]navGroup, len(n))
	var nearest *navItem
	for i, g := range n {
		groups[i] = navGroup{g.Title, make([]navItem, len(g.Items))}
		for k, item := range g.Items {
			item.Path = root + item.Path
			groups[i].Items[k] = item
			at := &groups[i].Items[k]
			if (path == item.Path || strings.HasPrefix(path, item.Path+"/")) &&
				(nearest == nil || len(item.Path) > len(nearest.Path)) {
				nearest = at
			}
		}
	}
	if nearest != nil {
		nearest.Below = true
	}
	return groups
}

// of is the navigation without what a role may not open.
func (n navigation) of(role org.Role) navigation {
	var out navigation
	for _, g := range n {
		g.Items = slices.DeleteFunc(slices.Clone(g.Items), func(item navItem) bool {
			return len(item.For) > 0 && !slices.Contains(item.For, role)
		})
		if len(g.Items) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// console answers with a page of the console: the template name, with data in
// the midst of area.
func (wb *Web) console(
	w http.ResponseWriter, r *http.Request, status int, area consoleView, name, title string, data any,
) {
	wb.consoleWith(w, r, status, area, name, title, data, foreign{})
}

// consoleWith is [Web.console] for a page that has to do with other origins.
func (wb *Web) consoleWith(
	w http.ResponseWriter, r *http.Request, status int, area consoleView, name, title string, data any, f foreign,
) {
	left := wb.carried(w, r)
	area.Notice, area.Secret, area.SetBy = left.Notice, left.Secret, wb.setBy(r, data)
	v := wb.view(r, title, data)
	v.Console = &area
	if f.logo == "" {
		f.logo = area.Logo
	}
	wb.pages.renderWith(w, r, status, name, v, f)
}

// personal is a handler for who is signed in.
type personal func(w http.ResponseWriter, r *http.Request, id *session.Identity) error

// errNotAdmin is what others are told of the pages of the administration.
var errNotAdmin = fault.New(fault.Forbidden, "forbidden",
	"This page is for administrators of the server. If you should be one, ask another administrator.")

// admin lets through who administers the server, and has the second factor that
// they must have.
func (wb *Web) admin(h personal) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := wb.full(w, r)
		if err != nil || id == nil {
			return err
		}
		if !id.User.IsAdmin {
			return errNotAdmin
		}
		return h(w, r, id)
	}
}

// adminPage answers with a page of the administration.
func (wb *Web) adminPage(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	area := consoleView{Area: msg("Administration"), Groups: adminNavigation.at("/admin", r.URL.Path)}
	wb.console(w, r, status, area, name, title, data)
}

// ownPage answers with a page of someone's account.
func (wb *Web) ownPage(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	wb.ownPageWith(w, r, status, name, title, data, foreign{})
}

// ownPageWith is [Web.ownPage] for a page that has to do with other origins.
func (wb *Web) ownPageWith(
	w http.ResponseWriter, r *http.Request, status int, name, title string, data any, f foreign,
) {
	area := consoleView{Area: msg("Your account"), Groups: accountNavigation.at("/account", r.URL.Path)}
	wb.consoleWith(w, r, status, area, name, title, data, f)
}

// within is a handler for a member of the organization that the path names as id.
type within func(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error

// member lets members of an organization through, and shows others that there
// is none.
func (wb *Web) member(h within) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := wb.full(w, r)
		if err != nil || id == nil {
			return err
		}
		o, err := wb.Orgs.Show(r.Context(), id.Actor(actor(r)), param(r, "id"))
		if err != nil {
			return err
		}
		return h(w, r, id, o)
	}
}

// manager is [Web.member] for who manages the organization.
func (wb *Web) manager(h within) handler {
	return wb.member(func(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
		if o.Role != org.Owner && o.Role != org.Admin {
			return org.ErrRole
		}
		return h(w, r, id, o)
	})
}

// orgPage answers with a page of an organization.
func (wb *Web) orgPage(
	w http.ResponseWriter, r *http.Request, status int, o *org.View, name, title string, data any,
) {
	wb.console(w, r, status, wb.orgArea(r, o), name, title, data)
}

// orgArea is the area of an organization, as far as the reader may see it.
func (wb *Web) orgArea(r *http.Request, o *org.View) consoleView {
	root, path := "/organizations/"+o.Organization.ID, r.URL.Path
	if of, ok := orgBelow[strings.TrimPrefix(path, root)]; ok {
		path = root + of
	}
	return consoleView{
		Area: o.Organization.Name, Named: true, Logo: o.Organization.LogoURL,
		Groups: orgNavigation.of(o.Role).at(root, path),
	}
}

// orgBelow are the pages that belong to another in the navigation, by that.
var orgBelow = map[string]string{"/invite": "/invitations", "/new-token": "/tokens", "/delete": "/settings"}

// param is the part of the path of r that the route calls name.
func param(r *http.Request, name string) string {
	return httprouter.ParamsFromContext(r.Context()).ByName(name)
}
