package web

import (
	"net/http"
	"slices"
	"strings"

	"authy/server/openid"
)

// authorize answers a client's authorization request
// (OpenID Connect Core 1.0, section 3.1.2).
func (wb *Web) authorize(w http.ResponseWriter, r *http.Request) error {
	next, err := wb.Login.Authorize(r.Context(), actor(r), wb.browser(r), r.URL.Query())
	if err != nil {
		return err
	}
	wb.follow(w, r, next)
	return nil
}

// maxQuery is the longest query that every proxy and browser carries, in bytes.
const maxQuery = 4 << 10

// authorizeByForm takes a request that was posted from the client's origin.
// The browser sends no cookies with that, but does when it comes again: by GET,
// or, with what is too long for an address, by a form of our own.
func (wb *Web) authorizeByForm(w http.ResponseWriter, r *http.Request) error {
	const again = "authy_again"
	if r.PostForm.Has(again) {
		next, err := wb.Login.Authorize(r.Context(), actor(r), wb.browser(r), r.PostForm)
		if err != nil {
			return err
		}
		wb.follow(w, r, next)
		return nil
	}
	if query := r.PostForm.Encode(); len(query) <= maxQuery {
		redirect(w, r, openid.AuthorizePath+"?"+query)
		return nil
	}
	r.PostForm.Set(again, "yes")
	// Where the answer will lead is not known yet, and the form is our own.
	wb.post(w, r, openid.AuthorizePath, r.PostForm, anywhere)
	return nil
}

// showConsent asks whether the client may have what it wants.
func (wb *Web) showConsent(w http.ResponseWriter, r *http.Request) error {
	flow := r.Form.Get("flow")
	q, r, err := wb.question(r, flow)
	if err != nil {
		return err
	}
	if q.Identity == nil {
		redirect(w, r, "/sign-in?flow="+flow)
		return nil
	}
	if q.Request.Device != nil {
		wb.renderDeviceAllow(w, r, flow, q)
		return nil
	}
	host, source := target(q.Request.RedirectURI)
	page := consentPage{Flow: flow, Client: *clientOf(q), RedirectHost: host, Email: q.Identity.User.Email}
	if host == "" {
		page.RedirectApp = strings.TrimSuffix(source, ":")
	}
	asked := q.Request.Asked()
	for _, name := range asked {
		scope := scopeOf(name)
		// What is new stands out only where something is known already.
		scope.New = slices.Contains(q.Missing, name) && len(q.Missing) < len(asked)
		page.Scopes = append(page.Scopes, scope)
	}
	wb.pages.renderWith(w, r, http.StatusOK, "consent", wb.view(r, "Allow access", page), foreignOf(q))
	return nil
}

// scopeOf says a scope in words.
func scopeOf(name string) scopeView {
	s := openid.Describe(name)
	return scopeView{Name: s.Name, Title: s.Title, Detail: s.Detail, Own: s.Own}
}

// consent takes the answer.
func (wb *Web) consent(w http.ResponseWriter, r *http.Request) error {
	allow := r.PostForm.Get("decision") == "allow"
	next, err := wb.Login.Consent(r.Context(), actor(r), wb.browser(r), r.PostForm.Get("flow"), allow)
	if err != nil {
		return err
	}
	wb.follow(w, r, next)
	return nil
}
