package api

import (
	"context"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/org"
	"authy/server/session"
)

func (a *API) inviteRoutes(one string) {
	signed(a, "GET "+one+"/invitations", 200, "Invitations retrieved successfully", "Invitations that wait for an answer", a.invitations)
	signed(a, "POST "+one+"/invitations", 201, "Invitation created successfully", "Invite somebody by a link", a.invite)
	signed(a, "DELETE "+one+"/invitations/{invitation}", 200, "Invitation revoked successfully", "Take an invitation back", a.revokeInvite)
	signed(a, "POST "+one+"/invitations/{invitation}/resend", 201, "Invitation created successfully",
		"Send an invitation anew; its old link works no more", a.resendInvite)
	signed(a, "POST /api/v1/invitations/accept", 200, "Invitation accepted successfully", "Accept an invitation to my address", a.acceptInvite)
	signed(a, "POST /api/v1/invitations/decline", 200, "Invitation declined successfully", "Decline an invitation to my address", a.declineInvite)
}

// inviteView is an invitation that waits for an answer; its secret is never
// shown again.
type inviteView struct {
	ID             string    `json:"id" format:"uuid"`
	CreatedAt      time.Time `json:"created_at"`
	OrganizationID string    `json:"organization_id" format:"uuid"`
	Email          string    `json:"email" example:"dana@example.com"`
	Role           string    `json:"role" enum:"owner,admin,member,guest"`
	InvitedByID    *string   `json:"invited_by_id" nullable:"true"`
	ExpiresAt      time.Time `json:"expires_at"`
}

func inviteOf(i *org.Invitation) inviteView {
	return inviteView{
		ID: i.ID, CreatedAt: i.CreatedAt.Time, OrganizationID: i.OrganizationID, Email: i.Email,
		Role: string(i.Role), InvitedByID: orNull(string(i.InvitedByID)), ExpiresAt: i.ExpiresAt.Time,
	}
}

type invitationsOut struct {
	Invitations []inviteView `json:"invitations"`
	Count       int          `json:"count" doc:"How many are on this page"`
	PageOut
}

func (a *API) invitations(ctx context.Context, _ *session.Identity, by audit.Actor, in *membersIn) (*invitationsOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	found, err := a.Orgs.Invitations(ctx, by, in.ID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	views, page := firstOf(found, in.Limit, inviteOf, func(i *org.Invitation) string { return i.ID })
	return &invitationsOut{Invitations: views, Count: len(views), PageOut: page}, nil
}

type inviteOut struct {
	Invitation inviteView `json:"invitation"`
	Link       string     `json:"link" doc:"Where to accept it. It is shown this once."`
}

func (a *API) invite(ctx context.Context, _ *session.Identity, by audit.Actor, in *addMemberIn) (*inviteOut, error) {
	email, err := account.ParseEmail(in.Body.Email)
	if err != nil {
		return nil, err
	}
	made, secret, err := a.Orgs.Invite(ctx, by, in.ID, email, org.Role(in.Body.Role))
	if err != nil {
		return nil, err
	}
	return &inviteOut{inviteOf(made), org.InvitationLink(a.Issuer, secret)}, nil
}

type revokeInviteIn struct {
	InOrg
	Invitation string `path:"invitation" doc:"The invitation's id"`
}

func (a *API) revokeInvite(ctx context.Context, _ *session.Identity, by audit.Actor, in *revokeInviteIn) (*nothing, error) {
	return nil, a.Orgs.Revoke(ctx, by, in.ID, in.Invitation)
}

func (a *API) resendInvite(ctx context.Context, _ *session.Identity, by audit.Actor, in *revokeInviteIn) (*inviteOut, error) {
	made, secret, err := a.Orgs.Resend(ctx, by, in.ID, in.Invitation)
	if err != nil {
		return nil, err
	}
	return &inviteOut{inviteOf(made), org.InvitationLink(a.Issuer, secret)}, nil
}

type answerInviteIn struct {
	Body struct {
		Token string `json:"token" minLength:"1" maxLength:"256" doc:"What stands after token= in the link"`
	}
}

type acceptOut struct {
	Organization OrgView `json:"organization"`
	Role         string  `json:"role" enum:"owner,admin,member,guest" doc:"My role in it"`
}

func (a *API) acceptInvite(ctx context.Context, _ *session.Identity, by audit.Actor, in *answerInviteIn) (*acceptOut, error) {
	joined, err := a.Orgs.Accept(ctx, by, in.Body.Token)
	if err != nil {
		return nil, err
	}
	return &acceptOut{orgOf(joined.Organization), string(joined.Role)}, nil
}

func (a *API) declineInvite(ctx context.Context, _ *session.Identity, by audit.Actor, in *answerInviteIn) (*nothing, error) {
	return nil, a.Orgs.Decline(ctx, by, in.Body.Token)
}
