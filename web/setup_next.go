package web

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"authy/server/session"
	"authy/server/steady"
)

// setupNextPage is the data of page "setup_next": what a new server needs next. Every
// step can be left out, and the page comes back to.
type setupNextPage struct {
	Notice           string // what has just been done
	Passkeys, TOTP   bool   // what protects the account
	Mail             bool   // whether mail is set up
	App              bool   // whether there is one
	Address, Relayed bool   // nothing is wrong with the address; a test mail was sent
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

// setupPassed are the checks of steps that were passed in this browser; ok says that
// the journey has begun here, and not ended.
func (wb *Web) setupPassed(r *http.Request) (passed []string, ok bool) {
	c, err := r.Cookie(wb.cookieName(setupCookie))
	if err != nil {
		return nil, false
	}
	return strings.Split(c.Value, "."), true
}

// keepSetup has the header lead back to the steps, of which these were passed.
func (wb *Web) keepSetup(w http.ResponseWriter, passed []string) {
	until := steady.Now().Add(setupFor)
	wb.setCookie(w, setupCookie, strings.Join(passed, "."), &until)
}

// passSetup notes that the check of a step was passed, or no longer is, if the
// journey goes on.
func (wb *Web) passSetup(w http.ResponseWriter, r *http.Request, step string, ok bool) {
	passed, going := wb.setupPassed(r)
	if !going || ok == slices.Contains(passed, step) {
		return
	}
	passed = slices.DeleteFunc(passed, func(one string) bool { return setupSteps[one] == "" || one == step })
	if ok {
		passed = append(passed, step)
	}
	wb.keepSetup(w, append([]string{"begun"}, passed...))
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
	passed, going := wb.setupPassed(r)
	if !going { // who comes by themselves begins anew
		wb.keepSetup(w, []string{"begun"})
	}
	page.Passkeys, page.TOTP, page.App = len(passkeys) > 0, totp.Enabled, len(apps) > 0
	page.Address, page.Relayed = slices.Contains(passed, "address"), page.Mail && slices.Contains(passed, "mail")
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
	to, known := setupSteps[r.PostForm.Get("step")]
	if !known {
		wb.clearCookie(w, setupCookie)
		redirect(w, r, "/admin")
		return nil
	}
	redirect(w, r, to)
	return nil
}
