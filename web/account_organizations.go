package web

import (
	"net/http"
	"time"

	"authy/server/org"
	"authy/server/session"
)

// accountOrganizationsPage is the data of page "account_organizations".
type accountOrganizationsPage struct {
	Received      []receivedView
	Organizations []orgView
}

// receivedView is an invitation to the reader.
type receivedView struct {
	ID, Organization, Role string
	Until                  time.Time
}

// showOrganizations shows somebody their organizations, and which invite them.
func (wb *Web) showOrganizations(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	received, err := wb.Orgs.Received(r.Context(), id.Actor(actor(r)))
	if err != nil {
		return err
	}
	mine, err := wb.Orgs.Of(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	var page accountOrganizationsPage
	for _, one := range received {
		page.Received = append(page.Received, receivedView{one.ID, one.Organization.Name, roleWords[one.Role], one.ExpiresAt})
	}
	for _, m := range mine {
		page.Organizations = append(page.Organizations, orgView{
			m.Organization.ID, m.Organization.Name, roleWords[m.Role], m.Role == org.Owner || m.Role == org.Admin,
		})
	}
	wb.ownPage(w, r, http.StatusOK, "account_organizations", "Organizations", page)
	return nil
}

// answerReceived accepts or declines an invitation.
func (wb *Web) answerReceived(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.full(w, r)
	if err != nil || id == nil {
		return err
	}
	by, invitation := id.Actor(actor(r)), r.PostForm.Get("id")
	if r.PostForm.Get("answer") != "accept" {
		if err := wb.Orgs.DeclineReceived(r.Context(), by, invitation); err != nil {
			return err
		}
		return wb.done(w, r, organizationsPath, wb.say(r, "The invitation is declined."))
	}
	joined, err := wb.Orgs.AcceptReceived(r.Context(), by, invitation)
	if err != nil {
		return err
	}
	return wb.done(w, r, organizationsPath, wb.say(r, "You belong to %s now.", joined.Organization.Name))
}
