package web

import (
	"net/http"
	"net/url"
	"slices"

	"authy/server/session"
)

// maxSessions is how many sessions the account page shows.
const maxSessions = 50

// signed returns who is signed in, or leads to the sign-in page.
func (wb *Web) signed(w http.ResponseWriter, r *http.Request) (*session.Identity, error) {
	id, err := wb.identity(r)
	if err == nil && id == nil {
		redirect(w, r, "/sign-in")
	}
	return id, err
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
		FullName: id.User.FullName, Email: id.User.Email, EmailVerified: !id.User.EmailVerifiedAt.IsZero(),
		Tokens: tokens,
	}
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
		page.Organizations = append(page.Organizations, orgView{Name: m.Organization.Name, Role: string(m.Role)})
	}
	standing, err := wb.Orgs.Standing(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	page.Demands = demandsOf(standing)
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
			ID: s.ID, Browser: browserName(s.UserAgent), Address: s.IPAddress, Kind: s.Kind,
			Current: s.ID == id.Session.ID, LastActive: s.LastActivityAt.Time, Created: s.CreatedAt.Time,
		})
	}
	apps, err := wb.OpenID.Connections(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	for _, a := range apps {
		view := appView{Name: a.Client.Name, Scopes: a.Scopes, Since: a.Since}
		if u, err := url.Parse(a.Client.ClientURI); err == nil {
			view.Host = u.Host
		}
		page.Apps = append(page.Apps, view)
	}
	return nil
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
	redirect(w, r, "/account")
	return nil
}
