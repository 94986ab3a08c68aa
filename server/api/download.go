package api

import (
	"bufio"
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humahttprouter"

	"authy/server/audit"
	"authy/server/session"
)

// patience is how long whoever downloads may take for a part of a file.
const patience = 30 * time.Second

// download adds an operation that needs a session, or a token with its scope,
// and answers with a file, of one of some media types; errors come in the
// envelope.
func download[I any](
	a *API, route, summary string, types map[string]string,
	do func(ctx context.Context, by audit.Actor, in *I) (*huma.StreamResponse, error),
) {
	op := operation(route, http.StatusOK, summary)
	op.Errors = []int{400, 401, 403, 404, 413, 415, 429, 500, 503, 504}
	a.secured(&op)
	content := map[string]*huma.MediaType{}
	for _, name := range slices.Sorted(maps.Values(types)) {
		content[name] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
	}
	op.Responses = map[string]*huma.Response{"200": {Description: "A file", Content: content}}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*huma.StreamResponse, error) {
		id, ok := ctx.Value(identityKey{}).(*session.Identity)
		if !ok {
			return nil, failure(ctx, errAuthRequired)
		}
		out, err := do(ctx, id.Actor(audit.FromContext(ctx)), in)
		if err != nil {
			return nil, failure(ctx, err)
		}
		return out, nil
	})
}

// file answers with a file that write writes. An answer that has begun cannot
// become an error: then the connection is cut, so that nobody takes a part for
// the whole.
func file(name, mediaType string, write func(w *patientWriter) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(c huma.Context) {
		r, w, _ := humahttprouter.Unwrap(c)
		h := w.Header()
		h.Set("Content-Type", mediaType)
		h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
		out := &patientWriter{control: http.NewResponseController(w)}
		out.Writer = bufio.NewWriterSize(w, 32<<10)
		err := write(out)
		if err == nil {
			err = out.Flush()
		}
		if err != nil {
			slog.WarnContext(r.Context(), "download cut off", "err", err,
				"request_id", audit.FromContext(r.Context()).RequestID)
			panic(http.ErrAbortHandler) // impossible to say otherwise: the answer has begun
		}
	}}
}

// patientWriter moves the time limit of an answer on with each part of it.
type patientWriter struct {
	*bufio.Writer
	control *http.ResponseController
}

// Write implements [io.Writer].
func (w *patientWriter) Write(b []byte) (int, error) {
	if w.Available() < len(b) {
		// Where the server has no limit to move, there is none to meet.
		_ = w.control.SetWriteDeadline(time.Now().Add(patience))
	}
	return w.Writer.Write(b)
}
