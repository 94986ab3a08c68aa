package state

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"authy/server/config"
	"authy/server/managed"
	"authy/server/org"
	"authy/server/provider"
	"authy/storage"
)

// orgs has organizations be what the document says, whichever gives a domain up before the one
// that gets it.
func (r *run) orgs(ctx context.Context) error {
	bySlug := map[string]*Organization{}
	for _, o := range r.doc.Organizations {
		bySlug[o.Slug] = o
	}
	orgs, err := inOrder(r.doc.Organizations, func(o *Organization) (*Organization, error) {
		for _, domain := range o.wanted() {
			holder, err := r.holder(ctx, domain)
			if err != nil {
				return nil, err
			}
			if giver := bySlug[holder]; giver != nil && giver != o && giver.Domains != nil {
				return giver, nil
			}
		}
		return nil, nil //nolint:nilnil // none
	})
	if err != nil {
		return err
	}
	return r.each(entriesOf(orgs))(ctx)
}

// holder is the slug of the organization that has a domain, "" for none.
func (r *run) holder(ctx context.Context, domain string) (string, error) {
	known, err := r.tx.Domain(ctx, domain)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look up who has %s: %w", domain, err)
	}
	return r.slugOf(ctx, storage.Ref(known.OrganizationID))
}

// wanted are the domains that an organization is to have.
func (o *Organization) wanted() []string {
	wanted := make([]string, len(o.Domains))
	for i, domain := range o.Domains {
		wanted[i] = strings.ToLower(strings.TrimSpace(domain))
	}
	return wanted
}

func (o *Organization) label() (kind, name string) { return managed.Organization, o.Slug }

func (o *Organization) alias() map[string]string {
	return map[string]string{
		"mfa_policy_mode": "policy.mode", "mfa_grace_period_days": "policy.grace_days", "notify_days_before": "policy.notify_days",
		"domain": "domains",
	}
}

func (o *Organization) find(ctx context.Context, r *run) (string, error) {
	if o.ID != "" {
		known, err := r.tx.Organization(ctx, o.ID)
		switch {
		case err == nil && known.Slug != o.Slug:
			r.source.note(join(o.path, "slug"), "the organization with this id is called %s here; a slug stays as it is", known.Slug)
			return "", errRefused
		case err == nil:
			return o.ID, nil
		case !errors.Is(err, storage.ErrNotFound):
			return "", fmt.Errorf("look organization %s up: %w", o.ID, err)
		}
	}
	known, err := r.tx.OrganizationBySlug(ctx, o.Slug)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("look organization %s up: %w", o.Slug, err)
	case o.ID != "":
		r.source.note(join(o.path, "id"), "the organization with this slug has the id %s here", known.ID)
		return "", errRefused
	}
	return known.ID, o.mayAdopt(ctx, r, known)
}

// mayAdopt refuses the organization with a slug that a file names, where somebody may have made
// it before the ones who are meant: no file has, and somebody has a say in it whom the file
// gives none.
func (o *Organization) mayAdopt(ctx context.Context, r *run, known *storage.Organization) error {
	mark, err := managed.Find(ctx, r.tx.Reader, managed.Organization, known.ID)
	if err != nil || mark != nil || r.options.Take {
		return err
	}
	members, err := r.readMembers(ctx, known.ID)
	if err != nil {
		return err
	}
	leads := func(role string) bool { return role == string(org.Owner) || role == string(org.Admin) }
	for _, email := range slices.Sorted(maps.Keys(members)) {
		if leads(members[email]) && !leads(o.Members[email]) {
			r.source.note(join(o.path, "slug"), "an organization with this slug is here that no file has made, and %s is %s in it, which "+
				"members does not say; if it is the one that is meant, name its id, %s", email, members[email], known.ID)
			return errRefused
		}
	}
	return nil
}

func (o *Organization) write(ctx context.Context, r *run, id string) (string, error) {
	if id == "" {
		owner, err := o.owner(ctx, r)
		if err != nil {
			return "", err
		}
		made, err := r.rules.Orgs.Create(ctx, r.by, org.NewOrg{
			ID: o.ID, Slug: o.Slug, Name: o.Name, Description: o.Description, LogoURL: o.LogoURL, OwnerID: owner,
		})
		if err != nil {
			return "", err
		}
		id = made.ID
		first, err := r.tx.Member(ctx, id, owner)
		if err != nil {
			return "", fmt.Errorf("look the owner of %s up: %w", o.Slug, err)
		}
		r.fresh[[2]string{managed.Member, first.ID}] = true
	}
	_, err := r.rules.Orgs.Update(ctx, r.by, id, org.Change{
		Name: &o.Name, Description: &o.Description, LogoURL: &o.LogoURL, Active: &o.IsActive,
	})
	if err != nil {
		return "", err
	}
	if err := o.writePolicy(ctx, r, id); err != nil {
		return "", err
	}
	return id, o.writeDomains(ctx, r, id)
}

