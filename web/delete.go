package web

import (
	"net/http"
	"strings"

	"authy/server/account"
	"authy/server/fault"
	"authy/server/login"
	"authy/server/session"
)

// deletePage is the data of page "delete_account".
type deletePage struct{ Email, Problem string }

// dropAccount deletes an account.
var dropAccount = change{msg("Delete your account"), msg("Delete it for good"), true, true, (*Web).deleteAccount}

func (wb *Web) showDelete(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	return wb.renderDelete(w, r, http.StatusOK, id, "")
}

func (wb *Web) renderDelete(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, problem string,
) error {
	wb.pages.render(w, r, status, "delete_account",
		wb.view(r, "Delete your account", deletePage{id.User.Email, problem}))
	return nil
}

// confirmDelete lets only those go on who have typed their address.
func (wb *Web) confirmDelete(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	if !strings.EqualFold(strings.TrimSpace(r.PostForm.Get("email")), id.User.Email) {
		return wb.renderDelete(w, r, http.StatusBadRequest, id, msg("This is not your address. Nothing was deleted."))
	}
	return wb.change(dropAccount)(w, r)
}

// deleteAccount deletes the account of someone who has proved who they are.
func (wb *Web) deleteAccount(w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error {
	err := wb.Login.CloseAccount(r.Context(), id.Actor(actor(r)), id, in)
	if f, told := fault.In(r.Context(), err); told && f.Kind == fault.Conflict {
		return wb.renderDelete(w, r, statuses[f.Kind], id, deleteRefused(f))
	}
	if err != nil {
		return err
	}
	wb.clearCookie(w, sessionCookie)
	redirect(w, r, "/account/deleted")
	return nil
}

// deleteRefused says what has to be done before.
func deleteRefused(f *fault.Error) string {
	switch {
	case f.Is(account.ErrLastOwner):
		return msg("You are the only owner of an organization. Make someone else its owner, or delete it; then come back.")
	case f.Is(account.ErrLastAdmin):
		return msg("You are the only administrator of this server. Make someone else one; then come back.")
	}
	return f.Error()
}
