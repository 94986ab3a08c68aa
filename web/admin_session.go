package web

import (
	"net/http"
	"time"

	"authy/server/session"
	"authy/server/words"
)

// ownedView is a session as administrators see it.
type ownedView struct {
	ID, Email, UserID string
	Face              faceView
	Mark              string // tells it apart from others of the user
	Browser, Address  string
	State             stateView
	Live, Current     bool
	Began, LastActive time.Time
	Reason            string
}

// sessionTable are sessions in a list: the data of part "session-table".
type sessionTable struct {
	Whose bool // it says whose they are
	Rows  []ownedView
}

// sessionStates name the states of a session.
var sessionStates = map[string]stateView{
	session.Active: {msg("Open"), true, false}, session.Expired: {msg("Expired"), false, false},
	session.Revoked: {msg("Ended"), false, false},
}

// adminSessionsPage is the data of page "admin_sessions".
type adminSessionsPage struct {
	User, Address string
	Kind          []optionView
	Filtered      bool
	Sessions      sessionTable
	Pager         pagerView
	Command       cliPart
}

func (wb *Web) registerAdminSessions(get, post func(string, handler)) {
	get("/admin/sessions", wb.admin(wb.showAllSessions))
	get("/admin/sessions/:id", wb.admin(wb.askSessionEnd))
	post("/admin/sessions/:id", wb.admin(wb.endAnySession))
}

func (wb *Web) ownedViews(r *http.Request, found []session.Owned, id *session.Identity) []ownedView {
	out, l := make([]ownedView, len(found)), wb.language(r, id)
	for i, o := range found {
		out[i] = ownedViewOf(l, o, id)
		out[i].Face = wb.faceOf(o.User)
	}
	return out
}

func ownedViewOf(l *words.Language, o session.Owned, id *session.Identity) ownedView {
	s := o.Session
	view := ownedView{
		ID: s.ID, Email: o.User.Email, UserID: o.User.ID, Browser: browserName(l, s.UserAgent), Address: s.IPAddress,
		State: sessionStates[o.State], Live: o.State == session.Active, Current: s.ID == id.Session.ID,
		Began: s.CreatedAt.Time, LastActive: s.LastActivityAt.Time, Reason: s.RevokedReason,
	}
	view.Mark = s.ID[max(0, len(s.ID)-6):]
	return view
}

// showAllSessions lists the sessions of everybody.
func (wb *Web) showAllSessions(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	q := r.URL.Query()
	f := session.Filter{UserID: askedText(q.Get("user")), Kind: askedText(q.Get("kind")), IPAddress: askedText(q.Get("address"))}
	found, next, err := wb.Sessions.All(r.Context(), id.Actor(actor(r)), f, askedKey(q.Get("after")), adminListed)
	if err != nil {
		return err
	}
	page := adminSessionsPage{
		User: f.UserID, Address: f.IPAddress, Filtered: f != session.Filter{},
		Sessions: sessionTable{true, wb.ownedViews(r, found, id)}, Pager: adminPager(r, next),
		Kind: []optionView{
			{Label: msg("Any kind")},
			{Value: session.Web, Label: msg("Browsers"), Chosen: f.Kind == session.Web},
			{Value: session.API, Label: msg("Programs"), Chosen: f.Kind == session.API},
		},
	}
	page.Command = cliWith([]string{"authy session list"}, [][2]string{
		{"--user", f.UserID}, {"--kind", f.Kind}, {"--address", f.IPAddress},
	})
	wb.adminPage(w, r, http.StatusOK, "admin_sessions", "Sessions", page)
	return nil
}

// askSessionEnd shows what ending a session does.
func (wb *Web) askSessionEnd(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	o, err := wb.Sessions.Show(r.Context(), id.Actor(actor(r)), param(r, "id"))
	if err != nil {
		return err
	}
	view := ownedViewOf(wb.language(r, id), *o, id)
	text := []string{msg("Whoever uses it is signed out at once. Other sessions of the user go on.")}
	if view.Current {
		text = append(text, msg("It is your own: you will have to sign in again."))
	}
	wb.adminPage(w, r, http.StatusOK, "admin_act", "End a session", adminActPage{
		Back: "/admin/users/" + view.UserID + "/sessions", BackText: view.Email, Title: msg("End a session"),
		About: view.Email + " · " + view.Browser + " · " + view.Address, Text: text, Button: msg("End the session"), Danger: true,
		Command: cliOf("authy session revoke", view.ID),
	})
	return nil
}

// endAnySession ends a session of anybody.
func (wb *Web) endAnySession(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	if err := wb.Sessions.Revoke(r.Context(), id.Actor(actor(r)), param(r, "id")); err != nil {
		return err
	}
	return wb.carry(w, r, "/admin/sessions", carried{Notice: wb.say(r, "The session has ended.")})
}
