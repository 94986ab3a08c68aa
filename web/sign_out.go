package web

import (
	"html/template"
	"net/http"
	"slices"
	"strconv"

	"authy/server/login"
	"authy/server/logout"
	"authy/server/openid"
)

const (
	// maxLeft is how many applications that were signed out of the account page shows.
	maxLeft = 20
	// framePatience is how long the page waits for the frames of applications, in seconds; the
	// script, which can tell when they have loaded, waits no longer either.
	framePatience = 3
)

// asked is the state of an application that the browser signs out of: what came of it only the
// application knows.
const asked = "asked"

// endSessionAtClient answers a client's logout request
// (OpenID Connect RP-Initiated Logout 1.0, section 2).
func (wb *Web) endSessionAtClient(w http.ResponseWriter, r *http.Request) error {
	form := r.URL.Query()
	own := wb.cross.Check(r) == nil
	switch {
	case r.Method == http.MethodPost && !own:
		// The browser sends no cookies with a form of the client's, but does when it comes by GET.
		redirect(w, r, openid.EndSessionPath+"?"+r.PostForm.Encode())
		return nil
	case r.Method == http.MethodPost:
		form = r.PostForm
	}
	r = asksFor(r, form.Get("ui_locales"))
	// Only this server's own page can confirm.
	confirmed := r.Method == http.MethodPost && form.Get("confirm") == "yes"
	step, err := wb.Login.Logout(r.Context(), actor(r), wb.browser(r), form, confirmed)
	if err != nil {
		return err
	}
	var client *clientView
	if step.Client != nil {
		client = &clientView{Name: step.Client.Name, URI: step.Client.ClientURI}
	}
	if step.Ask {
		page := signOutPage{
			State: form.Get("state"), PostLogoutRedirectURI: form.Get("post_logout_redirect_uri"),
			ClientID: form.Get("client_id"), IDTokenHint: form.Get("id_token_hint"), Client: client,
		}
		_, source := target(step.RedirectURL)
		wb.pages.render(w, r, http.StatusOK, "sign_out", wb.view(r, "Sign out", page), source)
		return nil
	}
	wb.signedOut(w, r, step.SignedOut, step.RedirectURL, client)
	return nil
}

// signOut ends the browser's session.
func (wb *Web) signOut(w http.ResponseWriter, r *http.Request) error {
	out, err := wb.Login.SignOut(r.Context(), actor(r), wb.browser(r))
	if err != nil {
		return err
	}
	wb.signedOut(w, r, out, "", nil)
	return nil
}

// signedOut leads on after a session has ended: at once, unless the browser has something to tell
// applications, or the person something to read.
func (wb *Web) signedOut(w http.ResponseWriter, r *http.Request, out login.SignedOut, onward string, client *clientView) {
	wb.clearCookie(w, sessionCookie)
	if wb.leaveThere(w, r, out, onward) {
		return
	}
	if len(out.Frames) == 0 && out.Upstream == nil && (onward != "" || len(out.Receipts) == 0) {
		if onward == "" {
			onward = "/signed-out"
		}
		redirect(w, r, onward)
		return
	}
	page := signedOutPage{Apps: leftOf(out.Receipts), Client: client, Leaving: leavingOf(out.Upstream, onward, client)}
	var origins []string
	for _, f := range out.Frames {
		page.Frames = append(page.Frames, f.URL)
		told := func(one logout.Receipt) bool { return one.Client.ID == f.Client.ID }
		if !slices.ContainsFunc(out.Receipts, told) {
			page.Apps = append(page.Apps, leftView{Name: f.Client.Name, State: asked})
		}
		if !slices.Contains(origins, f.Origin) {
			origins = append(origins, f.Origin)
		}
		if _, own := target(wb.SAMLIDP.EntityID()); f.Answers && !slices.Contains(origins, own) {
			origins = append(origins, own) // a policy holds redirects, too
		}
	}
	page.Onward = template.URL(onward) //nolint:gosec // the client has registered it, letter by letter
	var posts []string
	if up := page.Leaving; up != nil && len(up.Fields) > 0 {
		posts, onward = []string{anywhere}, ""
	} else if up != nil && up.Wanted {
		onward = string(up.URL)
	}
	if onward != "" {
		w.Header().Set("Refresh", strconv.Itoa(framePatience)+"; url="+onward)
	}
	v := wb.view(r, "Signed out", page)
	v.Signed = nil // the cookie of this request is that of the session that has ended
	wb.pages.renderWith(w, r, http.StatusOK, "signed_out", v, foreign{forms: posts, frames: origins})
}

// leftOf describes what applications were told from here.
func leftOf(receipts []logout.Receipt) []leftView {
	views := make([]leftView, len(receipts))
	for i, one := range receipts {
		views[i] = leftView{Name: one.Client.Name, State: one.State, At: one.CreatedAt.Time}
	}
	return views
}

// left describes the applications that a user was signed out of lately.
func (wb *Web) left(r *http.Request, userID string) ([]leftView, error) {
	receipts, err := wb.Logouts.Recent(r.Context(), userID, maxLeft)
	return leftOf(receipts), err
}
