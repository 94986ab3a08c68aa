package api

import (
	"slices"
	"strings"
)

// limitedRoutes are the operations of someone who must set a second factor up
// before anything else: they can do that, see why, and leave. Everything else
// that needs a session is refused to them; see [login.Service.Full].
var limitedRoutes = []string{
	"POST /api/v1/auth/logout",
	"GET /api/v1/auth/me",
	"GET /api/v1/auth/sessions",
	"DELETE /api/v1/auth/sessions",
	"DELETE /api/v1/auth/sessions/{id}",
	"GET /api/v1/users/me",
	"POST /api/v1/users/me/panic",
	"GET /api/v1/users/me/mfa-compliance",
	"GET /api/v1/organizations/{id}/security-policy",
	// Anybody can be made a member of anything: who does not want what it asks
	// must be able to go.
	"POST /api/v1/organizations/{id}/leave",
}

// limitedPaths begin the paths of second factors, all of whose operations are
// such.
var limitedPaths = []string{"/api/v1/auth/totp/", "/api/v1/auth/webauthn/", "/api/v1/auth/external/"}

// isForLimited says whether an operation is one of those.
func isForLimited(method, path string) bool {
	return slices.Contains(limitedRoutes, method+" "+path) ||
		slices.ContainsFunc(limitedPaths, func(begin string) bool { return strings.HasPrefix(path, begin) })
}
