package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"authy/server/fault"
	"authy/server/session"
	"authy/server/token"
)

// scopes maps each operation that API tokens may call to the scope that opens
// it. What is not here is for sessions alone: whatever proves who somebody is,
// opens or ends sessions and tokens, deletes the account, or tells all of it.
var scopes = map[string]string{
	"GET /api/v1/auth/me":                token.ProfileRead,
	"GET /api/v1/users/me":               token.ProfileRead,
	"PATCH /api/v1/users/me":             token.ProfileWrite,
	"PUT " + picturePath:                 token.ProfileWrite,
	"DELETE " + picturePath:              token.ProfileWrite,
	"GET /api/v1/users/me/activity":      token.AuditRead,
	"GET /api/v1/users/me/organizations": token.OrganizationsRead,

	"GET /api/v1/organizations":                                       token.OrganizationsRead,
	"POST /api/v1/organizations":                                      token.OrganizationsWrite,
	"GET /api/v1/organizations/{id}":                                  token.OrganizationsRead,
	"PATCH /api/v1/organizations/{id}":                                token.OrganizationsWrite,
	"DELETE /api/v1/organizations/{id}":                               token.OrganizationsWrite,
	"GET /api/v1/organizations/{id}/members":                          token.OrganizationsRead,
	"POST /api/v1/organizations/{id}/members":                         token.OrganizationsWrite,
	"DELETE /api/v1/organizations/{id}/members/{user}":                token.OrganizationsWrite,
	"PATCH /api/v1/organizations/{id}/members/{user}/role":            token.OrganizationsWrite,
	"POST /api/v1/organizations/{id}/leave":                           token.OrganizationsWrite,
	"POST /api/v1/organizations/{id}/transfer":                        token.OrganizationsWrite,
	"GET /api/v1/organizations/{id}/invitations":                      token.OrganizationsRead,
	"POST /api/v1/organizations/{id}/invitations":                     token.OrganizationsWrite,
	"DELETE /api/v1/organizations/{id}/invitations/{invitation}":      token.OrganizationsWrite,
	"POST /api/v1/invitations/accept":                                 token.OrganizationsWrite,
	"POST /api/v1/invitations/decline":                                token.OrganizationsWrite,
	"GET /api/v1/organizations/{id}/audit":                            token.AuditRead,
	"GET /api/v1/organizations/{id}/audit/export":                     token.AuditRead,
	"GET /api/v1/recipes":                                             token.ClientsRead,
	"GET /api/v1/recipes/{app}":                                       token.ClientsRead,
	"GET /api/v1/organizations/{id}/clients":                          token.ClientsRead,
	"POST /api/v1/organizations/{id}/clients":                         token.ClientsWrite,
	"GET /api/v1/organizations/{id}/clients/{client}":                 token.ClientsRead,
	"PATCH /api/v1/organizations/{id}/clients/{client}":               token.ClientsWrite,
	"DELETE /api/v1/organizations/{id}/clients/{client}":              token.ClientsWrite,
	"POST /api/v1/organizations/{id}/clients/{client}/secret":         token.ClientsWrite,
	"GET /api/v1/organizations/{id}/clients/{client}/errors":          token.ClientsRead,
	"POST /api/v1/organizations/{id}/invitations/{invitation}/resend": token.OrganizationsWrite,

	"GET /api/v1/organizations/{id}/saml/services":              token.ClientsRead,
	"POST /api/v1/organizations/{id}/saml/services":             token.ClientsWrite,
	"GET /api/v1/organizations/{id}/saml/services/{service}":    token.ClientsRead,
	"PATCH /api/v1/organizations/{id}/saml/services/{service}":  token.ClientsWrite,
	"DELETE /api/v1/organizations/{id}/saml/services/{service}": token.ClientsWrite,

	"GET /api/v1/admin/overview":                                            token.AdminRead,
	"POST /api/v1/admin/audit/verify":                                       token.AdminWrite,
	"GET /api/v1/admin/users":                                               token.AdminRead,
	"POST /api/v1/admin/users":                                              token.AdminWrite,
	"GET /api/v1/admin/users/{id}":                                          token.AdminRead,
	"PATCH /api/v1/admin/users/{id}":                                        token.AdminWrite,
	"POST /api/v1/admin/users/{id}/suspend":                                 token.AdminWrite,
	"POST /api/v1/admin/users/{id}/activate":                                token.AdminWrite,
	"POST /api/v1/admin/users/{id}/sign-out":                                token.AdminWrite,
	"POST /api/v1/admin/users/{id}/panic":                                   token.AdminWrite,
	"POST /api/v1/admin/users/{id}/unlock":                                  token.AdminWrite,
	"DELETE /api/v1/admin/users/{id}":                                       token.AdminWrite,
	"GET /api/v1/admin/organizations":                                       token.AdminRead,
	"GET /api/v1/admin/organizations/{id}":                                  token.AdminRead,
	"PATCH /api/v1/admin/organizations/{id}":                                token.AdminWrite,
	"DELETE /api/v1/admin/organizations/{id}":                               token.AdminWrite,
	"GET /api/v1/admin/organizations/{id}/members":                          token.AdminRead,
	"PUT /api/v1/admin/organizations/{id}/owner":                            token.AdminWrite,
	"GET /api/v1/admin/clients":                                             token.AdminRead,
	"POST /api/v1/admin/clients":                                            token.AdminWrite,
	"GET /api/v1/admin/clients/{client}":                                    token.AdminRead,
	"PATCH /api/v1/admin/clients/{client}":                                  token.AdminWrite,
	"DELETE /api/v1/admin/clients/{client}":                                 token.AdminWrite,
	"POST /api/v1/admin/clients/{client}/secret":                            token.AdminWrite,
	"GET /api/v1/admin/registration-tokens":                                 token.AdminRead,
	"POST /api/v1/admin/registration-tokens":                                token.AdminWrite,
	"DELETE /api/v1/admin/registration-tokens/{token}":                      token.AdminWrite,
	"GET /api/v1/admin/clients/{client}/errors":                             token.AdminRead,
	"GET /api/v1/admin/saml/services":                                       token.AdminRead,
	"POST /api/v1/admin/saml/services":                                      token.AdminWrite,
	"GET /api/v1/admin/saml/services/{service}":                             token.AdminRead,
	"PATCH /api/v1/admin/saml/services/{service}":                           token.AdminWrite,
	"DELETE /api/v1/admin/saml/services/{service}":                          token.AdminWrite,
	"GET /api/v1/admin/webhooks":                                            token.AdminRead,
	"POST /api/v1/admin/webhooks":                                           token.AdminWrite,
	"GET /api/v1/admin/webhooks/{webhook}":                                  token.AdminRead,
	"PATCH /api/v1/admin/webhooks/{webhook}":                                token.AdminWrite,
	"DELETE /api/v1/admin/webhooks/{webhook}":                               token.AdminWrite,
	"POST /api/v1/admin/webhooks/{webhook}/rotate":                          token.AdminWrite,
	"POST /api/v1/admin/webhooks/{webhook}/test":                            token.AdminWrite,
	"GET /api/v1/admin/webhooks/{webhook}/deliveries":                       token.AdminRead,
	"POST /api/v1/admin/webhooks/{webhook}/deliveries/{delivery}/redeliver": token.AdminWrite,
	"GET /api/v1/admin/keys":                                                token.AdminRead,
	"POST /api/v1/admin/keys/rotate":                                        token.AdminWrite,
	"DELETE /api/v1/admin/keys/{kid}":                                       token.AdminWrite,
	"GET /api/v1/admin/branding":                                            token.AdminRead,
	"PATCH /api/v1/admin/branding":                                          token.AdminWrite,
	"DELETE /api/v1/admin/branding":                                         token.AdminWrite,
	"GET /api/v1/admin/settings":                                            token.AdminRead,
	"GET /api/v1/admin/mail":                                                token.AdminRead,
	"POST /api/v1/admin/mail/test":                                          token.AdminWrite,
	"POST /api/v1/admin/public-url/check":                                   token.AdminWrite,
	"GET /api/v1/admin/audit":                                               token.AdminRead,
	"GET /api/v1/admin/audit/export":                                        token.AdminRead,
}

