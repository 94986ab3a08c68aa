package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"authy/server/session"
)

// setupNextPage is the data of page "setup_next": what a new server needs next. Every
// step can be left out, and the page comes back to.
type setupNextPage struct {
	Notice           string // what has just been done
	Passkeys, TOTP   bool   // what protects the account
	Mail             bool   // whether mail is set up
	App              bool   // whether there is one
	Address, Relayed bool   // the page that checks has been opened
	Done, All        int    // steps
}

const (
	setupNextPath = "/setup/next"
	// setupFor is how long the header leads back to the steps.
	setupFor = 7 * 24 * time.Hour
)

// setupSteps are the pages that steps lead to, by their names.
var setupSteps = map[string]string{
	"address": "/admin/settings/public-url",
	"mail":    "/admin/mail",
	"app":     "/admin/clients/new",
}

// registerSetup mounts the pages of a new server.
func (wb *Web) registerSetup(get, post func(path string, h handler)) {
	get("/setup", wb.showSetup)
	post("/setup", wb.setup)
	get(setupNextPath, wb.admin(wb.showSetupNext))
	post(setupNextPath, wb.admin(wb.setupStep))
}

// setupSeen are the steps that were opened in this browser; ok says that the
// journey has begun here, and not ended.
func (wb *Web) setupSeen(r *http.Request) (seen []string, ok bool) {
	c, err := r.Cookie(wb.cookieName(setupCookie))
	if err != nil {
		return nil, false
	}
	return strings.Split(c.Value, "."), true
}

// keepSetup has the header lead back to the steps, of which these were opened.
func (wb *Web) keepSetup(w http.ResponseWriter, seen []string) {
	until := time.Now().Add(setupFor)
	wb.setCookie(w, setupCookie, strings.Join(seen, "."), &until)
}

// showSetupNext shows the steps, and which of them are done.
func (wb *Web) showSetupNext(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	page := setupNextPage{Notice: wb.carried(w, r).Notice, Mail: wb.Accounts.Mail.Enabled()}
	passkeys, err := wb.Accounts.Passkeys(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	totp, err := wb.Accounts.TOTPStatus(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	apps, err := wb.Login.Clients.List(r.Context(), id.Actor(actor(r)), "", "", 1)
	if err != nil {
		return err
	}
	seen, going := wb.setupSeen(r)
	if !going { // who comes by themselves begins anew
		wb.keepSetup(w, []string{"begun"})
	}
	page.Passkeys, page.TOTP, page.App = len(passkeys) > 0, totp.Enabled, len(apps) > 0
	page.Address, page.Relayed = slices.Contains(seen, "address"), page.Mail && slices.Contains(seen, "mail")
	for _, done := range []bool{page.Passkeys || page.TOTP, page.Address, page.Relayed, page.App} {
		page.All++
		if done {
			page.Done++
		}
	}
	wb.pages.render(w, r, http.StatusOK, "setup_next", wb.view(r, "Set up authy", page))
	return nil
}

// setupStep goes to the page of a step, or ends the journey.
func (wb *Web) setupStep(w http.ResponseWriter, r *http.Request, _ *session.Identity) error {
	step := r.PostForm.Get("step")
	to, known := setupSteps[step]
	if !known {
		wb.clearCookie(w, setupCookie)
		redirect(w, r, "/admin")
		return nil
	}
	seen, _ := wb.setupSeen(r)
	seen = slices.DeleteFunc(seen, func(one string) bool { return setupSteps[one] == "" || one == step })
	wb.keepSetup(w, append(seen, step))
	redirect(w, r, to)
	return nil
}
