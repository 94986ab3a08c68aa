package org

import (
	"slices"
	"strings"

	"authy/server/fault"
	"authy/storage"
)

// Role is what a member may do in an organization.
type Role = storage.Role

// The roles, from the highest.
const (
	Owner  = storage.RoleOwner
	Admin  = storage.RoleAdmin
	Member = storage.RoleMember
	Guest  = storage.RoleGuest
)

// roles are the roles from the highest.
var roles = []Role{Owner, Admin, Member, Guest}

// Who may do what. A guest sees an organization but not who is in it.
var (
	anyone     = roles
	insiders   = []Role{Owner, Admin, Member}
	managers   = []Role{Owner, Admin}
	ownersOnly = []Role{Owner}
)

// ParseRole returns the role that text names.
func ParseRole(text string) (Role, error) {
	if role := Role(text); slices.Contains(roles, role) {
		return role, nil
	}
	return "", fault.Field("role", "Must be one of: owner, admin, member, guest.")
}

// mayGrant says whether someone with the role mine may give the role other, or
// alter a member who has it: owners any, admins those below their own.
func mayGrant(mine, other Role) bool {
	return mine == Owner || mine == Admin && below(other, Admin)
}

// below says whether a ranks lower than b.
func below(a, b Role) bool { return slices.Index(roles, a) > slices.Index(roles, b) }

// errNeeds refuses a member who has none of the roles.
func errNeeds(needed []Role) error {
	names := make([]string, len(needed))
	for i, role := range needed {
		names[i] = string(role)
	}
	return fault.New(fault.Forbidden, ErrRole.Code,
		"Requires one of the following roles: "+strings.Join(names, ", "))
}
