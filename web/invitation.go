package web

import (
	"net/http"
	"strings"

	"authy/server/fault"
	"authy/server/org"
)

// rolesInvited name the roles of members, as in "as member".
var rolesInvited = map[org.Role]string{
	org.Owner: msg("owner"), org.Admin: msg("admin"), org.Member: msg("member"), org.Guest: msg("guest"),
}

// showInvitation shows who invites whom to what, and asks whom it is for.
func (wb *Web) showInvitation(w http.ResponseWriter, r *http.Request) error {
	token := r.Form.Get("token")
	i, err := wb.Orgs.ShowInvitation(r.Context(), token)
	if err != nil {
		return err
	}
	page := invitationPage{
		Token: token, Organization: i.Organization, Role: rolesInvited[i.Role], Email: i.Email, InvitedBy: i.InvitedBy,
		Registration: wb.Login.Registration,
	}
	v := wb.view(r, "Invitation", nil)
	if v.Signed != nil {
		page.Mine = v.Signed.Email == i.Email
	}
	if v.Signed != nil && !page.Mine {
		page.SignedInAs = v.Signed.Email
	}
	v.Data = page
	wb.pages.render(w, r, http.StatusOK, "invitation", v)
	return nil
}

// invitedAt is the address at which somebody was invited who makes an account for it,
// "" for nobody.
func (wb *Web) invitedAt(r *http.Request) string {
	token, invited := strings.CutPrefix(wb.onward(r, toInvitation), toInvitation)
	if !invited {
		return ""
	}
	i, err := wb.Orgs.ShowInvitation(r.Context(), token)
	if err != nil {
		return "" // it has ended: the page says so when they come back to it
	}
	return i.Email
}

// waysToAnswer are where somebody goes first who is not signed in as who is invited.
var waysToAnswer = map[string]string{"sign-in": "/sign-in?switch=1", "sign-up": "/sign-up"}

// answerInvitation accepts or declines for who is signed in, or has somebody
// sign in or make an account first, who comes back to the invitation.
func (wb *Web) answerInvitation(w http.ResponseWriter, r *http.Request) error {
	token, answer := r.PostForm.Get("token"), r.PostForm.Get("answer")
	if way, ok := waysToAnswer[answer]; ok {
		wb.setOnward(w, toInvitation+token)
		redirect(w, r, way)
		return nil
	}
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	by := id.Actor(actor(r))
	switch answer {
	case "accept":
		joined, err := wb.Orgs.Accept(r.Context(), by, token)
		if err != nil {
			return err
		}
		return wb.done(w, r, organizationsPath, wb.say(r, "You belong to %s now.", joined.Organization.Name))
	case "decline":
		if err := wb.Orgs.Decline(r.Context(), by, token); err != nil {
			return err
		}
		redirect(w, r, "/invitations/declined")
	default:
		return fault.Field("answer", "Must be one of: accept, decline.")
	}
	return nil
}
