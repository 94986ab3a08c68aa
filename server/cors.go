package server

import (
	"net/http"
	"slices"
	"strings"

	"authy/server/openid"
)

// What a page of another origin may send, and read of the answer.
const (
	corsMethods = "GET, POST, PUT, PATCH, DELETE"
	corsHeaders = "Authorization, Content-Type, X-Request-ID, DPoP"
	corsExposed = "X-Request-ID, Retry-After, RateLimit, RateLimit-Policy, WWW-Authenticate, DPoP-Nonce"
	corsMaxAge  = "3600" // seconds
)

// allowOrigins returns a function that tells browsers whether a page of
// another origin may use the API and the token endpoints, and says whether it
// has answered the request, which was a preflight. An origin is compared
// letter by letter. Cookies are never part of it: they are no credentials of
// the API.
func allowOrigins(origins []string) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if len(origins) == 0 || !isForPrograms(r.URL.Path) {
			return false
		}
		h := w.Header()
		h.Add("Vary", "Origin")
		origin := r.Header.Get("Origin")
		if !slices.Contains(origins, origin) {
			return false
		}
		h.Set("Access-Control-Allow-Origin", origin)
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
			h.Set("Access-Control-Expose-Headers", corsExposed)
			return false
		}
		h.Set("Access-Control-Allow-Methods", corsMethods)
		h.Set("Access-Control-Allow-Headers", corsHeaders)
		h.Set("Access-Control-Max-Age", corsMaxAge)
		w.WriteHeader(http.StatusNoContent)
		return true
	}
}

// isForPrograms says whether a path is called by programs, which may run in a
// page, and not visited by people.
func isForPrograms(path string) bool {
	return isAPI(path) || slices.Contains([]string{
		openid.TokenPath, openid.UserinfoPath, openid.RevocationPath, openid.IntrospectionPath,
		openid.DeviceAuthorizationPath,
		openid.PushPath,
	}, strings.TrimSuffix(path, "/"))
}
