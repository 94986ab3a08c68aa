package web

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"authy/server/activity"
	"authy/server/audit"
	"authy/server/session"
)

// adminEventPage is the data of page "admin_event".
type adminEventPage struct {
	Row      eventRow
	Facts    []eventFact
	Details  []eventFact // as the program calls them
	Others   []eventRow
	Sequence string
	Hash     string
	CLI      cliPart
}

// eventFact is one fact of an event, with a page that lists more of its kind.
type eventFact struct{ Name, Value, Path string }

// showEvent shows one event, or what else lies beside the log.
func (wb *Web) showEvent(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	switch eventID := param(r, "id"); eventID {
	case "tail":
		return wb.tailAudit(w, r, id)
	case "verify":
		wb.adminPage(w, r, http.StatusOK, "admin_audit_verify", "Verify the audit log", adminVerifyPage{})
		return nil
	default:
		one, others, err := wb.Activity.One(r.Context(), id.Actor(actor(r)), eventID)
		if err != nil {
			return err
		}
		page := eventPageOf(one)
		page.Row, page.Others = wb.eventRows(r, id, []activity.Entry{one})[0], wb.eventRows(r, id, others)
		page.CLI = auditCommand(activity.Filter{Actor: one.ActorID, Action: one.Action, From: one.At})
		wb.adminPage(w, r, http.StatusOK, "admin_event", "An event", page)
		return nil
	}
}

// eventPageOf is all that is kept of an event.
func eventPageOf(e activity.Entry) (page adminEventPage) {
	for _, f := range []eventFact{
		{msg("Reason"), e.Reason, ""},
		{msg("Address"), e.IPAddress, ""},
		{msg("Browser or program"), e.UserAgent, ""},
		{msg("Organization"), e.OrganizationID, "/admin/audit?organization=" + e.OrganizationID},
		{msg("Session or token"), e.SessionID, ""},
		{msg("Reference"), e.RequestID, ""},
		{msg("Id of the event"), e.ID, ""},
	} {
		if f.Value != "" {
			page.Facts = append(page.Facts, f)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Details)) {
		page.Details = append(page.Details, eventFact{Name: name, Value: e.Details[name]})
	}
	if e.Seq != nil && e.Hash != nil {
		page.Sequence, page.Hash = strconv.FormatInt(*e.Seq, 10), *e.Hash
	}
	return page
}

// tailAudit answers with the rows of a list that are new, for the script of its page:
// nothing around them, and in a header where the next ones come from.
func (wb *Web) tailAudit(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	q := r.URL.Query()
	filter, _, err := auditFilterOf(q)
	if err != nil {
		return err
	}
	found, err := wb.Activity.Since(r.Context(), id.Actor(actor(r)), filter, q.Get("since"))
	if err != nil {
		return err
	}
	q.Set("since", found.Next)
	w.Header().Set("X-Next", addressOf(r.URL.Path, q))
	return wb.pages.renderPart(w, wb.language(r, id), "admin_audit", "event-rows", wb.eventRows(r, id, found.Entries))
}

// adminVerifyPage is the data of page "admin_audit_verify".
type adminVerifyPage struct {
	Done     bool
	Damage   string // "" if all is whole
	Checked  int
	Unlinked int
	Head     string
	Seams    []string
}

// actOnAudit verifies the log or exports it.
func (wb *Web) actOnAudit(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	switch param(r, "id") {
	case "verify":
		return wb.verifyAudit(w, r, id)
	case "export":
		return wb.exportAudit(w, r, id)
	}
	return errNoAct
}

func (wb *Web) verifyAudit(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	// A log of many years takes longer than other answers may.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(longAnswer))
	report, err := wb.Activity.Verify(r.Context(), id.Actor(actor(r)), audit.Note{})
	if err != nil {
		return err
	}
	page := adminVerifyPage{Done: true, Checked: int(report.Checked), Unlinked: int(report.Unlinked), Head: report.Head}
	if report.Damage != nil {
		page.Damage = report.Damage.String()
	}
	for _, seam := range report.Seams {
		page.Seams = append(page.Seams, seam.String())
	}
	wb.adminPage(w, r, http.StatusOK, "admin_audit_verify", "Verify the audit log", page)
	return nil
}

// exportAudit answers with the events of a filter as a file.
func (wb *Web) exportAudit(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	filter, _, err := auditFilterOf(r.PostForm)
	if err != nil {
		return err
	}
	return wb.sendAudit(w, r, id.Actor(actor(r)), "", "audit", filter)
}
