package web

import (
	"errors"
	"net/http"

	"authy/server/fault"
	"authy/server/login"
	"authy/server/session"
)

// The pages of someone's account.
const (
	accountPath       = "/account"
	profilePath       = accountPath + "/profile"
	securityPath      = accountPath + "/security"
	sessionsPath      = accountPath + "/sessions"
	appsPath          = accountPath + "/apps"
	tokensPath        = accountPath + "/tokens"
	organizationsPath = accountPath + "/organizations"
	activityPath      = accountPath + "/activity"
	dataPath          = accountPath + "/data"
)

// registerAccount mounts the pages of someone's account and what is done there.
func (wb *Web) registerAccount(get, post func(path string, h handler), handle func(method, path string, h http.Handler)) {
	get(accountPath, wb.own(wb.showHome))
	get(profilePath, wb.own(wb.showProfile))
	get(securityPath, wb.own(wb.showSecurity))
	get(sessionsPath, wb.own(wb.showSessions))
	get(appsPath, wb.own(wb.showApps))
	get(tokensPath, wb.own(wb.showTokens))
	get(organizationsPath, wb.own(wb.showOrganizations))
	get(activityPath, wb.own(wb.showActivity))
	get(dataPath, wb.own(wb.showData))
	post(profilePath, wb.saveProfile)
	handle(http.MethodPost, picturePath, wb.upload(maxPictureForm, wb.setPicture))
	post(picturePath+"/delete", wb.removePicture)
	post(organizationsPath+"/answer", wb.answerReceived)
	post("/account/sessions/end", wb.endSession)
	post("/account/sessions/end-others", wb.endOtherSessions)
	get("/account/apps/remove", wb.showRemoveApp)
	post("/account/apps/remove", wb.removeApp)
	post(tokensPath, wb.change(newToken))
	post("/account/tokens/revoke", wb.revokeToken)
	post("/account/passkeys/new", wb.change(newPasskeyChange))
	post("/account/passkeys", wb.addPasskey)
	post("/account/passkeys/rename", wb.renamePasskey)
	post("/account/passkeys/delete", wb.change(dropPasskey))
	post("/account/authenticator/new", wb.change(newTOTP))
	post("/account/authenticator", wb.confirmTOTP)
	post("/account/authenticator/delete", wb.change(dropTOTP))
	post("/account/recovery-codes", wb.change(newCodes))
	get(panicPath, wb.own(wb.showEndAll))
	post(panicPath, wb.change(endAll))
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

// own is a handler for a page of somebody who is signed in. It is open to those who must
// set up a second factor first: they do it there.
func (wb *Web) own(h personal) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := wb.signed(w, r)
		if err != nil || id == nil {
			return err
		}
		return h(w, r, id)
	}
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
