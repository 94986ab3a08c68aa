package web

import (
	"log/slog"
	"net/http"
)

// subject is the object that a page is about, where a file of the state may set it. A
// page that has one says so above its content.
type subject struct{ SubjectKind, SubjectID string }

func (s subject) about() subject { return s }

// setBy returns the file that sets what a page is about, "" for none. A page is shown
// without that rather than not at all.
func (wb *Web) setBy(r *http.Request, page any) string {
	p, ok := page.(interface{ about() subject })
	if !ok {
		return ""
	}
	of := p.about()
	files, err := wb.State.Files(r.Context(), of.SubjectKind, []string{of.SubjectID})
	if err != nil {
		slog.WarnContext(r.Context(), "page shown without the file that may set its object", "kind", of.SubjectKind, "id", of.SubjectID, "err", err)
	}
	return files[of.SubjectID]
}
