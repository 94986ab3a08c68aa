package api

import (
	"context"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/session"
)

// adminOrgRoutes are for administrators of the server, who are no members.
func (a *API) adminOrgRoutes() {
	const all = "/api/v1/admin/organizations"
	const one = all + "/{id}"
	signed(a, "GET "+all, 200, "Organizations retrieved successfully", "All organizations", a.adminOrgs)
	signed(a, "GET "+one, 200, "Organization retrieved successfully", "Any organization", a.adminOrg)
	signed(a, "PATCH "+one, 200, "Organization updated successfully", "Change, disable or enable any organization", a.correctOrg)
	signed(a, "DELETE "+one, 200, "Organization deleted successfully", "Delete any organization and its clients", a.deleteAnyOrg)
	signed(a, "GET "+one+"/members", 200, "Members retrieved successfully", "Members of any organization", a.anyMembers)
	signed(a, "PUT "+one+"/owner", 200, "Organization owner set successfully",
		"Give an organization an owner whose owners cannot sign in", a.rescueOrg)
}

type adminOrgsIn struct {
	PageIn
	Search string `query:"search" maxLength:"254" pattern:"^[^\\x00]*$" doc:"How the slug, or any word of the name, begins; or the id"`
	Active string `query:"active" enum:"true,false" doc:"Only those that are enabled, or only those that are not"`
}

type adminOrgsOut struct {
	Organizations []OrgView `json:"organizations"`
	Count         int       `json:"count" doc:"How many there are on this page"`
	PageOut
}

func (a *API) adminOrgs(ctx context.Context, _ *session.Identity, by audit.Actor, in *adminOrgsIn) (*adminOrgsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	orgs, next, err := a.Orgs.Search(ctx, by, org.Filter{Active: yesNoOrNil(in.Active)}, in.Search, after, in.Limit)
	if err != nil {
		return nil, err
	}
	return &adminOrgsOut{viewsOf(orgs, orgOf), len(orgs), PageOut{next}}, nil
}

type adminOrgOut struct {
	Organization OrgView `json:"organization"`
	MemberCount  int64   `json:"member_count"`
}

func (a *API) adminOrg(ctx context.Context, _ *session.Identity, by audit.Actor, in *InOrg) (*adminOrgOut, error) {
	view, err := a.Orgs.Everywhere().Show(ctx, by, in.ID)
	if err != nil {
		return nil, err
	}
	return &adminOrgOut{orgOf(view.Organization), view.Members}, nil
}

type correctOrgIn struct {
	InOrg
	Body struct {
		Name        clearable `json:"name,omitempty" doc:"It cannot be cleared"`
		Description clearable `json:"description,omitempty"`
		LogoURL     clearable `json:"logo_url,omitempty"`
		IsActive    *bool     `json:"is_active,omitempty" doc:"false stops its clients and shuts its members out, until it is true again"`
	}
}

func (a *API) correctOrg(ctx context.Context, _ *session.Identity, by audit.Actor, in *correctOrgIn) (*orgOut, error) {
	b := in.Body
	changed, err := a.Orgs.Everywhere().Update(ctx, by, in.ID, org.Change{
		Name: b.Name.text, Description: b.Description.text, LogoURL: b.LogoURL.text, Active: b.IsActive,
	})
	if err != nil {
		return nil, err
	}
	return &orgOut{orgOf(changed)}, nil
}

func (a *API) deleteAnyOrg(ctx context.Context, _ *session.Identity, by audit.Actor, in *InOrg) (*nothing, error) {
	return nil, a.Orgs.Everywhere().Delete(ctx, by, in.ID)
}

func (a *API) anyMembers(ctx context.Context, _ *session.Identity, by audit.Actor, in *searchMembersIn) (*membersOut, error) {
	return memberPage(ctx, a.Orgs.Everywhere(), by, in)
}

type rescueOrgIn struct {
	InOrg
	Body struct {
		UserID string `json:"user_id" doc:"The id of a user who can sign in, a member or not"`
	}
}

func (a *API) rescueOrg(ctx context.Context, _ *session.Identity, by audit.Actor, in *rescueOrgIn) (*memberOut, error) {
	owner, err := a.Orgs.Rescue(ctx, by, in.ID, in.Body.UserID)
	if err != nil {
		return nil, err
	}
	return &memberOut{memberOf(owner)}, nil
}
