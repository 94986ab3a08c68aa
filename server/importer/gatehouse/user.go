package gatehouse

import (
	"cmp"
	"slices"
	"strings"

	"authy/server/audit"
	"authy/server/importer"
	"authy/storage"
	"authy/storage/foreign"
)

// statuses are those of a user, which the database has in capitals.
var statuses = map[string]storage.Status{
	"active": storage.Active, "inactive": storage.Inactive, "suspended": storage.Suspended,
	"pending": storage.Pending, "": storage.Active,
}

func (r *reader) user(row foreign.Row) {
	u := importer.User{
		ID: idOf(row, "id"), Email: row.Text("email"), FullName: row.Text("full_name"), AvatarURL: row.Text("avatar_url"),
		EmailVerified: row.Is("email_verified", false),
		CreatedAt:     row.Time("created_at"), UpdatedAt: row.Time("updated_at"),
		LastLoginAt: row.Time("last_login_at"), LastLoginIP: row.Text("last_login_ip"),
	}
	if r.isDeleted("user", u.Email, row) {
		return
	}
	status := strings.ToLower(row.Text("status"))
	known := false
	switch u.Status, known = statuses[status]; {
	case known:
	case status == "compliance_suspended":
		u.Status = storage.Active
		u.Notes = append(u.Notes, "was suspended for want of a second factor, and is active here: set the policy "+
			"of the organization, and it is asked for")
	default:
		u.Status = storage.Suspended
		u.Notes = append(u.Notes, "has the status "+audit.Cut(status, 60)+" there, which authy does not know, and is suspended here")
	}
	r.out.Users = append(r.out.Users, u)
}

// deletedTwin is why what has the id of something that was deleted there does not come: what
// refers to the id may be the other's.
const deletedTwin = "one that was deleted there has this id in another spelling, and whose is what cannot be told: " +
	"give one of them an id of its own, and import again"

// placeUsers remembers where users are, once all are read. Who are one only by the form that
// ids have here are told apart, and left out, by the importer.
func (r *reader) placeUsers() {
	r.out.Users = slices.DeleteFunc(r.out.Users, func(u importer.User) bool {
		_, deleted := r.deleted["user"+u.ID]
		if deleted {
			r.leave("user", u.Email, u.ID, deletedTwin)
		}
		return deleted
	})
	for i := range r.out.Users {
		r.places[r.out.Users[i].ID] = i
	}
}

// dropOrgs does the same for organizations.
func (r *reader) dropOrgs() {
	r.out.Organizations = slices.DeleteFunc(r.out.Organizations, func(o importer.Organization) bool {
		_, deleted := r.deleted["organization"+o.ID]
		if deleted {
			r.leave("organization", o.Slug, o.ID, deletedTwin)
		}
		return deleted
	})
}

func (r *reader) organization(row foreign.Row) {
	o := importer.Organization{
		ID: idOf(row, "id"), Slug: row.Text("slug"), Name: row.Text("name"), Description: row.Text("description"),
		LogoURL: row.Text("logo_url"), Disabled: !row.Is("is_active", true),
		CreatedAt: row.Time("created_at"), UpdatedAt: row.Time("updated_at"),
	}
	r.slugs[o.ID] = o.Slug
	if r.isDeleted("organization", o.Slug, row) {
		return
	}
	if settings := row.Text("settings"); settings != "" && settings != "{}" && settings != "null" {
		r.none("data", "settings of "+o.Slug, o.ID, "nothing ever used them")
	}
	r.out.Organizations = append(r.out.Organizations, o)
}

func (r *reader) member(row foreign.Row) {
	m := importer.Member{
		ID: idOf(row, "id"), UserID: idOf(row, "user_id"), OrganizationID: idOf(row, "organization_id"),
		Role: strings.ToLower(row.Text("role")), InvitedByID: idOf(row, "invited_by_id"),
		InvitedAt: row.Time("invited_at"), JoinedAt: row.Time("joined_at"),
		CreatedAt: row.Time("created_at"), UpdatedAt: row.Time("updated_at"),
	}
	home := cmp.Or(r.slugs[m.OrganizationID], m.OrganizationID)
	if r.isDeleted("membership", r.nameOf(m.UserID)+" in "+home, row) {
		return
	}
	r.out.Members = append(r.out.Members, m)
}
