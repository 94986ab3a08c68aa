package web

import (
	"net/http"

	"authy/server/login"
	"authy/server/session"
)

const panicPath = securityPath + "/end-all"

// endAllPage is the data of page "end_all", which says the same to everyone.
type endAllPage struct{}

// endAll ends all that is open in an account.
var endAll = change{msg("End everything that is open"), msg("End everything"), false, false, (*Web).endEverything}

// showEndAll says what that does.
func (wb *Web) showEndAll(w http.ResponseWriter, r *http.Request, _ *session.Identity) error {
	wb.pages.render(w, r, http.StatusOK, "end_all", wb.view(r, "End everything that is open", endAllPage{}))
	return nil
}

// endEverything ends all that is open in the account of someone who has proved who
// they are, also here.
func (wb *Web) endEverything(w http.ResponseWriter, r *http.Request, id *session.Identity, in login.Again) error {
	if err := wb.Login.Panic(r.Context(), id.Actor(actor(r)), id, in); err != nil {
		return err
	}
	wb.clearCookie(w, sessionCookie)
	redirect(w, r, "/account/ended")
	return nil
}
