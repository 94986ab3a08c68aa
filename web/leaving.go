package web

import (
	"html/template"
	"net/http"

	"authy/server/login"
)

// leavingView is the session at a provider from which one here came, for the page
// that says that this one has ended.
type leavingView struct {
	Provider string
	// Wanted says that the browser goes there, unless somebody says otherwise.
	Wanted bool
	URL    template.URL
	Fields []hiddenField // what it posts there; none if it only goes there
	Onward template.URL  // where the application is that is gone to then; "" for none
	App    string        // the name of the application; "" if it is not known
}

// leavingOf describes how to leave a provider, and where one goes on; nil if there is
// none to leave.
func leavingOf(up *login.Leaving, onward string, client *clientView) *leavingView {
	if up == nil {
		return nil
	}
	view := &leavingView{
		Provider: up.Provider, Wanted: up.Wanted, URL: onwardURL(up.Request.URL), Fields: hiddenFields(up.Request.Form),
		Onward: template.URL(onward), //nolint:gosec // the client has registered it, letter by letter
	}
	if client != nil {
		view.App = client.Name
	}
	return view
}

// leaveThere keeps by what a browser is known that comes back from a provider, and
// posts to the provider at once if there is nothing to be read before. It says
// whether it did.
func (wb *Web) leaveThere(w http.ResponseWriter, r *http.Request, out login.SignedOut, onward string) bool {
	up := out.Upstream
	if up == nil {
		return false
	}
	if up.Secret != "" {
		wb.setCookie(w, browserCookie, up.Secret, nil)
	}
	if !up.Wanted || up.Request.Form == nil || onward != "" || len(out.Frames) > 0 {
		return false
	}
	wb.post(w, r, up.Request.URL, up.Request.Form, anywhere)
	return true
}

// showSignedOut says that nobody is signed in any more. Who comes back from a
// provider may have somewhere to go.
func (wb *Web) showSignedOut(w http.ResponseWriter, r *http.Request) error {
	if state := r.Form.Get("state"); state != "" {
		onward, err := wb.Login.LeftThere(r.Context(), wb.browser(r), state)
		if err != nil {
			return err
		}
		if onward != "" {
			redirect(w, r, onward)
			return nil
		}
	}
	wb.pages.render(w, r, http.StatusOK, "signed_out", wb.view(r, "Signed out", signedOutPage{}))
	return nil
}
