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

// maxPage is how many providers a page of an overview has at most.
const maxPage = 100

// Used is a provider, whose it is, and how it is used.
type Used struct {
	Provider
	Organization string // the name of whose it is; "" for the whole server's
	Use          storage.ProviderUse
}

// Search is what an overview is of: the providers with a text in their names, after a
// slug.
type Search struct {
	Text  string
	After string
	Limit int // [maxPage] at most
}

// Overview returns a page of the providers of an organization in the order of their
// slugs, and the slug that the next page is after, "" if there is none. orgID is as in
// [Service.List].
func (s *Service) Overview(
	ctx context.Context, by audit.Actor, orgID string, q Search,
) (page []Used, next string, err error) {
	list, err := s.List(ctx, by, orgID)
	if err != nil {
		return nil, "", err
	}
	text := strings.ToLower(strings.TrimSpace(q.Text))
	list = slices.DeleteFunc(list, func(p storage.Provider) bool {
		all := strings.ToLower(p.Slug + "\n" + p.Name + "\n" + p.Issuer)
		return p.Slug <= q.After && q.After != "" || !strings.Contains(all, text)
	})
	limit := min(max(q.Limit, 1), maxPage)
	if len(list) > limit {
		list, next = list[:limit], list[limit-1].Slug
	}
	page, err = s.used(ctx, list)
	return page, next, err
}

// Inspect is [Service.Show] with how the provider is used.
func (s *Service) Inspect(ctx context.Context, by audit.Actor, orgID, slug string) (*Used, error) {
	p, err := s.Show(ctx, by, orgID, slug)
	if err != nil {
		return nil, err
	}
	one, err := s.used(ctx, []storage.Provider{*p})
	if err != nil {
		return nil, err
	}
	return &one[0], nil
}

// used adds to providers whose they are, and how they are used.
func (s *Service) used(ctx context.Context, list []storage.Provider) ([]Used, error) {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	uses, err := s.db.ProviderUses(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("look up how providers are used: %w", err)
	}
	out := make([]Used, len(list))
	for i, p := range list {
		out[i] = Used{Provider: p, Use: uses[p.ID]}
		if p.OrganizationID == "" {
			continue
		}
		home, err := findOrg(ctx, s.db.Reader, string(p.OrganizationID))
		if err != nil {
			return nil, err
		}
		out[i].Organization = home.Name
	}
	return out, nil
}

// Prepare returns the slug of a provider to be added, which is one that is free unless
// it is given, and where people will come back to: that is registered there first.
func (s *Service) Prepare(
	ctx context.Context, by audit.Actor, orgID, kind, slug string,
) (free, redirectURI string, err error) {
	if err := s.mayManage(ctx, s.db.Reader, by, orgID); err != nil {
		return "", "", err
	}
	if problem := oneOf(kind, Kinds...); problem != "" {
		return "", "", fault.Field("kind", problem)
	}
	first, given := kind, slug != ""
	if orgID != "" {
		home, err := findOrg(ctx, s.db.Reader, orgID)
		if err != nil {
			return "", "", err
		}
		first = home.Slug + "-" + kind
	}
	if !given {
		slug = first
	}
	if problem := slugProblem(slug); problem != "" {
		return "", "", fault.Field("slug", problem)
	}
	for n := 2; ; n++ {
		_, err := s.Find(ctx, slug)
		if errors.Is(err, ErrNoProvider) {
			return slug, s.RedirectURI(&storage.Provider{Kind: kind, Slug: slug}), nil
		}
		if err != nil {
			return "", "", err
		}
		if given {
			return "", "", fault.Field("slug", ErrTaken.Message)
		}
		slug = fmt.Sprintf("%s-%d", first, n)
	}
}

// RoleLines writes roles as [Service.ReadRoles] reads them: those in the provider's own
// organization without its name.
func (s *Service) RoleLines(ctx context.Context, p *storage.Provider) ([]string, error) {
	lines := make([]string, len(p.Options.Roles))
	for i, role := range p.Options.Roles {
		lines[i] = role.Group + "=" + role.Role
		if role.OrganizationID == string(p.OrganizationID) {
			continue
		}
		home, err := findOrg(ctx, s.db.Reader, role.OrganizationID)
		switch {
		case errors.Is(err, org.ErrNoOrg):
			lines[i] = role.Group + "=" + role.OrganizationID + ":" + role.Role
		case err != nil:
			return nil, err
		default:
			lines[i] = role.Group + "=" + home.Slug + ":" + role.Role
		}
	}
	return lines, nil
}

// ReadRoles reads lines as [ParseRole] does, and finds their organizations by slug. For
// the provider of an organization no other is looked up: it gives roles there alone.
func (s *Service) ReadRoles(ctx context.Context, orgID string, lines []string) ([]Role, error) {
	var roles []Role
	for _, line := range lines {
		role, home, err := ParseRole(line)
		if err != nil {
			return nil, err
		}
		role.OrganizationID = home
		if home != "" {
			if err := s.resolve(ctx, orgID, &role); err != nil {
				return nil, err
			}
		}
		roles = append(roles, role)
	}
	return roles, nil
}

// resolve puts the id of the organization of a role in the place of its slug.
func (s *Service) resolve(ctx context.Context, orgID string, role *Role) error {
	if orgID != "" {
		home, err := findOrg(ctx, s.db.Reader, orgID)
		if err == nil && home.Slug == role.OrganizationID {
			role.OrganizationID = orgID
		}
		return err
	}
	home, err := s.orgs.Find(ctx, role.OrganizationID)
	if f, told := fault.As(err); told && f.Kind == fault.NotFound {
		return fault.Field("roles", "There is no organization "+audit.Cut(role.OrganizationID, 64)+".")
	}
	if err != nil {
		return fmt.Errorf("look organization %s up: %w", audit.Cut(role.OrganizationID, 64), err)
	}
	role.OrganizationID = home.ID
	return nil
}
