package web

import (
	"errors"
	"net/http"
	"slices"

	"authy/server/fault"
	"authy/server/login"
	"authy/server/session"
)

// maxSessions is how many sessions the account page shows.
const maxSessions = 50

// kindWords says of a session what it is, where that is no browser.
var kindWords = map[string]string{session.API: "a program"}

// registerAccount mounts the page of someone's account and what is done there.
func (wb *Web) registerAccount(get, post func(path string, h handler)) {
	get("/account", wb.showAccount)
	post("/account/sessions/end", wb.endSession)
	post("/account/sessions/end-others", wb.endOtherSessions)
	get("/account/apps/remove", wb.showRemoveApp)
	post("/account/apps/remove", wb.removeApp)
	post("/account/tokens", wb.makeToken)
	post("/account/tokens/revoke", wb.revokeToken)
	post("/account/passkeys/new", wb.change(newPasskeyChange))
	post("/account/passkeys", wb.addPasskey)
	post("/account/passkeys/rename", wb.renamePasskey)
	post("/account/passkeys/delete", wb.change(dropPasskey))
	post("/account/authenticator/new", wb.change(newTOTP))
	post("/account/authenticator", wb.confirmTOTP)
	post("/account/authenticator/delete", wb.change(dropTOTP))
	post("/account/recovery-codes", wb.change(newCodes))
	get("/.well-known/change-password", wb.findPassword)
	get(changePasswordPath, wb.showPassword)
	post(changePasswordPath, wb.changePassword)
	get("/account/email", wb.showEmail)
	post("/account/email", wb.change(newEmail))
	post("/account/email/verify", wb.sendVerification)
	get("/account/organizations/leave", wb.showLeave)
	post("/account/organizations/leave", wb.leave)
	post("/account/export", wb.export)
	get("/account/delete", wb.showDelete)
	post("/account/delete", wb.confirmDelete)
}

// signed returns who is signed in, or leads to the sign-in page.
func (wb *Web) signed(w http.ResponseWriter, r *http.Request) (*session.Identity, error) {
	id, err := wb.identity(r)
	if err == nil && id == nil {
		redirect(w, r, "/sign-in")
	}
	return id, err
}

// errFactorFirst is [login.ErrLimited] for a person.
var errFactorFirst = fault.New(fault.Forbidden, "mfa_compliance_required",
	"An organization of yours requires a second factor. Set it up on the page of your account, or leave the organization.")

// full is [Web.signed] for what is not open to who must set a second factor up
// first.
func (wb *Web) full(w http.ResponseWriter, r *http.Request) (*session.Identity, error) {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return nil, err
	}
	if err := wb.Login.Full(r.Context(), id); errors.Is(err, login.ErrLimited) {
		return nil, errFactorFirst
	} else if err != nil {
		return nil, err
	}
	return id, nil
}

// showAccount shows someone what is theirs.
func (wb *Web) showAccount(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	return wb.renderAccount(w, r, http.StatusOK, id, newTokensPart(), nil)
}

// renderAccount shows the account page; tokens is its section about API tokens,
// as far as the request has made it, with the scopes that were chosen.
func (wb *Web) renderAccount(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, tokens tokensPart, chosen []string,
) error {
	page := accountPage{
		FullName: id.User.FullName, Email: id.User.Email, Tokens: tokens,
	}
	left := wb.carried(w, r)
	page.Notice, page.Tokens.Made = left.Notice, left.Secret
	if err := wb.fillAccount(r, id, &page); err != nil {
		return err
	}
	if err := wb.fillTokens(r, id, &page.Tokens, chosen); err != nil {
		return err
	}
	if err := wb.fillSecurity(r, id, &page.Security); err != nil {
		return err
	}
	wb.pages.render(w, r, status, "account", wb.view(r, "Your account", page))
	return nil
}

func (wb *Web) fillAccount(r *http.Request, id *session.Identity, page *accountPage) error {
	orgs, err := wb.Orgs.Of(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	for _, m := range orgs {
		page.Organizations = append(page.Organizations, orgView{m.Organization.ID, m.Organization.Name, string(m.Role)})
	}
	standing, err := wb.Orgs.Standing(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	page.Demands = demandsOf(standing)
	page.Waiting = wb.waiting(r, page.Demands)
	sessions, more, err := wb.Sessions.List(r.Context(), id.User.ID, "", maxSessions)
	if err != nil {
		return err
	}
	page.MoreSessions = more != ""
	if !slices.ContainsFunc(sessions, func(s session.Session) bool { return s.ID == id.Session.ID }) {
		sessions = append([]session.Session{*id.Session}, sessions...)
	}
	for _, s := range sessions {
		page.Sessions = append(page.Sessions, sessionView{
			ID: s.ID, Browser: browserName(s.UserAgent), Address: s.IPAddress, Kind: kindWords[s.Kind],
			Current: s.ID == id.Session.ID, LastActive: s.LastActivityAt.Time, Created: s.CreatedAt.Time,
		})
	}
	apps, err := wb.OpenID.Connections(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	for _, a := range apps {
		page.Apps = append(page.Apps, appOf(a))
	}
	page.Left, err = wb.left(r, id.User.ID)
	return err
}

// endSession ends one of the person's own sessions.
func (wb *Web) endSession(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	err = wb.Sessions.End(r.Context(), id.Actor(actor(r)), id.User.ID, r.PostForm.Get("id"),
		"session.revoke", "Revoked by user")
	if err != nil {
		return err
	}
	return wb.done(w, r, "That session has ended.")
}

// endOtherSessions ends all of the person's own sessions but this one.
func (wb *Web) endOtherSessions(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	if _, err := wb.Sessions.EndOthers(r.Context(), id.Actor(actor(r)), id); err != nil {
		return err
	}
	return wb.done(w, r, "You are signed out everywhere else.")
}
