package web

import (
	"errors"
	"net/http"
	"strings"

	"authy/server/account"
	"authy/server/fault"
	"authy/server/login"
	"authy/server/session"
	"authy/server/steady"
)

// changePasswordPath is the page on which a password is changed.
const changePasswordPath = "/account/password"

// passwordPage is the data of page "change_password".
type passwordPage struct {
	Email, Problem string
	Fields         map[string]string // problems by the name of their field
	Recovering     bool              // the password there is need not be known
}

// NewPassword is the data of its part.
func (p passwordPage) NewPassword() newPassword {
	return newPassword{msg("New password"), p.Recovering, p.Fields}
}

// newPassword is the data of part "new-password", which asks for one twice.
type newPassword struct {
	Label  string
	Focus  bool
	Fields map[string]string // problems by the name of their field
}

// MinLength is the least length of a password.
func (newPassword) MinLength() int { return account.MinPassword }

// firstToFill is the first of the named fields when nothing is filled, and else the first
// with a problem; if none of them has one it is the password, which is empty again.
func firstToFill(problems map[string]string, fields ...string) string {
	if len(problems) == 0 {
		return fields[0]
	}
	for _, field := range fields {
		if problems[field] != "" {
			return field
		}
	}
	return "password"
}

// unlike is the problem of two passwords that are not the same.
func unlike() map[string]string {
	return map[string]string{"password_confirm": msg("Passwords do not match")}
}

// problemsAt is what is wrong, by the names of the fields.
func problemsAt(f *fault.Error) map[string]string {
	problems := map[string]string{}
	for name, all := range f.Fields {
		problems[name] = strings.Join(all, " ")
	}
	return problems
}

// findPassword leads password managers to the page
// (W3C, A Well-Known URL for Changing Passwords).
func (wb *Web) findPassword(w http.ResponseWriter, r *http.Request) error {
	redirect(w, r, changePasswordPath)
	return nil
}

func (wb *Web) showPassword(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	return wb.renderPassword(w, r, http.StatusOK, id, passwordPage{})
}

func (wb *Web) renderPassword(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, page passwordPage,
) error {
	page.Email, page.Recovering = id.User.Email, login.IsRecovering(id, steady.Now())
	wb.pages.render(w, r, status, "change_password", wb.view(r, "Change your password", page))
	return nil
}

// changePassword makes what was typed the password.
func (wb *Web) changePassword(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	form := r.PostForm
	if form.Get("password") != form.Get("password_confirm") {
		return wb.renderPassword(w, r, http.StatusBadRequest, id,
			passwordPage{Fields: unlike()})
	}
	err = wb.Login.ChangePassword(r.Context(), id.Actor(actor(r)), id, form.Get("current_password"), form.Get("password"))
	if err == nil {
		return wb.done(w, r, securityPath,
			wb.say(r, "Your password is changed. Everything else that was signed in is signed out."))
	}
	f, told := fault.In(r.Context(), err)
	if !told || f.Kind == fault.Internal {
		return err
	}
	setRetryAfter(w, f)
	return wb.renderPassword(w, r, statuses[f.Kind], id, passwordRefused(f))
}

// passwordRefused says at its field why a password was not changed.
func passwordRefused(f *fault.Error) passwordPage {
	switch {
	case f.Fields["new_password"] != nil:
		return passwordPage{Fields: map[string]string{"password": strings.Join(f.Fields["new_password"], " ")}}
	case errors.Is(f, account.ErrWrongPassword):
		return passwordPage{Fields: map[string]string{"current_password": msg("This is not your password.")}}
	case errors.Is(f, account.ErrNoPassword):
		return passwordPage{Problem: msg("You have no password yet. Sign out, and choose one by “Forgot your password?”.")}
	}
	return passwordPage{Problem: f.Error()}
}
