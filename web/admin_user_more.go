package web

import (
	"net/http"
	"net/url"
	"time"

	"authy/server/account"
	"authy/server/session"
)

// adminUserSignInPage is the data of page "admin_user_sign_in".
type adminUserSignInPage struct {
	User          userHead
	LastSignIn    time.Time
	LastAddress   string
	Authenticator time.Time // since when, zero for none
	RecoveryCodes int
	Passkeys      []passkeyView
	Linked        []userLink
	ResetLink     actLink
	Unlock        actLink
	Without       actLink // the authenticator
	WithoutKeys   actLink
}

// userLink is an account elsewhere that a user comes from.
type userLink struct {
	ID, Provider, Email string
	Since, LastUsed     time.Time
	Unlink              string
}

// showUserSignIn shows how a user signs in.
func (wb *Web) showUserSignIn(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	u, err := wb.userOf(r, id)
	if err != nil {
		return err
	}
	page := adminUserSignInPage{
		User: wb.userHeadOf(r, u), LastSignIn: u.LastLoginAt.Time, LastAddress: u.LastLoginIP,
		ResetLink: linkTo(u, "reset-link"), Unlock: linkTo(u, "unlock"),
		Without: linkTo(u, "remove-authenticator"), WithoutKeys: linkTo(u, "remove-passkeys"),
	}
	if err := wb.fillUserSignIn(r, u, &page); err != nil {
		return err
	}
	wb.adminPage(w, r, http.StatusOK, "admin_user_sign_in", "How the user signs in", page)
	return nil
}

func (wb *Web) fillUserSignIn(r *http.Request, u *account.User, page *adminUserSignInPage) error {
	passkeys, err := wb.Accounts.Passkeys(r.Context(), u.ID)
	if err != nil {
		return err
	}
	for _, p := range passkeys {
		page.Passkeys = append(page.Passkeys, passkeyView{ID: p.CredentialID, Name: p.Name, Created: p.CreatedAt.Time, LastUsed: p.LastUsedAt.Time})
	}
	totp, err := wb.Accounts.TOTPStatus(r.Context(), u.ID)
	if err != nil {
		return err
	}
	page.Authenticator, page.RecoveryCodes = totp.ConfirmedAt, totp.RecoveryCodes
	linked, err := wb.Accounts.Identities(r.Context(), u.ID)
	if err != nil {
		return err
	}
	for _, l := range linked {
		page.Linked = append(page.Linked, userLink{
			ID: l.ID, Provider: l.Provider.Name, Email: l.Email, Since: l.LinkedAt.Time, LastUsed: l.LastUsedAt.Time,
			Unlink: "/admin/users/" + u.ID + "/do/unlink?" + url.Values{"id": {l.ID}, "provider": {l.Provider.Slug}}.Encode(),
		})
	}
	return nil
}

// adminUserSessionsPage is the data of page "admin_user_sessions".
type adminUserSessionsPage struct {
	User     userHead
	Sessions sessionTable
	Pager    pagerView
	SignOut  actLink
	End      actLink
}

// showUserSessions lists the sessions of a user.
func (wb *Web) showUserSessions(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	u, err := wb.userOf(r, id)
	if err != nil {
		return err
	}
	found, next, err := wb.Sessions.All(r.Context(), id.Actor(actor(r)), session.Filter{UserID: u.ID}, askedKey(r.URL.Query().Get("after")), adminListed)
	if err != nil {
		return err
	}
	wb.adminPage(w, r, http.StatusOK, "admin_user_sessions", "Sessions of the user", adminUserSessionsPage{
		User: wb.userHeadOf(r, u), Sessions: sessionTable{Rows: wb.ownedViews(r, found, id)}, Pager: adminPager(r, next),
		SignOut: linkTo(u, "sign-out"), End: linkTo(u, "end-sessions"),
	})
	return nil
}

// adminUserAccessPage is the data of page "admin_user_access".
type adminUserAccessPage struct {
	User userHead
	Orgs []orgView
	Apps []userApp
}

// userApp is an app that a user lets have something.
type userApp struct {
	appView
	Path, Remove string
}

// showUserAccess shows where a user belongs, and which apps they use.
func (wb *Web) showUserAccess(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	u, err := wb.userOf(r, id)
	if err != nil {
		return err
	}
	page := adminUserAccessPage{User: wb.userHeadOf(r, u)}
	orgs, err := wb.Orgs.Of(r.Context(), u.ID)
	if err != nil {
		return err
	}
	for _, m := range orgs {
		page.Orgs = append(page.Orgs, orgView{ID: m.Organization.ID, Name: m.Organization.Name, Role: roleWords[m.Role]})
	}
	apps, err := wb.OpenID.Connections(r.Context(), u.ID)
	if err != nil {
		return err
	}
	for _, a := range apps {
		app := wb.appOf(a)
		page.Apps = append(page.Apps, userApp{
			app, "/admin/clients/app/" + url.PathEscape(app.ID), "/admin/users/" + u.ID + "/do/remove-app?" + url.Values{"id": {app.ID}}.Encode(),
		})
	}
	wb.adminPage(w, r, http.StatusOK, "admin_user_access", "Access of the user", page)
	return nil
}

// adminUserActivityPage is the data of page "admin_user_activity".
type adminUserActivityPage struct {
	User   userHead
	Events []eventRow
	Pager  pagerView
}

// showUserActivity lists what a user did and what was done to them.
func (wb *Web) showUserActivity(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	u, err := wb.userOf(r, id)
	if err != nil {
		return err
	}
	found, err := wb.Activity.About(r.Context(), id.Actor(actor(r)), u.ID, r.URL.Query().Get("after"), adminListed)
	if err != nil {
		return err
	}
	wb.adminPage(w, r, http.StatusOK, "admin_user_activity", "Activity of the user", adminUserActivityPage{
		User: wb.userHeadOf(r, u), Events: wb.eventRows(r, id, found.Entries), Pager: adminPager(r, found.Next),
	})
	return nil
}
