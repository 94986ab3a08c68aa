package registry

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"authy/server/audit"
	"authy/server/org"
	"authy/storage"
)

// Who may use a client.
const (
	AllowEveryone     = "everyone"
	AllowOrganization = "organization" // everyone with a place in it, guests too
	AllowRole         = "role:"        // and a role: who has just that in the organization
)

var roles = []string{
	string(storage.RoleOwner), string(storage.RoleAdmin), string(storage.RoleMember), string(storage.RoleGuest),
}

// AllowedProblem says what is wrong with a list of who may use an application of an
// organization, "" for none, or "".
func AllowedProblem(allowed []string, orgID string) string {
	if len(allowed) == 0 {
		return "Say who may use it; to let nobody in, disable it."
	}
	if len(allowed) > 1 && slices.ContainsFunc(allowed, func(a string) bool { return !strings.HasPrefix(a, AllowRole) }) {
		return "everyone and organization stand alone."
	}
	for _, who := range allowed {
		role, isRole := strings.CutPrefix(who, AllowRole)
		switch {
		case isRole && !has(roles, role), !isRole && who != AllowEveryone && who != AllowOrganization:
			return "Must be everyone, organization, or role: and one of " + strings.Join(roles, ", ") + "."
		case who != AllowEveryone && orgID == "":
			return "It belongs to no organization: everyone may use it."
		}
	}
	return ""
}

// ErrNotAllowed says that a user may not use a client.
var ErrNotAllowed = errors.New("registry: not allowed to use the client")

// MayUse is nil for a user who may use c. It is asked when a code is issued
// and redeemed, at each refresh, and whenever a token is presented.
func (s *Service) MayUse(ctx context.Context, r storage.Reader, c *Client, userID string) error {
	_, err := s.LetIn(ctx, r, c, userID)
	return err
}

// LetIn is [Service.MayUse], and returns which of those who may use c the user is.
func (s *Service) LetIn(ctx context.Context, r storage.Reader, c *Client, userID string) (as string, err error) {
	return LetIn(ctx, r, c.Allowed, string(c.OrganizationID), userID)
}

// LetIn returns which of those who are allowed to use an application of an organization
// a user is. [ErrNotAllowed] for none of them.
func LetIn(ctx context.Context, r storage.Reader, allowed []string, orgID, userID string) (as string, err error) {
	if has(allowed, AllowEveryone) {
		return AllowEveryone, nil
	}
	role, err := roleIn(ctx, r, orgID, userID)
	switch {
	case err != nil:
		return "", err
	case role != "" && has(allowed, AllowOrganization):
		return AllowOrganization, nil
	case role != "" && has(allowed, AllowRole+string(role)):
		return AllowRole + string(role), nil
	}
	return "", ErrNotAllowed
}

// roleIn returns the role of a user in an organization, "" for none.
func roleIn(ctx context.Context, r storage.Reader, orgID, userID string) (storage.Role, error) {
	members, err := r.Memberships(ctx, userID)
	if err != nil {
		return "", fmt.Errorf("role of %s in %s: %w", userID, orgID, err)
	}
	for _, m := range members {
		if m.OrganizationID == orgID {
			return m.Role, nil
		}
	}
	return "", nil
}

func (s *Service) mayManage(ctx context.Context, r storage.Reader, by audit.Actor, orgID string) error {
	return MayManage(ctx, r, by, orgID)
}

// MayManage is nil for who manages the applications of an organization: its owners,
// admins and services, and operators. Every one, of whichever organization or of none
// (""), is for who administers the server. [org.ErrNoOrg] for who is no member
// of the organization.
func MayManage(ctx context.Context, r storage.Reader, by audit.Actor, orgID string) error {
	switch {
	case by.Kind != audit.Operator && by.Kind != audit.User && by.Kind != audit.Service:
		return ErrForbidden
	case orgID == "":
		return mayAdminister(ctx, r, by)
	case strings.ContainsRune(orgID, 0), // storage refuses such text
		by.Kind == audit.Service && by.OrgID != orgID:
		return org.ErrNoOrg
	}
	home, err := r.Organization(ctx, orgID)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return org.ErrNoOrg
	case err != nil:
		return fmt.Errorf("look organization %s up: %w", audit.Cut(orgID, 64), err)
	case by.Kind == audit.Operator, by.Kind == audit.Service && home.IsActive:
		return nil
	}
	role, err := roleIn(ctx, r, orgID, by.ID)
	switch {
	case err != nil:
		return err
	case role == "" || !home.IsActive:
		return org.ErrNoOrg
	case role != storage.RoleOwner && role != storage.RoleAdmin:
		return ErrForbidden
	}
	return nil
}

func mayAdminister(ctx context.Context, r storage.Reader, by audit.Actor) error {
	may, err := by.Administers(ctx, r)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}
