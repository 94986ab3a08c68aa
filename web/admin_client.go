package web

import (
	"net/http"
	"net/url"
	"strings"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/recipe"
	"authy/server/registry"
	"authy/server/session"
)

// clientsOnPage is how many clients a page lists.
const clientsOnPage = 25

// appsArea is where clients are looked after: all of them by who administers the server, or those
// of an organization by who manages it. The pages are the same.
type appsArea struct {
	root  string      // "/admin/clients", or "/organizations/ID/apps"
	orgID string      // "" for all
	slug  string      // that of the organization
	by    audit.Actor // whoever asks
	admin bool
	page  func(w http.ResponseWriter, r *http.Request, status int, name, title string, data any)
}

// appsHandler is a handler of an area.
type appsHandler func(w http.ResponseWriter, r *http.Request, a *appsArea) error

// ofAdmin has h look after every client.
func (wb *Web) ofAdmin(h appsHandler) handler {
	return wb.admin(func(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
		return h(w, r, &appsArea{root: "/admin/clients", by: id.Actor(actor(r)), admin: true, page: wb.adminPage})
	})
}

// ofOrg has h look after the clients of an organization.
func (wb *Web) ofOrg(h appsHandler) handler {
	return wb.manager(func(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
		return h(w, r, &appsArea{
			root: "/organizations/" + o.Organization.ID + "/apps", orgID: o.Organization.ID, slug: o.Organization.Slug, by: id.Actor(actor(r)),
			page: func(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
				wb.orgPage(w, r, status, o, name, title, data)
			},
		})
	})
}

// registerAdminClients mounts the pages about clients, of both areas.
func (wb *Web) registerAdminClients(get, post func(path string, h handler)) {
	for root, in := range map[string]func(appsHandler) handler{
		"/admin/clients": wb.ofAdmin, "/organizations/:id/apps": wb.ofOrg,
	} {
		get(root, in(wb.listClients))
		get(root+"/new", in(wb.chooseRecipe))
		get(root+"/new/:app", in(wb.showNewClient))
		post(root+"/new/:app", in(wb.addClient))
		one := root + "/app/:client"
		get(one, in(wb.showClient))
		get(one+"/settings", in(wb.showClientSettings))
		post(one+"/settings", in(wb.changeClient))
		get(one+"/secret", in(wb.showClientSecret))
		post(one+"/secret", in(wb.rotateClientSecret))
		get(one+"/preview", in(wb.previewClient))
		get(one+"/problems", in(wb.showClientProblems))
		get(one+"/disable", in(wb.confirmClientAct))
		get(one+"/delete", in(wb.confirmClientAct))
		post(one+"/disable", in(wb.disableClient))
		post(one+"/enable", in(wb.enableClient))
		post(one+"/delete", in(wb.deleteClient))
	}
	get("/admin/clients/app/:client/sign-outs", wb.ofAdmin(wb.showClientLogouts))
	wb.registerAdminRegistration(get, post)
}

// clientsPage is the data of page "admin_clients".
type clientsPage struct {
	Root, Search string
	Registration bool // whether clients may register themselves, and the reader looks after that
	Clients      []clientRow
	Pager        pagerView
	CLI          cliPart
}

// clientRow is a client in the list.
type clientRow struct {
	ID, Name, App            string // App is the name of its recipe
	Path                     string
	Public, Itself, Disabled bool
	OfOrganization           bool // it belongs to one, which the area does not say already
	Allowed                  []string
}

func (wb *Web) listClients(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	text, after := askedText(r.URL.Query().Get("q")), askedKey(r.URL.Query().Get("after"))
	clients, next, err := wb.Clients.Managed(r.Context(), a.by, a.orgID, text, after, clientsOnPage)
	if err != nil {
		return err
	}
	page := clientsPage{
		Root: a.root, Search: text, Registration: a.admin && wb.Clients.Dynamic.Enabled(),
		CLI: cliWith([]string{"authy client list"}, [][2]string{{"--org", a.slug}, {"--search", text}}),
	}
	for i := range clients {
		page.Clients = append(page.Clients, a.rowOf(&clients[i]))
	}
	if next != "" {
		page.Pager.Next = a.root + "?" + url.Values{"q": {text}, "after": {next}}.Encode()
	}
	if after != "" {
		page.Pager.Back = a.root + "?" + url.Values{"q": {text}}.Encode()
	}
	a.page(w, r, http.StatusOK, "admin_clients", msg("Apps"), page)
	return nil
}

func (a *appsArea) rowOf(c *registry.Client) clientRow {
	row := clientRow{
		ID: c.ClientID, Name: c.Name, Path: a.of(c.ClientID), Public: registry.IsPublic(c), Itself: registry.IsDynamic(c),
		Disabled: !c.IsActive, OfOrganization: a.orgID == "" && c.OrganizationID != "", Allowed: allowedWords(c.Allowed),
	}
	if from := recipe.Of(c); from != nil {
		row.App = from.Name
	}
	return row
}

// of is the path of a client.
func (a *appsArea) of(clientID string) string { return a.root + "/app/" + url.PathEscape(clientID) }

// cli is a command, with what it is about and in which organization where it asks for these.
func (a *appsArea) cli(command, about string) cliPart {
	words := []string{command}
	if about != "" {
		words = append(words, about)
	}
	return cliWith(words, [][2]string{{"--org", a.slug}})
}

// askedText is a text of a query that can be asked for, "" for another.
func askedText(text string) string {
	text = strings.TrimSpace(text)
	if !registry.IsPlain(text) || len(text) > 512 {
		return ""
	}
	return text
}

// allowedWords says who may use a client, in words to be translated.
func allowedWords(allowed []string) []string {
	out := make([]string, len(allowed))
	for i, who := range allowed {
		out[i] = allowedWord(who)
	}
	return out
}

func allowedWord(who string) string {
	switch who {
	case registry.AllowEveryone:
		return msg("Everyone")
	case registry.AllowOrganization:
		return msg("Everyone in the organization")
	case registry.AllowRole + "owner":
		return msg("Owners")
	case registry.AllowRole + "admin":
		return msg("Admins")
	case registry.AllowRole + "member":
		return msg("Members")
	case registry.AllowRole + "guest":
		return msg("Guests")
	}
	return who
}
