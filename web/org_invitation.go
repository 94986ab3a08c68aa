package web

import (
	"net/http"
	"time"

	"authy/server/account"
	"authy/server/fault"
	"authy/server/org"
	"authy/server/session"
)

func (wb *Web) registerOrgInvitations(get, post func(path string, h handler), one string) {
	get(one+"/invitations", wb.manager(wb.listInvitations))
	get(one+"/invite", wb.manager(wb.showInvite))
	post(one+"/invite", wb.manager(wb.invite))
	post(one+"/invitations/:invitation/resend", wb.manager(wb.resendInvitation))
	get(one+"/invitations/:invitation/revoke", wb.manager(wb.askRevokeInvitation))
	post(one+"/invitations/:invitation/revoke", wb.manager(wb.revokeInvitation))
}

// orgInvitationsPage is the data of page "org_invitations".
type orgInvitationsPage struct {
	orgHead
	Mail        bool // whether invitations are mailed
	Invitations []invitationRow
	Pager       pagerView
}

// invitationRow is an invitation that waits for an answer.
type invitationRow struct {
	ID, Email, Role string
	Sent, Expires   time.Time
}

// listInvitations lists what waits for an answer.
func (wb *Web) listInvitations(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	after, err := orgAfter(r)
	if err != nil {
		return err
	}
	found, err := wb.Orgs.Invitations(r.Context(), id.Actor(actor(r)), o.Organization.ID, after, orgRows+1)
	if err != nil {
		return err
	}
	next := ""
	if len(found) > orgRows {
		found, next = found[:orgRows], found[orgRows-1].ID
	}
	page := orgInvitationsPage{orgHead: headOfOrg(o), Mail: wb.Orgs.Mail.Enabled(), Pager: orgPager(r, next)}
	for _, i := range found {
		page.Invitations = append(page.Invitations, invitationRow{
			ID: i.ID, Email: i.Email, Role: roleWords[i.Role], Sent: i.CreatedAt.Time, Expires: i.ExpiresAt.Time,
		})
	}
	wb.orgPage(w, r, http.StatusOK, o, "org_invitations", "Invitations", page)
	return nil
}

// orgInvitePage is the data of page "org_invite".
type orgInvitePage struct {
	orgHead
	Mail    bool
	Roles   []optionView
	Fields  []inputView
	Problem string
}

func inviteFields(o *org.View, email string, role org.Role) []inputView {
	return []inputView{
		{Name: "email", Label: msg("Email address"), Kind: "email", Value: email, Required: true},
		{
			Name: "role", Label: msg("Role"), Kind: choice, Required: true,
			Options: roleOptions(org.Grantable(o.Role), role),
		},
	}
}

// showInvite asks who is to be invited.
func (wb *Web) showInvite(w http.ResponseWriter, r *http.Request, _ *session.Identity, o *org.View) error {
	return wb.renderInvite(w, r, http.StatusOK, o, "", inviteFields(o, "", org.Member))
}

func (wb *Web) renderInvite(
	w http.ResponseWriter, r *http.Request, status int, o *org.View, problem string, fields []inputView,
) error {
	wb.orgPage(w, r, status, o, "org_invite", "Invite people", orgInvitePage{
		orgHead: headOfOrg(o), Mail: wb.Orgs.Mail.Enabled(), Fields: fields, Problem: problem,
		Roles: roleOptions(org.Grantable(o.Role), ""),
	})
	return nil
}

// invite invites somebody.
func (wb *Web) invite(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	typed, role := r.PostForm.Get("email"), org.Role(r.PostForm.Get("role"))
	email, err := account.ParseEmail(typed)
	if err == nil {
		var secret string
		_, secret, err = wb.Orgs.Invite(r.Context(), id.Actor(actor(r)), o.Organization.ID, email, role)
		if err == nil {
			return wb.invited(w, r, o, email, secret)
		}
	}
	fields := inviteFields(o, typed, role)
	problem, ok := problemsOf(r.Context(), err, fields)
	if !ok {
		return err
	}
	f, _ := fault.In(r.Context(), err)
	setRetryAfter(w, f)
	return wb.renderInvite(w, r, statuses[f.Kind], o, problem, fields)
}

// invited tells of an invitation, and of its link where nobody mails it.
func (wb *Web) invited(w http.ResponseWriter, r *http.Request, o *org.View, email, secret string) error {
	c := carried{Notice: wb.say(r, "The invitation is on its way to %s.", email)}
	if !wb.Orgs.Mail.Enabled() {
		c.Notice = wb.say(r, "%s is invited. Pass on the link below: it works once, for this address, for seven days.", email)
		c.Secret = org.InvitationLink(wb.Login.PublicURL, secret)
	}
	return wb.carry(w, r, orgPath(o, "invitations"), c)
}

// resendInvitation sends an invitation anew.
func (wb *Web) resendInvitation(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	i, secret, err := wb.Orgs.Resend(r.Context(), id.Actor(actor(r)), o.Organization.ID, param(r, "invitation"))
	if err != nil {
		return err
	}
	return wb.invited(w, r, o, i.Email, secret)
}

// askRevokeInvitation says what happens to an invitation that is taken back.
func (wb *Web) askRevokeInvitation(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	i, err := wb.Orgs.ShowWaiting(r.Context(), id.Actor(actor(r)), o.Organization.ID, param(r, "invitation"))
	if err != nil {
		return err
	}
	return wb.showOrgConfirm(w, r, http.StatusOK, o, orgConfirmPage{
		Crumb: wb.say(r, "Invitations"), CrumbPath: orgPath(o, "invitations"),
		Heading: wb.say(r, "Revoke the invitation?"),
		What:    []string{wb.say(r, "The link sent to %s stops working. You can invite this address again at any time.", i.Email)},
		Button:  wb.say(r, "Revoke the invitation"),
		CLI:     cliOf("authy invite revoke", o.Organization.Slug, i.Email),
	})
}

// revokeInvitation takes an invitation back.
func (wb *Web) revokeInvitation(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	err := wb.Orgs.Revoke(r.Context(), id.Actor(actor(r)), o.Organization.ID, param(r, "invitation"))
	if err != nil {
		return err
	}
	return wb.carry(w, r, orgPath(o, "invitations"), carried{Notice: wb.say(r, "The invitation is revoked.")})
}
