package api

import (
	"context"
	"mime"
	"net/http"
	"slices"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/fault"
	"authy/server/picture"
	"authy/server/session"
)

// picturePath is where users change their picture. It alone takes a body that is no JSON.
const picturePath = "/api/v1/users/me/picture"

// pictureRoutes are the picture of a user.
func (a *API) pictureRoutes() {
	op := operation("PUT "+picturePath, http.StatusOK, "Change my picture")
	op.MaxBodyBytes = account.MaxPicture
	signedOperation(a, op, "Picture updated successfully", a.setPicture)
	signed(a, "DELETE "+picturePath, 200, "Picture removed successfully", "Remove my picture", a.removePicture)
}

var (
	errPictureType = fault.New(fault.Invalid, "unsupported_media_type",
		"Send the picture as image/png, image/jpeg, image/webp or image/gif.")
	errPictureSize = fault.New(fault.Invalid, "payload_too_large", "The picture is larger than 5 MB.")
)

// sendsPicture says whether a request is one whose body is a picture.
func sendsPicture(r *http.Request) bool {
	return r.Method == http.MethodPut && r.URL.Path == picturePath
}

// checkPicture is checkBody for a picture.
func checkPicture(r *http.Request) error {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	known := func(f *picture.Format) bool { return f.Type == kind }
	if err != nil || !slices.ContainsFunc(account.PictureFormats, known) || r.Header.Get("Content-Encoding") != "" {
		return errPictureType
	}
	if r.ContentLength > account.MaxPicture {
		return errPictureSize
	}
	return nil
}

type pictureIn struct {
	RawBody []byte `contentType:"image/*" doc:"PNG, JPEG, WebP or GIF of at most 5 MB and 25 million pixels; its middle is kept as a square"`
}

func (a *API) setPicture(ctx context.Context, id *session.Identity, by audit.Actor, in *pictureIn) (*profileOut, error) {
	user, err := a.Accounts.SetPicture(ctx, by, id.User.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	return profileOf(user), nil
}

func (a *API) removePicture(ctx context.Context, id *session.Identity, by audit.Actor, _ *struct{}) (*profileOut, error) {
	user, err := a.Accounts.RemovePicture(ctx, by, id.User.ID)
	if err != nil {
		return nil, err
	}
	return profileOf(user), nil
}
