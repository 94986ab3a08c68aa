package web

import (
	"errors"
	"io"
	"net/http"
)

// uploadMemory is more than any form with a file may have, so that no part of one goes to the disk.
const uploadMemory = 8 << 20

// upload answers a form of at most most bytes that carries a file. It is read by h, with
// readUpload, when it is known who sends it.
func (wb *Web) upload(most int64, h handler) http.Handler {
	return wb.form(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, most)
		wb.heedLanguage(r)
		if err := h(w, r); err != nil {
			wb.fail(w, r, err)
		}
	}))
}

// readUpload reads such a form.
func readUpload(r *http.Request) error {
	return r.ParseMultipartForm(uploadMemory) //nolint:gosec // [Web.upload] lets no more through
}

// sentFile returns the file in a field of a form that was read, nil if there is none.
func sentFile(r *http.Request, field string) (content []byte, err error) {
	if r.MultipartForm == nil {
		return nil, nil
	}
	file, _, err := r.FormFile(field)
	if errors.Is(err, http.ErrMissingFile) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return io.ReadAll(file)
}
