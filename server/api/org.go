package api

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"authy/server/audit"
	"authy/server/managed"
	"authy/server/org"
	"authy/server/session"
)

// orgRoutes adds what there is to do with organizations, their members and
// their invitations.
func (a *API) orgRoutes() {
	const one = "/api/v1/organizations/{id}"
	signed(a, "GET /api/v1/organizations", 200, "Organizations retrieved successfully", "My organizations", a.myOrgs)
	signed(a, "POST /api/v1/organizations", 201, "Organization created successfully", "Make an organization", a.createOrg)
	signed(a, "GET "+one, 200, "Organization retrieved successfully", "One of my organizations", a.showOrg)
	signed(a, "PATCH "+one, 200, "Organization updated successfully", "Change an organization", a.updateOrg)
	signed(a, "DELETE "+one, 200, "Organization deleted successfully", "Delete an organization and its clients", a.deleteOrg)
	a.memberRoutes(one)
	a.inviteRoutes(one)
}

// OrgView is an organization.
type OrgView struct {
	ID          string    `json:"id" format:"uuid"`
	CreatedAt   time.Time `json:"created_at"`
	UpdatedAt   time.Time `json:"updated_at"`
	Name        string    `json:"name"`
	Slug        string    `json:"slug" example:"acme-corp"`
	Description *string   `json:"description" nullable:"true"`
	LogoURL     *string   `json:"logo_url" nullable:"true"`
	IsActive    bool      `json:"is_active"`
	Settings    struct{}  `json:"settings"`
	Managed
}

func orgOf(o *org.Organization) OrgView {
	return OrgView{
		ID: o.ID, CreatedAt: o.CreatedAt.Time, UpdatedAt: o.UpdatedAt.Time, Name: o.Name, Slug: o.Slug,
		Description: orNull(o.Description), LogoURL: orNull(o.LogoURL), IsActive: o.IsActive,
		Managed: managedAs(managed.Organization, o.ID),
	}
}

// myOrg is an organization and the role of who asks.
type myOrg struct {
	OrgView
	Role string `json:"role" enum:"owner,admin,member,guest" doc:"My role in it"`
}

type orgsOut struct {
	Organizations []myOrg `json:"organizations"`
	Count         int     `json:"count"`
}

func (a *API) myOrgs(ctx context.Context, id *session.Identity, _ audit.Actor, _ *struct{}) (*orgsOut, error) {
	mine, err := a.Orgs.Of(ctx, id.User.ID)
	if err != nil {
		return nil, err
	}
	out := &orgsOut{Organizations: make([]myOrg, len(mine)), Count: len(mine)}
	for i, m := range mine {
		out.Organizations[i] = myOrg{orgOf(m.Organization), string(m.Role)}
	}
	return out, nil
}

type createOrgIn struct {
	Body struct {
		Name        string  `json:"name" example:"Acme Corporation"`
		Slug        string  `json:"slug" example:"acme-corp" doc:"Lower-case letters, digits and hyphens; it does not change"`
		Description *string `json:"description,omitempty" nullable:"true"`
		LogoURL     *string `json:"logo_url,omitempty" nullable:"true"`
	}
}

type orgOut struct {
	Organization OrgView `json:"organization"`
}

func (a *API) createOrg(ctx context.Context, id *session.Identity, by audit.Actor, in *createOrgIn) (*orgOut, error) {
	b := in.Body
	o := org.NewOrg{Name: b.Name, Slug: b.Slug, OwnerID: id.User.ID}
	if b.Description != nil {
		o.Description = *b.Description
	}
	if b.LogoURL != nil {
		o.LogoURL = *b.LogoURL
	}
	made, err := a.Orgs.Create(ctx, by, o)
	if err != nil {
		return nil, err
	}
	return &orgOut{orgOf(made)}, nil
}

// InOrg names an organization in the path.
type InOrg struct {
	ID string `path:"id" doc:"The organization's id"`
}

type showOrgOut struct {
	Organization OrgView `json:"organization"`
	Role         string  `json:"role" enum:"owner,admin,member,guest" doc:"My role in it"`
	MemberCount  int64   `json:"member_count"`
}

func (a *API) showOrg(ctx context.Context, _ *session.Identity, by audit.Actor, in *InOrg) (*showOrgOut, error) {
	view, err := a.Orgs.Show(ctx, by, in.ID)
	if err != nil {
		return nil, err
	}
	return &showOrgOut{orgOf(view.Organization), string(view.Role), view.Members}, nil
}

type updateOrgIn struct {
	InOrg
	Body struct {
		Name        clearable `json:"name,omitempty" doc:"It cannot be cleared"`
		Description clearable `json:"description,omitempty"`
		LogoURL     clearable `json:"logo_url,omitempty"`
	}
}

func (a *API) updateOrg(ctx context.Context, _ *session.Identity, by audit.Actor, in *updateOrgIn) (*orgOut, error) {
	changed, err := a.Orgs.Update(ctx, by, in.ID, org.Change{
		Name: in.Body.Name.text, Description: in.Body.Description.text, LogoURL: in.Body.LogoURL.text,
	})
	if err != nil {
		return nil, err
	}
	return &orgOut{orgOf(changed)}, nil
}

// clearable is a text of a PATCH: nil when it is left out, "" for null.
type clearable struct{ text *string }

// UnmarshalJSON implements [json.Unmarshaler].
func (c *clearable) UnmarshalJSON(data []byte) error {
	c.text = new(string)
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	return json.Unmarshal(data, c.text)
}

// Schema implements [huma.SchemaProvider].
func (clearable) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Nullable: true, Description: "null clears it"}
}

func (a *API) deleteOrg(ctx context.Context, _ *session.Identity, by audit.Actor, in *InOrg) (*nothing, error) {
	return nil, a.Orgs.Delete(ctx, by, in.ID)
}
