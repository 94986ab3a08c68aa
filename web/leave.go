package web

import (
	"net/http"
	"net/url"
	"slices"

	"authy/server/fault"
	"authy/server/org"
	"authy/server/session"
)

// leavePage is the data of page "leave".
type leavePage struct {
	ID, Organization, Problem string
	Flow                      string // of the sign-in that waits, "" for none
}

// showLeave asks whether someone really wants to leave an organization.
func (wb *Web) showLeave(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	return wb.renderLeave(w, r, http.StatusOK, id, "")
}

func (wb *Web) renderLeave(
	w http.ResponseWriter, r *http.Request, status int, id *session.Identity, problem string,
) error {
	orgs, err := wb.Orgs.Of(r.Context(), id.User.ID)
	if err != nil {
		return err
	}
	page := leavePage{ID: r.Form.Get("id"), Flow: r.Form.Get("flow"), Problem: problem}
	i := slices.IndexFunc(orgs, func(m org.Membership) bool { return m.Organization.ID == page.ID })
	if i < 0 {
		return fault.New(fault.NotFound, "not_a_member", msg("You are not a member of this organization."))
	}
	page.Organization = orgs[i].Organization.Name
	wb.pages.render(w, r, status, "leave", wb.view(r, "Leave an organization", page))
	return nil
}

// leave ends someone's membership. It is open to those whose organizations ask
// for a second factor, so that nobody is bound by what they did not ask for.
func (wb *Web) leave(w http.ResponseWriter, r *http.Request) error {
	id, err := wb.signed(w, r)
	if err != nil || id == nil {
		return err
	}
	err = wb.Orgs.Leave(r.Context(), id.Actor(actor(r)), r.PostForm.Get("id"))
	if f, told := fault.In(r.Context(), err); told && f.Is(org.ErrLastOwner) {
		return wb.renderLeave(w, r, statuses[f.Kind], id,
			msg("You are its only owner. Make someone else an owner first; then you can leave."))
	}
	if err != nil {
		return err
	}
	if flow := r.PostForm.Get("flow"); flow != "" {
		redirect(w, r, "/enroll?"+url.Values{"flow": {flow}}.Encode())
		return nil
	}
	return wb.done(w, r, organizationsPath, wb.say(r, "You have left the organization."))
}
