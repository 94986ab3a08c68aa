package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/org"
	"authy/storage"
)

// mayManage is nil for who manages the providers of an organization: its owners
// and admins, and who administers the server. Those of the whole server (""), and
// all there are, are for who administers the server. [org.ErrNoOrg] for who is no
// member.
func (s *Service) mayManage(ctx context.Context, r storage.Reader, by audit.Actor, orgID string) error {
	if by.Kind != audit.Operator && by.Kind != audit.User {
		return ErrForbidden
	}
	may, err := by.Administers(ctx, r)
	switch {
	case err != nil:
		return err
	case orgID == "" && !may:
		return ErrForbidden
	case orgID == "":
		return nil
	case may:
		_, err := findOrg(ctx, r, orgID)
		return err
	}
	return s.orgs.Manages(ctx, r, by, orgID)
}

// findOrg returns an organization. [org.ErrNoOrg] if there is none.
func findOrg(ctx context.Context, r storage.Reader, id string) (*storage.Organization, error) {
	if strings.ContainsRune(id, 0) {
		return nil, org.ErrNoOrg // storage refuses such text
	}
	o, err := r.Organization(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, org.ErrNoOrg
	}
	if err != nil {
		return nil, fmt.Errorf("look organization %s up: %w", audit.Cut(id, 64), err)
	}
	return o, nil
}

// checkIn says what is wrong with a description, of a provider that was before
// until now, as it is asked for by by.
func (s *Service) checkIn(
	ctx context.Context, r storage.Reader, by audit.Actor, before, d Description,
) error {
	n := s.problems(d)
	if d.keepsSecret && d.Secret != "" && d.Issuer != before.Issuer {
		// Else it could be had by whoever may change the issuer.
		n.add("client_secret", "Give it again: it would be sent to another issuer.")
	}
	home, err := s.homeProblems(ctx, r, by, before, d, n)
	if err != nil {
		return err
	}
	if home == nil {
		err = s.rolesExist(ctx, r, d, n)
	}
	if err != nil {
		return err
	}
	return fault.Fields(n)
}

// rolesExist notes roles in organizations that there are not.
func (s *Service) rolesExist(ctx context.Context, r storage.Reader, d Description, n notes) error {
	for _, role := range d.Options.Roles {
		_, err := findOrg(ctx, r, role.OrganizationID)
		if errors.Is(err, org.ErrNoOrg) {
			n.add("roles", "Each names the id of an organization that there is.")
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// homeProblems notes what the provider of an organization may not be; nil and no
// note for one of the whole server.
func (s *Service) homeProblems(
	ctx context.Context, r storage.Reader, by audit.Actor, before, d Description, n notes,
) (*storage.Organization, error) {
	if d.OrganizationID == "" {
		return nil, nil //nolint:nilnil // there is none, which is no error
	}
	home, err := findOrg(ctx, r, d.OrganizationID)
	if err != nil {
		return nil, err
	}
	if err := domainsGranted(ctx, r, d, n); err != nil {
		return nil, err
	}
	for _, role := range d.Options.Roles {
		if role.OrganizationID != d.OrganizationID {
			n.add("roles", "The provider of an organization gives roles in that organization alone.")
		}
	}
	may, err := by.Administers(ctx, r)
	if err != nil || may {
		return home, err
	}
	if before.Slug == "" && !strings.HasPrefix(d.Slug, home.Slug+"-") {
		n.add("slug", "It must begin with "+home.Slug+"- since it stands in URLs of the whole server.")
	}
	beyondManagers(before.Options, d.Options, n)
	return home, beyondRank(ctx, r, by, before, d, n)
}

// domainsGranted notes domains that the organization was not granted.
func domainsGranted(ctx context.Context, r storage.Reader, d Description, n notes) error {
	granted, err := r.Domains(ctx, d.OrganizationID)
	if err != nil {
		return fmt.Errorf("domains of %s: %w", d.OrganizationID, err)
	}
	for _, domain := range d.Options.Domains {
		if isDomain(domain) && !slices.ContainsFunc(granted, func(g storage.Domain) bool { return g.Domain == domain }) {
			n.add("domains", "The organization has not been granted "+domain+".")
		}
	}
	return nil
}

// beyondManagers notes changes that are for administrators of the server alone:
// they reach beyond the organization.
func beyondManagers(before, o Options, n notes) {
	const alone = "Only an administrator of the server can set this for the provider of an organization."
	if o.Registration == RegistrationOpen && before.Registration != RegistrationOpen {
		n.add("registration", alone)
	}
	if added(before.TrustedMethods, o.TrustedMethods) {
		n.add("trusted_methods", alone)
	}
	if added(before.TrustedContexts, o.TrustedContexts) {
		n.add("trusted_contexts", alone)
	}
}

func added(before, now []string) bool {
	return slices.ContainsFunc(now, func(word string) bool { return !slices.Contains(before, word) })
}

// beyondRank notes roles that by may not have given: nobody but an administrator
// of the server makes owners by a group, and admins give roles below their own.
func beyondRank(ctx context.Context, r storage.Reader, by audit.Actor, before, d Description, n notes) error {
	m, err := r.Member(ctx, d.OrganizationID, by.ID)
	if err != nil {
		return fmt.Errorf("role of %s in %s: %w", by.ID, d.OrganizationID, err)
	}
	for _, role := range d.Options.Roles {
		switch {
		case slices.Contains(before.Options.Roles, role):
		case role.Role == string(storage.RoleOwner):
			n.add("roles", "Only an administrator of the server can have groups made owners.")
		case role.Role == string(storage.RoleAdmin) && m.Role != storage.RoleOwner:
			n.add("roles", "Only an owner of the organization can have groups made admins.")
		}
	}
	return nil
}
