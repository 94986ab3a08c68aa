package importer

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"authy/server/audit"
	"authy/server/org"
	"authy/storage"
)

func (r *run) organization(ctx context.Context, o *Organization) error {
	kept := &storage.Organization{
		ID: o.ID, Slug: org.SlugOf(o.Slug), Name: o.Name, Description: o.Description, LogoURL: o.LogoURL,
		IsActive: !o.Disabled, CreatedAt: r.at(o.CreatedAt), UpdatedAt: r.at(o.UpdatedAt),
	}
	if uuid.Validate(o.ID) != nil {
		r.leaveOrg(o, "the id is no UUID")
		return nil
	}
	known, err := r.tx.Organization(ctx, o.ID)
	switch {
	case err == nil:
		var notes []string
		if known.Slug != kept.Slug {
			notes = append(notes, "is called "+known.Slug+" here")
		}
		r.orgs[o.ID] = arrival{known.Slug, WasThere}
		r.note(anOrg, o.Slug, o.ID, WasThere, notes...)
		return nil
	case !errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("look organization %s up: %w", o.ID, err)
	}
	reason, notes, err := r.refuseOrg(ctx, o, kept)
	if err != nil {
		return err
	}
	if reason != "" {
		r.leaveOrg(o, reason)
		return nil
	}
	if err := r.Importer.orgs.Import(ctx, r.tx, r.by, r.now, r.in.Source, kept); err != nil {
		return err
	}
	r.orgs[o.ID] = arrival{kept.Slug, Came}
	r.note(anOrg, o.Slug, o.ID, Came, notes...)
	return nil
}

// leaveOrg leaves an organization out; its members and clients are left out when they come.
func (r *run) leaveOrg(o *Organization, reason string) {
	r.orgs[o.ID] = arrival{o.Slug, LeftOut}
	r.leave(anOrg, o.Slug, o.ID, reason)
}

// refuseOrg says why an organization cannot come, or what of it is otherwise here.
func (r *run) refuseOrg(
	ctx context.Context, o *Organization, kept *storage.Organization,
) (reason string, notes []string, err error) {
	other, err := r.tx.OrganizationBySlug(ctx, kept.Slug)
	if err == nil {
		return "the slug " + kept.Slug + " is here already, of the organization " + other.ID +
			", which is left as it is: change one of the two slugs, and import again", nil, nil
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return "", nil, fmt.Errorf("look organization %s up: %w", kept.Slug, err)
	}
	if kept.Slug != o.Slug {
		notes = append(notes, "is called "+kept.Slug+" here: a slug has small letters, digits and hyphens")
	}
	if org.Check(kept) != nil && kept.LogoURL != "" {
		without := *kept
		without.LogoURL = ""
		if org.Check(&without) == nil {
			kept.LogoURL = ""
			notes = append(notes, "the address of the logo was left out: Not a valid URL.")
		}
	}
	if err := org.Check(kept); err != nil {
		return fieldProblem(err), nil, nil
	}
	return "", notes, nil
}

func (r *run) member(ctx context.Context, m *Member) error {
	user, knowsUser := r.users[m.UserID]
	home, knowsOrg := r.orgs[m.OrganizationID]
	name := user.name + " in " + home.name
	role, roleErr := org.ParseRole(m.Role)
	switch {
	case !knowsUser:
		r.leave(aMember, m.UserID+" in "+home.name, m.ID, "its user is not there, or was deleted")
		return nil
	case !knowsOrg:
		r.leave(aMember, user.name+" in "+m.OrganizationID, m.ID, "its organization is not there, or was deleted")
		return nil
	case user.state == LeftOut:
		r.leave(aMember, name, m.ID, "its user was left out")
		return nil
	case home.state == LeftOut:
		r.leave(aMember, name, m.ID, "its organization was left out")
		return nil
	case roleErr != nil:
		r.leave(aMember, name, m.ID, "there is no role "+audit.Cut(m.Role, 60)+" here: owner, admin, member or guest")
		return nil
	case r.members[[2]string{m.OrganizationID, m.UserID}]:
		r.leave(aMember, name, m.ID, "they have two places there; the one that was read first came along")
		return nil
	}
	known, err := r.tx.Member(ctx, m.OrganizationID, m.UserID)
	switch {
	case err == nil:
		var notes []string
		if known.Role != role {
			notes = append(notes, "is "+string(known.Role)+" here, and "+m.Role+" there")
		}
		r.note(aMember, name, m.ID, WasThere, notes...)
		return nil
	case !errors.Is(err, storage.ErrNotFound):
		return fmt.Errorf("look member %s of %s up: %w", m.UserID, m.OrganizationID, err)
	case user.state == WasThere && home.state == WasThere:
		r.leave(aMember, name, m.ID, "both were here before, without this membership: add it if it is missed")
		return nil
	}
	return r.newMember(ctx, m, role, name)
}

func (r *run) newMember(ctx context.Context, m *Member, role org.Role, name string) error {
	kept := &storage.Member{
		ID: m.ID, OrganizationID: m.OrganizationID, UserID: m.UserID, Role: role,
		InvitedAt: storage.At(m.InvitedAt), JoinedAt: r.at(m.JoinedAt),
		CreatedAt: r.at(m.CreatedAt), UpdatedAt: r.at(m.UpdatedAt),
	}
	if uuid.Validate(kept.ID) != nil || r.memberIDs[kept.ID] { // which nothing refers to
		kept.ID = storage.NewID()
	}
	if by, ok := r.users[m.InvitedByID]; ok && by.state != LeftOut {
		kept.InvitedByID = storage.Ref(m.InvitedByID)
	}
	if err := r.Importer.orgs.ImportMember(ctx, r.tx, r.by, r.now, r.in.Source, kept); err != nil {
		return err
	}
	r.members[[2]string{m.OrganizationID, m.UserID}], r.memberIDs[m.ID] = true, true
	r.owned[m.OrganizationID] = r.owned[m.OrganizationID] || role == org.Owner
	r.note(aMember, name, m.ID, Came)
	return nil
}

// noteOrphans says of organizations that came without an owner.
func (r *run) noteOrphans() {
	for i := range r.report.Items {
		if o := &r.report.Items[i]; o.Kind == anOrg && o.State == Came && !r.owned[o.ID] {
			o.Notes = append(o.Notes, "has no owner: give it one with authy org rescue")
		}
	}
}
