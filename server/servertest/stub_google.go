package servertest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// NewStubGoogle starts a provider with the manners of Google: the name of the issuer
// without https:// in tokens, parameters of its own in answers, no iss in them, no auth_time,
// no place to end a session, and a prompt of its own words.
func NewStubGoogle(t testing.TB) *StubOIDC {
	t.Helper()
	s := newStub(t, places{
		metadata: "/.well-known/openid-configuration", authorize: "/o/oauth2/v2/auth", token: "/token",
		keys: "/oauth2/v3/certs", userinfo: "/v1/userinfo",
	})
	s.Person = map[string]any{
		"sub": "110169484474386276334", "email": "pat@gmail.com", "email_verified": true, "name": "Pat Doe",
		"given_name": "Pat", "family_name": "Doe", "picture": "https://lh3.example/pat.jpg",
	}
	s.Announce = func(metadata map[string]any) {
		delete(metadata, "end_session_endpoint")
		delete(metadata, "authorization_response_iss_parameter_supported")
		delete(metadata, "backchannel_logout_supported")
		metadata["scopes_supported"] = []string{"openid", "email", "profile"}
		metadata["token_endpoint_auth_methods_supported"] = []string{"client_secret_post", "client_secret_basic"}
		metadata["code_challenge_methods_supported"] = []string{"plain", "S256"}
	}
	s.Respond = func(answer url.Values) {
		answer.Del("iss")
		answer.Set("scope", "email profile openid https://www.googleapis.com/auth/userinfo.email")
		answer.Set("authuser", "0")
		answer.Set("prompt", "consent")
	}
	s.Claim = func(claims map[string]any) {
		claims["iss"] = strings.TrimPrefix(s.Issuer, "http://")
		claims["azp"] = s.ClientID
		delete(claims, "auth_time")
	}
	s.Before = func(w http.ResponseWriter, r *http.Request) bool {
		prompt := r.URL.Query().Get("prompt")
		if r.URL.Path != s.places.authorize || slices.Contains([]string{"", "none", "consent", "select_account"}, prompt) {
			return false
		}
		http.Error(w, "Error 400: invalid_request. Invalid parameter value for prompt.", http.StatusBadRequest)
		return true
	}
	return s
}
