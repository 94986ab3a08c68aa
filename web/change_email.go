package web

import (
	"net/http"
	"strings"

	"authy/server/fault"
	"authy/server/login"
	"authy/server/session"
)

// emailPage is the data of page "change_email".
type emailPage struct {
	Email, New, Problem string
	Mail                bool // whether links are mailed
}

// newEmail asks for a link to another address.
var newEmail = change{msg("Change your address"), msg("Continue"), false, true, (*Web).changeEmail}

func (wb *Web) showEmail(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	return wb.renderEmail(w, r, http.StatusOK, id, emailPage{})
}

func (wb *Web) renderEmail(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, page emailPage,
) error {
	page.Email, page.Mail = id.User.Email, wb.Accounts.Mail.Enabled()
	wb.pages.render(w, r, status, "change_email", wb.view(r, "Change your address", page))
	return nil
}

// changeEmail has a link mailed to the address that someone wants.
func (wb *Web) changeEmail(w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error {
	email := r.PostForm.Get("email")
	err := wb.Login.ChangeEmail(r.Context(), id.Actor(actor(r)), id, in, email)
	if err == nil {
		return wb.done(w, r, profilePath,
			wb.say(r, "A link is on its way to the new address. Your address changes when you follow it."))
	}
	f, told := fault.In(r.Context(), err)
	if !told || f.Kind != fault.Invalid && f.Kind != fault.Conflict {
		return err
	}
	problem := f.Error()
	if texts := f.Fields["email"]; texts != nil {
		problem = strings.Join(texts, " ")
	}
	return wb.renderEmail(w, r, statuses[f.Kind], id, emailPage{New: email, Problem: problem})
}

// sendVerification has a link mailed that confirms the address of someone.
func (wb *Web) sendVerification(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	if err := wb.Login.SendVerification(r.Context(), id.Actor(actor(r)), id); err != nil {
		return err
	}
	return wb.done(w, r, profilePath,
		wb.say(r, "A link is on its way to %s. Your address is confirmed when you follow it.", id.User.Email))
}
