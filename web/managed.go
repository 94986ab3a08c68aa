package web

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"authy/server/session"
)

// subject is the object that a page is about, where a file of the state may set it. A
// page that has one says so above its content.
type subject struct{ SubjectKind, SubjectID string }

func (s subject) about() subject { return s }

// setByView says which file sets what a page is about, and leads administrators of the server to
// where it is let go of.
type setByView struct{ File, Release string }

// setBy returns the file that sets what a page is about, nil for none. A page is shown
// without that rather than not at all.
func (wb *Web) setBy(r *http.Request, page any) *setByView {
	p, ok := page.(interface{ about() subject })
	if !ok {
		return nil
	}
	of := p.about()
	files, err := wb.State.Files(r.Context(), of.SubjectKind, []string{of.SubjectID})
	if err != nil {
		slog.WarnContext(r.Context(), "page shown without the file that may set its object", "kind", of.SubjectKind, "id", of.SubjectID, "err", err)
	}
	file := files[of.SubjectID]
	if file == "" {
		return nil
	}
	v := &setByView{File: file}
	if strings.HasPrefix(r.URL.Path, "/admin/") {
		v.Release = releasePath + "?" + url.Values{"kind": {of.SubjectKind}, "id": {of.SubjectID}, "back": {r.URL.Path}}.Encode()
	}
	return v
}

const releasePath = "/admin/release"

func (wb *Web) registerRelease(get, post func(string, handler)) {
	get(releasePath, wb.admin(wb.askRelease))
	post(releasePath, wb.admin(wb.release))
}

// askRelease shows what letting go of an object does.
func (wb *Web) askRelease(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	held, err := wb.State.Held(r.Context(), id.Actor(actor(r)), r.FormValue("kind"), r.FormValue("id"))
	if err != nil {
		return err
	}
	wb.adminPage(w, r, http.StatusOK, "admin_act", "Let go of what a file sets", adminActPage{
		Back: local(r.FormValue("back")), BackText: held.Name, Title: msg("Let go of what a file sets"), About: held.Name,
		Text: []string{
			wb.say(r, "The file %s sets this. It can be changed and removed here then, as anything else.", held.File),
			msg("When the file is applied again and still names it, it is the file's again. Take it out of the file, too."),
		},
		Button: msg("Let go of it"), Command: cliOf("authy release "+held.Kind, held.Name),
	})
	return nil
}

// release does it.
func (wb *Web) release(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	held, err := wb.State.ReleaseID(r.Context(), id.Actor(actor(r)), r.FormValue("kind"), r.FormValue("id"))
	if err != nil {
		return err
	}
	return wb.carry(w, r, local(r.FormValue("back")), carried{Notice: wb.say(r, "The file %s no longer sets this.", held.File)})
}
