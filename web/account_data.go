package web

import (
	"net/http"

	"authy/server/session"
)

// accountDataPage is the data of page "account_data".
type accountDataPage struct{ Email string }

// showData shows somebody what they can do with all that is kept about them.
func (wb *Web) showData(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	wb.ownPage(w, r, http.StatusOK, "account_data", "Your data", accountDataPage{id.User.Email})
	return nil
}
