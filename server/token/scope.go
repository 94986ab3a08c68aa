package token

import (
	"slices"
	"strings"
)

// The scopes: what a token opens.
const (
	ProfileRead        = "profile:read"
	ProfileWrite       = "profile:write"
	OrganizationsRead  = "organizations:read"
	OrganizationsWrite = "organizations:write"
	ClientsRead        = "clients:read"
	ClientsWrite       = "clients:write"
	AuditRead          = "audit:read"
	AdminRead          = "admin:read"
	AdminWrite         = "admin:write"
)

// Scopes are the scopes that a personal token can have, ServiceScopes those of
// a service token: what there is to do within an organization.
var (
	Scopes = []string{
		ProfileRead, ProfileWrite, OrganizationsRead, OrganizationsWrite, ClientsRead, ClientsWrite,
		AuditRead, AdminRead, AdminWrite,
	}
	ServiceScopes = []string{OrganizationsRead, OrganizationsWrite, ClientsRead, ClientsWrite, AuditRead}
)

// ForAdmin says whether a scope is for administrators of the server.
func ForAdmin(scope string) bool { return strings.HasPrefix(scope, "admin:") }

// scopesProblem says what is wrong with the scopes of a token, or "".
func scopesProblem(scopes, known []string) string {
	if len(scopes) == 0 {
		return "Name at least one scope."
	}
	for _, scope := range scopes {
		if !slices.Contains(known, scope) {
			return "Must be among: " + strings.Join(known, ", ") + "."
		}
	}
	return ""
}

// inOrder returns scopes in the order of the list, each once.
func inOrder(scopes []string) (out []string) {
	for _, scope := range Scopes {
		if slices.Contains(scopes, scope) {
			out = append(out, scope)
		}
	}
	return out
}
