package web

import (
	"net/http"
	"net/url"
	"slices"

	"authy/server/session"
)

// maxSessions is how many sessions a page shows.
const maxSessions = 50

// accountSessionsPage is the data of page "account_sessions".
type accountSessionsPage struct {
	Sessions []sessionView
	Others   bool // there is more than the one that asks
	Pager    pagerView
}

// showSessions shows somebody where they are signed in, this place first.
func (wb *Web) showSessions(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	after := askedKey(r.Form.Get("after"))
	sessions, next, err := wb.Sessions.List(r.Context(), id.User.ID, after, maxSessions)
	if err != nil {
		return err
	}
	sessions = slices.DeleteFunc(sessions, func(s session.Session) bool { return s.ID == id.Session.ID })
	page := accountSessionsPage{Others: len(sessions) > 0 || after != ""}
	if after == "" {
		sessions = append([]session.Session{*id.Session}, sessions...)
	} else {
		page.Pager.Back = sessionsPath
	}
	if next != "" {
		page.Pager.Next = sessionsPath + "?" + url.Values{"after": {next}}.Encode()
	}
	for i := range sessions {
		page.Sessions = append(page.Sessions, wb.sessionOf(r, id, &sessions[i]))
	}
	wb.ownPage(w, r, http.StatusOK, "account_sessions", "Sessions", page)
	return nil
}

// sessionOf describes one place where somebody is signed in.
func (wb *Web) sessionOf(r *http.Request, id *session.Identity, s *session.Session) sessionView {
	l := wb.language(r, id)
	return sessionView{
		ID: s.ID, Browser: browserName(l, s.UserAgent), Address: s.IPAddress, Program: s.Kind == session.API,
		Place:   wb.Places.Of(s.IPAddress, l.Tag()),
		Current: s.ID == id.Session.ID, LastActive: s.LastActivityAt.Time, Created: s.CreatedAt.Time,
		Mark: s.ID[max(0, len(s.ID)-6):],
	}
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
	return wb.done(w, r, sessionsPath, wb.say(r, "That session has ended."))
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
	return wb.done(w, r, sessionsPath, wb.say(r, "You are signed out everywhere else."))
}
