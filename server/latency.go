package server

import (
	"net/http"
	"strings"
	"time"

	"authy/server/openid"
	"authy/server/overview"
)

// signInForms are the pages whose forms sign people in.
var signInForms = map[string]bool{
	"/sign-in": true, "/second-factor": true, "/passkey": true, "/sign-up": true,
	"/api/v1/auth/login": true, "/api/v1/auth/register": true,
}

// classOf says what sort of request one is, and whether it is one whose time is
// kept: files and the questions of monitors are not.
func classOf(r *http.Request) (class overview.Class, ok bool) {
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/static/"), path == "/favicon.ico", path == "/api/health", path == "/api/ready",
		path == MetricsPath:
		return 0, false
	case r.Method == http.MethodPost && signInForms[path]:
		return overview.SignIns, true
	case isAPI(path):
		return overview.API, true
	case path == openid.AuthorizePath:
		return overview.Authorize, true
	case strings.HasPrefix(path, "/oidc/"):
		return overview.Tokens, true
	}
	return overview.Pages, true
}

// observe keeps how long a request took that began at a time, and that it failed
// if it did.
func (s *Services) observe(w *recorder, r *http.Request, requestID string, began time.Time) {
	if w.status >= http.StatusInternalServerError {
		s.Overview.Note(overview.Incident{
			Reference: requestID, At: began, Status: w.status, Method: r.Method, Path: r.URL.Path,
		})
	}
	s.metrics.request(r, w.status, time.Since(began))
	if class, ok := classOf(r); ok {
		now := time.Now()
		s.Overview.Latency.Observe(class, now.Sub(began), now)
	}
}
