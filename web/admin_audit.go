package web

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"authy/server/activity"
	"authy/server/fault"
	"authy/server/overview"
	"authy/server/session"
	"authy/server/words"
)

// eventRow is an event in a list.
type eventRow struct {
	ID, Action, Reason    string
	At                    time.Time
	Failed                bool
	Actor, Target         string
	ActorPath, TargetPath string // of the page about them, "" if there is none
	Address               string
}

// adminAuditPage is the data of page "admin_audit".
type adminAuditPage struct {
	Filter    auditFilter
	Actions   []string // those that are offered
	Outcome   []optionView
	Filtered  bool
	More      bool // of the filters are used than the first two
	Events    []eventRow
	Pager     pagerView
	Tail      string // where new rows come from, "" on later pages
	Command   cliPart
	Problem   string
	Reference string
	Found     *referenceView // nil if no reference was asked for
}

// auditFilter is what the form of the audit log was filled with.
type auditFilter struct{ Actor, Target, Action, Organization, From, To string }

// referenceView is what is known of a request by the reference on its page.
type referenceView struct {
	Known                                 bool
	At                                    time.Time
	Request, Code, Message, Cause, Status string
	Events                                []eventRow
}

func (wb *Web) registerAdminAudit(get, post func(string, handler)) {
	get("/admin/audit", wb.admin(wb.showAudit))
	get("/admin/audit/:id", wb.admin(wb.showEvent))
	post("/admin/audit/:id", wb.admin(wb.actOnAudit))
}

// actions are those that the filter of the audit log offers.
var actions = []string{
	"user.login", "user.register", "user.suspend", "user.activate", "user.update", "user.delete",
	"user.password_change", "user.password_reset", "user.email_change", "user.identity_link", "user.identity_unlink",
	"session.create", "session.revoke", "session.revoke_all", "totp.enroll.completed", "totp.disabled",
	"totp.verify.failed", "webauthn.register.completed", "webauthn.credential.deleted", "webauthn.login.failed",
	"org.create", "org.update", "org.delete", "org.member.add", "org.member.remove", "org.member.role_change",
	"client.created", "client.updated", "client.deleted", "consent.given", "consent.revoked",
	"authorize.granted", "authorize.denied", "token.issued", "token.refreshed", "mail.failed", "audit.export",
	"backup.made", "backup.failed", "backup.removed", "backup.restored", "database.rolled_back", "database.copied",
	"clock.follow",
}

// auditFilterOf reads the filter that an address or a form names. A day that is not
// one is a problem.
func auditFilterOf(q url.Values) (activity.Filter, auditFilter, error) {
	text := func(name string) string { return strings.TrimSpace(q.Get(name)) }
	shown := auditFilter{
		Actor: text("actor"), Target: text("target"), Action: text("action"), Organization: text("organization"),
		From: text("from"), To: text("to"),
	}
	f := activity.Filter{
		Actor: shown.Actor, Target: shown.Target, Action: shown.Action, Outcome: text("outcome"), Organization: shown.Organization,
	}
	for _, one := range []struct {
		name, text string
		to         *time.Time
		days       int
	}{{"from", shown.From, &f.From, 0}, {"to", shown.To, &f.To, 1}} {
		if one.text == "" {
			continue
		}
		day, err := time.Parse(time.DateOnly, one.text)
		if err != nil {
			return f, shown, fault.Field(one.name, "Give a day, such as 2026-11-25.")
		}
		*one.to = day.AddDate(0, 0, one.days)
	}
	return f, shown, nil
}

// showAudit lists what happened.
func (wb *Web) showAudit(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	q, by := r.URL.Query(), id.Actor(actor(r))
	filter, shown, err := auditFilterOf(q)
	page := adminAuditPage{
		Filter: shown, Actions: actions, Filtered: filter != activity.Filter{}, Reference: strings.TrimSpace(q.Get("reference")),
		Outcome: []optionView{
			{Label: msg("Any outcome")},
			{Value: "success", Label: msg("Succeeded"), Chosen: filter.Outcome == "success"},
			{Value: "failure", Label: msg("Failed"), Chosen: filter.Outcome == "failure"},
		},
		Command: auditCommand(filter),
		More:    shown.Target+filter.Outcome+shown.From+shown.To != "",
	}
	var found activity.Page
	if err == nil {
		found, err = wb.Activity.All(r.Context(), by, filter, q.Get("after"), adminListed)
	}
	status := http.StatusOK
	if f, told := fault.In(r.Context(), err); told && f.Kind == fault.Invalid {
		page.Problem, status = wb.explain(r, f), http.StatusBadRequest
	} else if err != nil {
		return err
	}
	page.Events, page.Pager = wb.eventRows(r, id, found.Entries), adminPager(r, found.Next)
	if status == http.StatusOK && !q.Has("after") {
		page.Tail = tailOf(q, found.Entries)
	}
	if page.Reference != "" {
		if page.Found, err = wb.look(r, id, page.Reference); err != nil {
			return err
		}
	}
	wb.adminPage(w, r, status, "admin_audit", "Audit log", page)
	return nil
}