// ofOrganization is how the paths begin that lead into one organization, which
// is where its service tokens get.
const ofOrganization = "/api/v1/organizations/{id}"

// What a token is told that gets nowhere.
var (
	errNoToken   = fault.New(fault.Forbidden, "session_needed", "API tokens cannot do this: sign in.")
	errNoService = fault.New(fault.Forbidden, "user_needed", "A service token acts within its organization only.")
)

// scopeError is a token that lacks a scope.
type scopeError struct{ scope string }

// Error implements [error].
func (e *scopeError) Error() string { return "The token needs the scope " + e.scope + "." }

// Unwrap returns the fault that it is.
func (e *scopeError) Unwrap() error {
	return fault.New(fault.Forbidden, "insufficient_scope", e.Error())
}

// challenge says in a header what is missing (RFC 6750, section 3.1).
func (e *scopeError) challenge() string {
	return `Bearer error="insufficient_scope", scope="` + e.scope + `"`
}

// scopeOf returns the scope that opens an operation to tokens, "" for none.
func scopeOf(op *huma.Operation) string { return scopes[op.Method+" "+op.Path] }

// secured says in an operation what opens it, and has that looked at first.
func (a *API) secured(op *huma.Operation) {
	op.Security = []map[string][]string{{"session": {}}}
	if scope := scopeOf(op); scope != "" {
		op.Security = append(op.Security, map[string][]string{"token": {scope}})
	}
	op.Middlewares = huma.Middlewares{a.requireIdentity(isForLimited(op.Method, op.Path))}
}

// admits is nil for an identity that may call an operation. A session may call
// all; what its user may do there is for the rules to say.
func admits(op *huma.Operation, id *session.Identity) error {
	if id.Token == nil {
		return nil
	}
	scope := scopeOf(op)
	switch {
	case scope == "":
		return errNoToken
	case !slices.Contains(id.Token.Scopes, scope):
		return &scopeError{scope}
	case id.User == nil && op.Path != ofOrganization && !strings.HasPrefix(op.Path, ofOrganization+"/"):
		return errNoService
	}
	return nil
}

// setChallenge tells what would open the door, where credentials did not: with
// an error if they were a token that is not good, without one if there were
// none (RFC 6750, section 3.1).
func setChallenge(h http.Header, f *Failure) {
	switch {
	case f.challenge != "":
		h.Set("WWW-Authenticate", f.challenge)
	case f.Code != http.StatusUnauthorized:
	case f.Problem.Type == "INVALID_TOKEN" || f.Problem.Type == "SESSION_INACTIVE":
		h.Set("WWW-Authenticate", `Bearer error="invalid_token"`)
	default:
		h.Set("WWW-Authenticate", "Bearer")
	}
}
