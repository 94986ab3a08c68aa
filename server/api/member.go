package api

import (
	"context"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/managed"
	"authy/server/org"
	"authy/server/session"
)

func (a *API) memberRoutes(one string) {
	signed(a, "GET "+one+"/members", 200, "Members retrieved successfully", "Members of an organization", a.members)
	signed(a, "POST "+one+"/members", 201, "Member added successfully", "Add somebody by address, or invite them", a.addMember)
	signed(a, "DELETE "+one+"/members/{user}", 200, "Member removed successfully", "Remove a member", a.removeMember)
	signed(a, "PATCH "+one+"/members/{user}/role", 200, "Member role updated successfully", "Change a member's role", a.setRole)
	signed(a, "POST "+one+"/leave", 200, "Organization left successfully", "Leave an organization", a.leaveOrg)
	signed(a, "POST "+one+"/transfer", 200, "Ownership transferred successfully", "Make another member the owner in my place", a.transferOrg)
}

// person is a user as others see them.
type person struct {
	ID        string  `json:"id" format:"uuid"`
	Email     string  `json:"email" example:"bob@acme-corp.com"`
	FullName  *string `json:"full_name" nullable:"true"`
	AvatarURL *string `json:"avatar_url" nullable:"true"`
}

// memberView is a user's place in an organization.
type memberView struct {
	ID             string     `json:"id" format:"uuid"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	UserID         string     `json:"user_id" format:"uuid"`
	OrganizationID string     `json:"organization_id" format:"uuid"`
	Role           string     `json:"role" enum:"owner,admin,member,guest"`
	InvitedByID    *string    `json:"invited_by_id" nullable:"true"`
	InvitedAt      *time.Time `json:"invited_at" nullable:"true"`
	JoinedAt       *time.Time `json:"joined_at" nullable:"true"`
	User           person     `json:"user"`
	Managed
}

func memberOf(p *org.Place) memberView {
	m, u := p.Member, p.User
	return memberView{
		ID: m.ID, CreatedAt: m.CreatedAt.Time, UpdatedAt: m.UpdatedAt.Time, UserID: m.UserID,
		OrganizationID: m.OrganizationID, Role: string(m.Role), InvitedByID: orNull(string(m.InvitedByID)),
		InvitedAt: timeOrNull(m.InvitedAt.Time), JoinedAt: timeOrNull(m.JoinedAt.Time),
		User:    person{ID: u.ID, Email: u.Email, FullName: orNull(u.FullName), AvatarURL: orNull(u.AvatarURL)},
		Managed: managedAs(managed.Member, m.ID),
	}
}

type membersIn struct {
	InOrg
	PageIn
}

type membersOut struct {
	Members []memberView `json:"members"`
	Count   int          `json:"count" doc:"How many are on this page"`
	PageOut
}

// searchMembersIn says which members are asked for.
type searchMembersIn struct {
	InOrg
	PageIn
	Search string `query:"search" maxLength:"254" pattern:"^[^\\x00]*$" doc:"Only those whose address, or any word of whose name, begins with this"`
	Role   string `query:"role" doc:"Only those with this role"`
}

func (a *API) members(ctx context.Context, _ *session.Identity, by audit.Actor, in *searchMembersIn) (*membersOut, error) {
	return memberPage(ctx, a.Orgs, by, in)
}

func memberPage(ctx context.Context, orgs *org.Service, by audit.Actor, in *searchMembersIn) (*membersOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	sought := org.Sought{Text: in.Search, Role: org.Role(in.Role)}
	found, next, err := orgs.SearchMembers(ctx, by, in.ID, sought, after, in.Limit)
	if err != nil {
		return nil, err
	}
	views := viewsOf(found, func(p *org.Person) memberView { return memberOf(&p.Place) })
	return &membersOut{Members: views, Count: len(views), PageOut: PageOut{next}}, nil
}

type addMemberIn struct {
	InOrg
	Body struct {
		Email string `json:"email" example:"bob@acme-corp.com"`
		Role  string `json:"role" example:"member" doc:"owner, admin, member or guest; below one's own, unless one is an owner"`
	}
}

type addMemberOut struct {
	Member     *memberView `json:"member,omitempty" doc:"When the address has an account"`
	Invitation *inviteView `json:"invitation,omitempty" doc:"When it has none"`
	Link       string      `json:"link,omitempty" doc:"With the invitation: where to accept it. It is shown this once."`
}

func (o *addMemberOut) title() string {
	if o.Invitation != nil {
		return "Invitation created successfully"
	}
	return ""
}

func (a *API) addMember(ctx context.Context, _ *session.Identity, by audit.Actor, in *addMemberIn) (*addMemberOut, error) {
	email, err := account.ParseEmail(in.Body.Email)
	if err != nil {
		return nil, err
	}
	added, err := a.Orgs.Add(ctx, by, in.ID, email, org.Role(in.Body.Role))
	if err != nil {
		return nil, err
	}
	if added.Invitation != nil {
		view := inviteOf(added.Invitation)
		return &addMemberOut{Invitation: &view, Link: org.InvitationLink(a.Issuer, added.Secret)}, nil
	}
	view := memberOf(added.Place)
	return &addMemberOut{Member: &view}, nil
}

// MemberIn names a member in the path.
type MemberIn struct {
	InOrg
	User string `path:"user" doc:"The user's id"`
}

func (a *API) removeMember(ctx context.Context, _ *session.Identity, by audit.Actor, in *MemberIn) (*nothing, error) {
	return nil, a.Orgs.Remove(ctx, by, in.ID, in.User)
}

type setRoleIn struct {
	MemberIn
	Body struct {
		Role string `json:"role" example:"admin" doc:"owner, admin, member or guest; below one's own, unless one is an owner"`
	}
}

type memberOut struct {
	Member memberView `json:"member"`
}

func (a *API) setRole(ctx context.Context, _ *session.Identity, by audit.Actor, in *setRoleIn) (*memberOut, error) {
	changed, err := a.Orgs.SetRole(ctx, by, in.ID, in.User, org.Role(in.Body.Role))
	if err != nil {
		return nil, err
	}
	return &memberOut{memberOf(changed)}, nil
}

func (a *API) leaveOrg(ctx context.Context, _ *session.Identity, by audit.Actor, in *InOrg) (*nothing, error) {
	return nil, a.Orgs.Leave(ctx, by, in.ID)
}

type transferIn struct {
	InOrg
	Body struct {
		UserID string `json:"user_id" doc:"A member, who becomes an owner; I become an admin"`
	}
}

func (a *API) transferOrg(ctx context.Context, _ *session.Identity, by audit.Actor, in *transferIn) (*memberOut, error) {
	owner, err := a.Orgs.Transfer(ctx, by, in.ID, in.Body.UserID)
	if err != nil {
		return nil, err
	}
	return &memberOut{memberOf(owner)}, nil
}