// owner returns the user who owns a new organization first.
func (o *Organization) owner(ctx context.Context, r *run) (string, error) {
	members := o.members()
	if len(members) == 0 || members[0].Role != string(org.Owner) {
		r.source.note(join(o.path, "members"), `a new organization needs an owner; give one of its members the role "owner"`)
		return "", errRefused
	}
	user, err := r.user(ctx, members[0].path, members[0].Email)
	if err != nil {
		return "", err
	}
	return user.ID, r.mayTrust(ctx, members[0].path, user)
}

// slugs are those of the first organizations here, which those of the file are among by then,
// if there are not very many.
func (r *run) slugs(ctx context.Context) ([]string, error) {
	orgs, err := r.tx.Organizations(ctx, storage.OrganizationFilter{}, "", page)
	if err != nil {
		return nil, fmt.Errorf("list organizations: %w", err)
	}
	slugs := make([]string, len(orgs))
	for i := range orgs {
		slugs[i] = orgs[i].Slug
	}
	return slugs, nil
}

// orgID returns the id of the organization that an object names by its slug, "" for none.
func (r *run) orgID(ctx context.Context, path, slug string) (string, error) {
	if slug == "" {
		return "", nil
	}
	known, err := r.tx.OrganizationBySlug(ctx, slug)
	if errors.Is(err, storage.ErrNotFound) {
		slugs, err := r.slugs(ctx)
		if err != nil {
			return "", err
		}
		r.source.note(join(path, "organization"), "there is no organization %q; add one under [[organization]]%s", slug,
			config.Suggest(slug, slugs))
		return "", errRefused
	}
	if err != nil {
		return "", fmt.Errorf("look organization %s up: %w", slug, err)
	}
	return known.ID, nil
}

// stays notes that an object cannot go over to another organization.
func (r *run) stays(path string, known storage.Ref, wanted string) error {
	if string(known) == wanted {
		return nil
	}
	r.source.note(join(path, "organization"), "it belongs to another organization here, and stays there; remove it and make it anew")
	return errRefused
}

// slugOf is the slug of an organization, "" for none.
func (r *run) slugOf(ctx context.Context, id storage.Ref) (string, error) {
	if id == "" {
		return "", nil
	}
	o, err := r.tx.Organization(ctx, string(id))
	if err != nil {
		return "", fmt.Errorf("look organization %s up: %w", id, err)
	}
	return o.Slug, nil
}

func (o *Organization) writePolicy(ctx context.Context, r *run, id string) error {
	if o.Policy == nil {
		return nil
	}
	known, err := r.rules.Orgs.Policy(ctx, r.by, id)
	if err != nil {
		return err
	}
	c := org.PolicyChange{Mode: o.Policy.Mode, GraceDays: o.Policy.GraceDays, NotifyDays: o.Policy.NotifyDays}
	if known.Version > 0 && is(c.Mode, known.Mode) && is(c.GraceDays, known.GraceDays) && is(c.NotifyDays, known.NotifyDays) {
		return nil
	}
	_, err = r.rules.Orgs.SetPolicy(ctx, r.by, id, c)
	return err
}

// is says whether what is wanted, if anything is, is so.
func is[T comparable](wanted *T, known T) bool { return wanted == nil || *wanted == known }

func (o *Organization) writeDomains(ctx context.Context, r *run, id string) error {
	if o.Domains == nil {
		return nil
	}
	known, err := r.domains(ctx, id)
	if err != nil {
		return err
	}
	wanted := o.wanted()
	for _, domain := range known {
		if !slices.Contains(wanted, domain) {
			if err := r.rules.Providers.RemoveDomain(ctx, r.by, id, domain); err != nil {
				return err
			}
		}
	}
	for _, domain := range slices.Compact(slices.Sorted(slices.Values(wanted))) {
		if !slices.Contains(known, domain) {
			_, err := r.rules.Providers.AddDomain(ctx, r.by, id, domain)
			if errors.Is(err, provider.ErrGranted) {
				r.source.note(join(o.path, "domains"), "another organization has %s; take it from that one first", domain)
				return errRefused
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) domains(ctx context.Context, orgID string) ([]string, error) {
	granted, err := r.tx.Domains(ctx, orgID)
	if err != nil {
		return nil, fmt.Errorf("domains of %s: %w", orgID, err)
	}
	domains := make([]string, len(granted))
	for i, d := range granted {
		domains[i] = d.Domain
	}
	return domains, nil
}

func (o *Organization) describe(ctx context.Context, r *run, id string) (entry, error) {
	known, err := r.tx.Organization(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look organization %s up: %w", id, err)
	}
	return r.describeOrg(ctx, known)
}

// describeOrg leaves the members out, which are objects of their own.
func (r *run) describeOrg(ctx context.Context, known *storage.Organization) (*Organization, error) {
	o := &Organization{
		ID: known.ID, Slug: known.Slug, Name: known.Name, Description: known.Description,
		LogoURL: known.LogoURL, IsActive: known.IsActive,
	}
	var err error
	if o.Domains, err = r.domains(ctx, known.ID); err != nil {
		return nil, err
	}
	p, err := r.tx.MFAPolicy(ctx, known.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return o, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the policy of %s: %w", known.ID, err)
	}
	o.Policy = &Policy{Mode: &p.Mode, GraceDays: &p.GraceDays, NotifyDays: &p.NotifyDays}
	return o, nil
}
