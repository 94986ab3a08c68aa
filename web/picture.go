package web

import (
	"net/http"
	"strconv"
	"strings"

	"authy/server/account"
)

// smallPicture ends the path of a picture that is for lists.
const smallPicture = "/small"

// registerPictures mounts the pictures of people.
func (wb *Web) registerPictures(get func(path string, h handler)) {
	get(account.PicturesPath+":id", wb.picture)
	get(account.PicturesPath+":id"+smallPicture, wb.picture)
}

// picture answers with a picture. Its address cannot be guessed, and another picture has
// another one: it is kept wherever it goes through, and shown by whoever was given it.
func (wb *Web) picture(w http.ResponseWriter, r *http.Request) error {
	id, small := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, account.PicturesPath), smallPicture)
	jpeg, err := wb.Accounts.Picture(r.Context(), id, small)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "image/jpeg")
	h.Set("Content-Length", strconv.Itoa(len(jpeg)))
	h.Set("Cache-Control", cacheForever)
	h.Set("Cross-Origin-Resource-Policy", "cross-origin") // apps show it, too
	if r.Method != http.MethodHead {
		_, _ = w.Write(jpeg) //nolint:gosec // drawn here, and never taken for anything else
	}
	return nil
}

// faceOf is how somebody is shown in a list.
func (wb *Web) faceOf(u *account.User) faceView {
	return faceView{nameOr(u.FullName, u.Email), wb.smallPictureOf(u)}
}

// smallPictureOf is the path of a user's picture for a list or a header, "" for none.
func (wb *Web) smallPictureOf(u *account.User) string {
	if path := wb.Accounts.PicturePath(u); path != "" {
		return path + smallPicture
	}
	return ""
}
