package web

import (
	"net/http"
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
	Notice string // what has just been done
	Secret string // what has just been made and is shown this once
}

// navGroup is a part of the navigation, under a title if it has one.
type navGroup struct {
	Title string
	Items []navItem
}

// navItem leads to a page. Below says that it is the one that is shown, or leads
// to it.
type navItem struct {
	Title, Path string
	Below       bool
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
	}},
	{msg("Server"), []navItem{
		{Title: msg("Audit log"), Path: "/audit"},
		{Title: msg("Keys"), Path: "/keys"},
		{Title: msg("Mail"), Path: "/mail"},
		{Title: msg("Branding"), Path: "/branding"},
		{Title: msg("Settings"), Path: "/settings"},
	}},
}

// orgNavigation is that of who manages an organization, below /organizations/{id}.
var orgNavigation = navigation{
	{"", []navItem{
		{Title: msg("Overview"), Path: ""},
		{Title: msg("Members"), Path: "/members"},
		{Title: msg("Invitations"), Path: "/invitations"},
		{Title: msg("Second factor"), Path: "/security"},
	}},
	{msg("Sign-in"), []navItem{
		{Title: msg("Apps"), Path: "/apps"},
		{Title: msg("SAML services"), Path: "/saml"},
		{Title: msg("Providers"), Path: "/providers"},
		{Title: msg("Domains"), Path: "/domains"},
	}},
	{"", []navItem{{Title: msg("Audit log"), Path: "/audit"}, {Title: msg("Settings"), Path: "/settings"}}},
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

// console answers with a page of the console: the template name, with data in
// the midst of area.
func (wb *Web) console(
	w http.ResponseWriter, r *http.Request, status int, area consoleView, name, title string, data any,
) {
	left := wb.carried(w, r)
	area.Notice, area.Secret = left.Notice, left.Secret
	v := wb.view(r, title, data)
	v.Console = &area
	wb.pages.render(w, r, status, name, v)
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
	area := consoleView{Area: msg("Your account"), Groups: accountNavigation.at("/account", r.URL.Path)}
	wb.console(w, r, status, area, name, title, data)
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
	root := "/organizations/" + o.Organization.ID
	wb.console(w, r, status, consoleView{
		Area: o.Organization.Name, Named: true, Groups: orgNavigation.at(root, r.URL.Path),
	}, name, title, data)
}

// param is the part of the path of r that the route calls name.
func param(r *http.Request, name string) string {
	return httprouter.ParamsFromContext(r.Context()).ByName(name)
}
