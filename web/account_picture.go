package web

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"authy/server/account"
	"authy/server/fault"
	"authy/server/session"
)

// picturePath is where a form sends a picture.
const picturePath = "/account/picture"

// upload answers a form that carries a file, which no other page takes: it is read only
// when it is known who sends it.
func (wb *Web) upload(h handler) http.Handler {
	return wb.form(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, account.MaxPicture+maxForm)
		if err := h(w, r); err != nil {
			wb.fail(w, r, err)
		}
	}))
}

// What is wrong with a form that is to carry a picture.
var (
	errNoFile    = fault.Field("picture", msg("Choose a picture first."))
	errLargeFile = fault.Field("picture", msg("Larger than 5 MB. Choose a smaller picture."))
	errForm      = fault.New(fault.Invalid, "bad_form", "The form could not be read: it is too large or not a form.")
)

// setPicture makes the file that was sent the picture of who sent it.
func (wb *Web) setPicture(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	file, err := sentFile(r, "picture")
	if err == nil {
		_, err = wb.Accounts.SetPicture(r.Context(), id.Actor(actor(r)), id.User.ID, file)
	}
	f, told := fault.As(err)
	if told && f.Fields["picture"] != nil {
		return wb.refusePicture(w, r, id, strings.Join(f.Fields["picture"], " "))
	}
	if err != nil {
		return err
	}
	return wb.done(w, r, profilePath, wb.say(r, "Your picture is changed."))
}

// refusePicture says beside the form why a picture was not taken.
func (wb *Web) refusePicture(w http.ResponseWriter, r *http.Request, id *session.Identity, problem string) error {
	said, err := wb.Accounts.Profile(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	page := profileForm(said)
	page.PictureProblem = problem
	return wb.renderProfile(w, r, http.StatusBadRequest, id, page)
}

// removePicture takes a picture away.
func (wb *Web) removePicture(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	if _, err := wb.Accounts.RemovePicture(r.Context(), id.Actor(actor(r)), id.User.ID); err != nil {
		return err
	}
	return wb.done(w, r, profilePath, wb.say(r, "Your picture is removed."))
}

// sentFile returns the file in a field of a form.
func sentFile(r *http.Request, field string) ([]byte, error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, errForm
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, errNoFile
		}
		if err != nil {
			return nil, fileProblem(err)
		}
		if part.FormName() != field {
			continue
		}
		file, err := io.ReadAll(io.LimitReader(part, account.MaxPicture+1))
		switch {
		case err != nil:
			return nil, fileProblem(err)
		case len(file) == 0:
			return nil, errNoFile
		case len(file) > account.MaxPicture:
			return nil, errLargeFile
		}
		return file, nil
	}
}

// fileProblem says why a file could not be read.
func fileProblem(err error) error {
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return errLargeFile
	}
	return errForm
}
