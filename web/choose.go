package web

import (
	"net/http"
	"slices"
	"strings"

	"authy/server/login"
)

// choosePage is the data of page "choose_account".
type choosePage struct {
	Flow              string
	Client            clientView
	ID, Name, Account string // of who is signed in
	Others            []knownView
}

// showChoice asks with which account someone goes on.
func (wb *Web) showChoice(w http.ResponseWriter, r *http.Request) error {
	flow := r.Form.Get("flow")
	q, r, err := wb.question(r, flow)
	if err != nil {
		return err
	}
	if q.Identity == nil {
		redirect(w, r, login.PageOf("/sign-in", flow))
		return nil
	}
	user := q.Identity.User
	v := wb.view(r, "Choose an account", choosePage{
		Flow: flow, Client: *clientOf(q), ID: user.ID, Name: user.FullName, Account: user.Email,
		Others: slices.DeleteFunc(knownViews(flow, wb.known(r)), func(one knownView) bool {
			return strings.EqualFold(one.Email, user.Email)
		}),
	})
	v.Signed = nil
	wb.pages.renderWith(w, r, http.StatusOK, "choose_account", v, foreignOf(q))
	return nil
}

// choose goes on with the account that is signed in.
func (wb *Web) choose(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	next, err := wb.Login.Choose(r.Context(), actor(r), wb.browser(r), form.Get("flow"), form.Get("account"))
	if err != nil {
		return err
	}
	wb.follow(w, r, next)
	return nil
}
