package web

import (
	"net/http"
	"net/url"
	"slices"

	"authy/server/openid"
)

// removeAppPage is the data of page "remove_app".
type removeAppPage struct{ App appView }

func appOf(c openid.Connection) appView {
	view := appView{ID: c.Client.ClientID, Name: c.Client.Name, Since: c.Since}
	for _, scope := range c.Scopes {
		view.Scopes = append(view.Scopes, openid.Describe(scope).Title)
	}
	if u, err := url.Parse(c.Client.ClientURI); err == nil {
		view.Host = u.Host
	}
	return view
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
	wb.pages.render(w, r, http.StatusOK, "remove_app", wb.view(r, "Remove an app", removeAppPage{appOf(apps[i])}))
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
	return wb.done(w, r, "The app can no longer use your account.")
}
