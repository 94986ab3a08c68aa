package web

import (
	"net/http"
	"net/url"
	"slices"

	"authy/server/openid"
	"authy/server/registry"
	"authy/server/session"
)

// removeAppPage is the data of page "remove_app".
type removeAppPage struct{ App appView }

// accountAppsPage is the data of page "account_apps".
type accountAppsPage struct {
	Apps  []appView  // let in by the reader
	Given []appView  // let in by the operator
	Left  []leftView // told that a session has ended
}

// showApps shows somebody the applications that have something of them.
func (wb *Web) showApps(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	all, err := wb.OpenID.Apps(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	var page accountAppsPage
	for _, one := range all {
		if one.Since.IsZero() {
			page.Given = append(page.Given, wb.appOf(one))
			continue
		}
		page.Apps = append(page.Apps, wb.appOf(one))
	}
	if page.Left, err = wb.left(r, id.User.ID); err != nil {
		return err
	}
	wb.ownPageWith(w, r, http.StatusOK, "account_apps", "Apps", page, foreign{logos: logosOf(page.Apps, page.Given)})
	return nil
}

// maxLogos is how long the logos of a page are in its content policy, in bytes: proxies take no
// headers of more than a few thousand.
const maxLogos = 2000

// logosOf are the addresses of the logos of applications, each once. Those that there is no room
// for are taken from their applications.
func logosOf(lists ...[]appView) (out []string) {
	room := maxLogos
	for _, apps := range lists {
		for i := range apps {
			logo := &apps[i].Logo
			if *logo == "" || slices.Contains(out, *logo) {
				continue
			}
			source := logoSource(*logo)
			if len(source) > room {
				*logo = ""
				continue
			}
			room -= len(source)
			out = append(out, *logo)
		}
	}
	return out
}

func (wb *Web) appOf(c openid.Connection) appView {
	view := appView{ID: c.Client.ClientID, Name: c.Client.Name, Since: c.Since, Home: homeOf(c.Client, wb.Accounts.PublicURL)}
	if logoSource(c.Client.LogoURI) != "" {
		view.Logo = c.Client.LogoURI
	}
	for _, scope := range c.Scopes {
		view.Scopes = append(view.Scopes, openid.Describe(scope).Title)
	}
	if u, err := url.Parse(c.Client.ClientURI); err == nil {
		view.Host = u.Host
	}
	return view
}

// homeOf is where an application is opened: where it begins a sign-in by this issuer
// (OpenID Connect Core 1.0, section 4), or else its home page.
func homeOf(c *registry.Client, issuer string) string {
	if u, ok := webPage(c.Options.InitiateLoginURI); ok {
		query := u.Query()
		query.Set("iss", issuer)
		u.RawQuery = query.Encode()
		return u.String()
	}
	if u, ok := webPage(c.ClientURI); ok {
		return u.String()
	}
	return ""
}

// webPage reads the address of a page on the web.
func webPage(address string) (*url.URL, bool) {
	u, err := url.Parse(address)
	return u, err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// showRemoveApp asks whether someone really wants to shut an application out.
func (wb *Web) showRemoveApp(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	apps, err := wb.OpenID.Connections(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(apps, func(c openid.Connection) bool { return c.Client.ClientID == r.Form.Get("id") })
	if i < 0 {
		return openid.ErrNoConsent
	}
	wb.pages.render(w, r, http.StatusOK, "remove_app", wb.view(r, "Remove an app", removeAppPage{wb.appOf(apps[i])}))
	return nil
}

// removeApp takes back what someone let an application have.
func (wb *Web) removeApp(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	if err := wb.OpenID.RevokeConsent(r.Context(), id.Actor(actor(r)), r.PostForm.Get("id")); err != nil {
		return err
	}
	return wb.done(w, r, appsPath, wb.say(r, "The app can no longer use your account."))
}