// tailOf is where what comes after some entries is found.
func tailOf(q url.Values, entries []activity.Entry) string {
	q = maps.Clone(q)
	q.Del("reference")
	if len(entries) > 0 {
		q.Set("since", activity.KeyOf(entries[0]))
	}
	return addressOf("/admin/audit/tail", q)
}

// auditCommand is the command that lists the same.
func auditCommand(f activity.Filter) cliPart {
	day := func(at time.Time) string {
		if at.IsZero() {
			return ""
		}
		return at.Format(time.DateOnly)
	}
	return cliWith([]string{"authy audit list"}, [][2]string{
		{"--actor", f.Actor},
		{"--target", f.Target},
		{"--action", f.Action},
		{"--outcome", f.Outcome},
		{"--org", f.Organization},
		{"--from", day(f.From)},
		{"--to", day(f.To)},
	})
}

// look finds what is known of a request by its reference.
func (wb *Web) look(r *http.Request, id *session.Identity, reference string) (*referenceView, error) {
	by := id.Actor(actor(r))
	incident, err := wb.Overview.Look(r.Context(), by, reference)
	if err != nil || incident == nil {
		return &referenceView{}, err
	}
	view := &referenceView{
		Known: true, At: incident.At, Request: incident.Method + " " + incident.Path, Code: incident.Code,
		Message: incident.Message, Cause: incident.Cause, Status: http.StatusText(incident.Status),
	}
	entries, err := wb.Activity.OfRequest(r.Context(), by, reference, incident.At)
	view.Events = wb.eventRows(r, id, entries)
	return view, err
}

// note keeps what went wrong with a request, for whoever looks its reference up.
func (wb *Web) note(r *http.Request, status int, code, message string, cause error) {
	by := actor(r)
	incident := overview.Incident{
		Reference: by.RequestID, At: time.Now(), Status: status, Method: r.Method, Path: r.URL.Path,
		Code: code, Message: message, From: by.IPAddress,
	}
	if cause != nil && cause.Error() != message {
		incident.Cause = cause.Error()
	}
	wb.Overview.Note(incident)
}

// eventRows shows entries; people by their addresses.
func (wb *Web) eventRows(r *http.Request, id *session.Identity, entries []activity.Entry) []eventRow {
	var ids []string
	for _, e := range entries {
		if e.ActorKind == "user" {
			ids = append(ids, e.ActorID)
		}
		if e.TargetKind == "user" {
			ids = append(ids, e.TargetID)
		}
	}
	slices.Sort(ids)
	// Without addresses the rows have ids.
	addresses, _ := wb.Accounts.Addresses(r.Context(), id.Actor(actor(r)), slices.Compact(ids))
	l, out := wb.language(r, id), make([]eventRow, len(entries))
	for i, e := range entries {
		row := eventRow{ID: e.ID, Action: e.Action, Reason: e.Reason, At: e.At, Failed: e.Outcome != "success", Address: e.IPAddress}
		row.Actor, row.ActorPath = nameOf(l, e.ActorKind, e.ActorID, addresses)
		row.Target, row.TargetPath = nameOf(l, e.TargetKind, e.TargetID, addresses)
		out[i] = row
	}
	return out
}

// mostShown is how much of an id a list shows: so much of a UUID as is rarely the same.
const mostShown = 13

// kindWords are what the kinds are called of who does something, and of what it is done to.
var kindWords = map[string]string{
	"anonymous": msg("Somebody who is not signed in"), "operator": msg("An operator of the server"),
	"system": msg("The server itself"), "service": msg("A program with an API token"),
	"user": msg("User"), "organization": msg("Organization"), "session": msg("Session"), "token": msg("Token"),
	"provider": msg("Provider"), "invitation": msg("Invitation"), "key": msg("Key"), "mail": msg("Mail"),
	"branding": msg("Branding"), "audit": msg("Audit log"), "registration_token": msg("Registration token"),
	"saml_key": msg("SAML key"), "saml_service": msg("SAML service"),
}

// nameOf says who or what an event is about, and where there is more about it.
func nameOf(l *words.Language, kind, id string, addresses map[string]string) (name, path string) {
	short, called := id, l.Say(cmp.Or(kindWords[kind], kind))
	if len(id) > mostShown && kind != "client" {
		short = id[:mostShown] + "…"
	}
	switch {
	case kind == "user" && addresses[id] != "":
		return addresses[id], "/admin/users/" + id
	case kind == "organization":
		return called + " " + short, "/admin/organizations/" + id
	case kind == "client":
		return id, "/admin/clients/app/" + url.PathEscape(id)
	case id == "", kind == "operator", kind == "system": // of which there is one
		return called, ""
	}
	return called + " " + short, ""
}
