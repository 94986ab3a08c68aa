package web

import "net/http"

// recoverPage is the data of page "recover": whom a link lets in. Looking at the page
// does nothing, as programs that look at links do.
type recoverPage struct{ Token, Email string }

// showRecover shows whom a link of the operator's lets in.
func (wb *Web) showRecover(w http.ResponseWriter, r *http.Request) error {
	token := r.Form.Get("token")
	email, err := wb.Accounts.CheckRecoveryLink(r.Context(), token)
	if err != nil {
		return err
	}
	wb.pages.render(w, r, http.StatusOK, "recover", wb.view(r, "Get in again", recoverPage{token, email}))
	return nil
}

// recover lets an administrator in by such a link.
func (wb *Web) recover(w http.ResponseWriter, r *http.Request) error {
	next, err := wb.Login.Recover(r.Context(), actor(r), wb.browser(r), r.PostForm.Get("token"))
	if err != nil {
		return err
	}
	wb.follow(w, r, next)
	return nil
}
