package web

import (
	"bufio"
	"log/slog"
	"net/http"
	"time"

	"authy/server/activity"
	"authy/server/audit"
	"authy/server/fault"
)

// longAnswer is how long an answer over a whole audit log may take.
const longAnswer = 15 * time.Minute

// auditTypes are the media types of an export.
var auditTypes = map[string]string{
	activity.JSONL: "application/x-ndjson", activity.CSV: "text/csv; charset=utf-8",
}

// sendAudit answers with the events of an organization, "" for all, that a filter lets through, as
// a file of that name, in the format that the form of r asks for.
func (wb *Web) sendAudit(
	w http.ResponseWriter, r *http.Request, by audit.Actor, orgID, name string, f activity.Filter,
) error {
	format := r.PostForm.Get("format")
	if auditTypes[format] == "" {
		return fault.Field("format", "Must be jsonl or csv.")
	}
	entries, err := wb.Activity.Export(r.Context(), by, orgID, f)
	if err != nil {
		return err
	}
	// Where the server has no limit to move, there is none to meet.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(longAnswer))
	h := w.Header()
	h.Set("Content-Type", auditTypes[format])
	h.Set("Content-Disposition", `attachment; filename="`+name+"-"+time.Now().UTC().Format(time.DateOnly)+"."+format+`"`)
	h.Set("Cache-Control", "no-store")
	out := bufio.NewWriter(w)
	if err = activity.Write(out, format, entries); err == nil {
		err = out.Flush()
	}
	if err != nil {
		slog.WarnContext(r.Context(), "download cut off", "err", err, "request_id", by.RequestID)
		panic(http.ErrAbortHandler) // impossible to say otherwise: the answer has begun
	}
	return nil
}
