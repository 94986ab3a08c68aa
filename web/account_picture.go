package web

import (
	"errors"
	"net/http"
	"strings"

	"authy/server/account"
	"authy/server/fault"
	"authy/server/session"
)

// picturePath is where a form sends a picture.
const picturePath = "/account/picture"

// maxPictureForm is the largest form with a picture that is read, in bytes.
const maxPictureForm = account.MaxPicture + maxForm

// What is wrong with a form that is to carry a picture.
var (
	errNoFile    = fault.Field("picture", msg("Choose a picture first."))
	errLargeFile = fault.Field("picture", msg("Larger than 5 MB. Choose a smaller picture."))
)

// setPicture makes the file that was sent the picture of who sent it.
func (wb *Web) setPicture(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	file, err := sentPicture(r)
	if err == nil {
		_, err = wb.Accounts.SetPicture(r.Context(), id.Actor(actor(r)), id.User.ID, file)
	}
	f, told := fault.In(r.Context(), err)
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

// sentPicture reads a form that is to carry a picture.
func sentPicture(r *http.Request) ([]byte, error) {
	err := readUpload(r)
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, errLargeFile
	}
	if err != nil {
		return nil, errForm
	}
	file, err := sentFile(r, "picture")
	switch {
	case err != nil:
		return nil, err
	case len(file) == 0:
		return nil, errNoFile
	case len(file) > account.MaxPicture:
		return nil, errLargeFile
	}
	return file, nil
}
