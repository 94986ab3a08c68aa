package state

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"authy/server/config"
	"authy/server/managed"
	"authy/server/org"
	"authy/storage"
)

// member is somebody's place in an organization.
type member struct {
	object
	org   string // the slug
	Email string `toml:"email"`
	Role  string `toml:"role"`
}

// members are those of an organization, the owners first: the last owner can be none any
// more only when there is another.
func (o *Organization) members() []*member {
	out := make([]*member, 0, len(o.Members))
	for email, role := range o.Members {
		m := &member{org: o.Slug, Email: email, Role: role}
		m.path = join(join(o.path, "members"), email)
		out = append(out, m)
	}
	slices.SortFunc(out, func(a, b *member) int {
		return cmp.Or(slices.Index(roles, a.Role)-slices.Index(roles, b.Role), strings.Compare(a.Email, b.Email))
	})
	return out
}

func (r *run) members() (out []entry) {
	for _, o := range r.doc.Organizations {
		out = append(out, entriesOf(o.members())...)
	}
	return out
}

func (m *member) label() (kind, name string) { return managed.Member, m.Email + " of " + m.org }

// place returns the id of the organization, and the user.
func (m *member) place(ctx context.Context, r *run) (orgID string, user *storage.User, err error) {
	if orgID, err = r.orgID(ctx, m.path, m.org); err != nil {
		return "", nil, err
	}
	user, err = r.user(ctx, m.path, m.Email)
	return orgID, user, err
}

func (m *member) find(ctx context.Context, r *run) (string, error) {
	orgID, user, err := m.place(ctx, r)
	if err != nil {
		return "", err
	}
	known, err := r.tx.Member(ctx, orgID, user.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look member %s of %s up: %w", m.Email, m.org, err)
	}
	return known.ID, nil
}

func (m *member) write(ctx context.Context, r *run, id string) (string, error) {
	orgID, user, err := m.place(ctx, r)
	if err != nil {
		return "", err
	}
	if id != "" {
		_, err := r.rules.Orgs.SetRole(ctx, r.by, orgID, user.ID, org.Role(m.Role))
		return id, err
	}
	if err := r.mayTrust(ctx, m.path, user); err != nil {
		return "", err
	}
	if err := r.rules.Orgs.AddMember(ctx, r.by, orgID, user.ID, org.Role(m.Role)); err != nil {
		return "", err
	}
	return m.find(ctx, r)
}

func (m *member) describe(ctx context.Context, r *run, id string) (entry, error) {
	known, err := r.tx.MemberByID(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look member %s up: %w", id, err)
	}
	user, err := r.tx.User(ctx, known.UserID)
	if err != nil {
		return nil, fmt.Errorf("look user %s up: %w", known.UserID, err)
	}
	slug, err := r.slugOf(ctx, storage.Ref(known.OrganizationID))
	return &member{org: slug, Email: user.Email, Role: string(known.Role)}, err
}

// user returns the user with an address, whom a path of the document names.
func (r *run) user(ctx context.Context, path, email string) (*storage.User, error) {
	user, err := r.tx.UserByEmail(ctx, email)
	if errors.Is(err, storage.ErrNotFound) {
		r.source.note(path, "there is no user with this address; add one under [[user]]%s", r.meant(email))
		return nil, errRefused
	}
	if err != nil {
		return nil, fmt.Errorf("look user %s up: %w", email, err)
	}
	return user, nil
}

// meant names who may be meant in the file by an address that nobody has: one who is called nearly
// so at the same domain, or so at one that is nearly the same.
func (r *run) meant(email string) string {
	name, domain, _ := strings.Cut(email, "@")
	var names, domains []string
	for _, u := range r.doc.Users {
		switch one, at, _ := strings.Cut(u.Email, "@"); {
		case at == domain:
			names = append(names, one)
		case one == name:
			domains = append(domains, at)
		}
	}
	if near := config.Nearest(name, names); near != "" {
		return fmt.Sprintf("; did you mean %q?", near+"@"+domain)
	}
	if near := config.Nearest(domain, domains); near != "" {
		return fmt.Sprintf("; did you mean %q?", name+"@"+near)
	}
	return ""
}
