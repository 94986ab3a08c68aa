package web

import (
	"net/http"

	"authy/server/account"
	"authy/server/fault"
)

// showSetup asks for the first administrator.
func (wb *Web) showSetup(w http.ResponseWriter, r *http.Request) error {
	token := r.Form.Get("token")
	if err := wb.Accounts.CheckSetupLink(r.Context(), token); err != nil {
		return err
	}
	return wb.renderSetup(w, r, http.StatusOK, setupPage{Token: token})
}

func (wb *Web) renderSetup(w http.ResponseWriter, r *http.Request, status int, page setupPage) error {
	wb.pages.render(w, r, status, "setup", wb.view(r, "Set up authy", page))
	return nil
}

// setup makes the first administrator and signs them in.
func (wb *Web) setup(w http.ResponseWriter, r *http.Request) error {
	form := r.PostForm
	page := setupPage{Token: form.Get("token"), Email: form.Get("email"), FullName: form.Get("full_name")}
	in := account.NewUser{
		Email: page.Email, FullName: page.FullName, Password: form.Get("password"), EmailVerified: true,
	}
	if in.Password != form.Get("password_confirm") {
		page.Fields = unlike()
		return wb.renderSetup(w, r, http.StatusBadRequest, page)
	}
	result, err := wb.Login.Setup(r.Context(), actor(r), page.Token, in)
	if f, ok := fault.In(r.Context(), err); ok && f.Fields != nil {
		page.Fields = problemsAt(f)
		return wb.renderSetup(w, r, http.StatusBadRequest, page)
	}
	if err != nil {
		return err
	}
	wb.keep(w, result)
	wb.keepSetup(w, []string{"begun"})
	redirect(w, r, setupNextPath)
	return nil
}
