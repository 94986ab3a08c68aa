package web

import (
	"net/http"
	"slices"

	"authy/server/audit"
	"authy/server/org"
	"authy/server/session"
)

// orgAct is something that an administrator does to an organization.
type orgAct struct {
	title, button string
	text          []string
	danger        bool
	command       []string // of authy org, before and after the short name
	done          string
	do            func(wb *Web, r *http.Request, by audit.Actor, orgID string) error
}

// setActive enables or disables an organization.
func setActive(active bool) func(*Web, *http.Request, audit.Actor, string) error {
	return func(wb *Web, r *http.Request, by audit.Actor, orgID string) error {
		_, err := wb.Orgs.Everywhere().Update(r.Context(), by, orgID, org.Change{Active: &active})
		return err
	}
}

// orgActs are the acts by their names in addresses.
var orgActs = map[string]orgAct{
	"disable": {
		msg("Disable the organization"), msg("Disable"),
		[]string{
			msg("Its apps stop working at once, and its members no longer see it."),
			msg("Nothing is deleted: enable it again, and all is as before."),
		},
		true,
		[]string{"disable"},
		msg("The organization is disabled."), setActive(false),
	},
	"enable": {
		msg("Enable the organization"), msg("Enable"),
		[]string{msg("Its apps work again, and its members see it.")},
		false,
		[]string{"enable"},
		msg("The organization is enabled."), setActive(true),
	},
	"rescue": {
		msg("Give it an owner"), msg("Make owner"),
		[]string{
			msg("For an organization whose owners have left or cannot sign in. While one of them can, they decide who else owns it."),
			msg("The user need not be a member."),
		},
		false,
		[]string{"rescue", "EMAIL"},
		msg("The organization has an owner who can sign in."),
		func(wb *Web, r *http.Request, by audit.Actor, orgID string) error {
			_, err := wb.Orgs.Everywhere().RescueBy(r.Context(), by, orgID, r.PostForm.Get("owner"))
			return err
		},
	},
	"delete": {
		msg("Delete the organization"), msg("Delete for good"),
		[]string{
			msg("Its apps, providers, domains and invitations are deleted with it, and everything that its apps were given. Its members keep their accounts."),
			msg("This cannot be undone."),
		},
		true,
		[]string{"delete"},
		msg("The organization is deleted."),
		func(wb *Web, r *http.Request, by audit.Actor, orgID string) error {
			return wb.Orgs.Everywhere().Delete(r.Context(), by, orgID)
		},
	},
}

// orgLink leads to an act on an organization.
func orgLink(orgID, name string) actLink {
	act := orgActs[name]
	return actLink{Path: "/admin/organizations/" + orgID + "/do/" + name, Title: act.title, Text: act.button, Note: act.text[0]}
}

// orgActOf returns the act and the organization that a path names.
func (wb *Web) orgActOf(r *http.Request, id *session.Identity) (orgAct, *org.View, error) {
	act, ok := orgActs[param(r, "act")]
	if !ok {
		return orgAct{}, nil, errNoAct
	}
	view, err := wb.Orgs.Everywhere().Show(r.Context(), id.Actor(actor(r)), param(r, "id"))
	return act, view, err
}

// askOrgAct shows what an act does to an organization.
func (wb *Web) askOrgAct(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	act, view, err := wb.orgActOf(r, id)
	if err != nil {
		return err
	}
	wb.renderOrgAct(w, r, http.StatusOK, act, view, "", "")
	return nil
}

func (wb *Web) renderOrgAct(
	w http.ResponseWriter, r *http.Request, status int, act orgAct, view *org.View, problem, fieldProblem string,
) {
	o, name := view.Organization, param(r, "act")
	page := adminActPage{
		Back: "/admin/organizations/" + o.ID, BackText: o.Name, Title: act.title, About: o.Name, Text: act.text,
		Button: act.button, Danger: act.danger, Problem: problem,
		Command: cliOf(slices.Concat([]string{"authy org " + act.command[0], o.Slug}, act.command[1:])...),
	}
	switch name {
	case "rescue":
		page.Confirm = &inputView{
			Name: "owner", Label: msg("Owner"), Kind: "email", Required: true, Value: r.PostForm.Get("owner"),
			Hint: msg("The address of a user who can sign in."), Problem: fieldProblem,
		}
	case "delete":
		page.Confirm = &inputView{
			Name: "confirm", Label: msg("Type the short name of the organization"), Required: true, Mono: true,
			Hint: msg("So that it is not done by mistake."),
		}
		page.About = o.Name + " (" + o.Slug + ")"
	}
	wb.adminPage(w, r, status, "admin_act", act.title, page)
}

// doOrgAct does it.
func (wb *Web) doOrgAct(w http.ResponseWriter, r *http.Request, id *session.Identity) error {
	act, view, err := wb.orgActOf(r, id)
	if err != nil {
		return err
	}
	name, o := param(r, "act"), view.Organization
	if name == "delete" && r.PostForm.Get("confirm") != o.Slug {
		problem := wb.say(r, "That is not its short name. Nothing was deleted.")
		wb.renderOrgAct(w, r, http.StatusBadRequest, act, view, problem, "")
		return nil
	}
	err = act.do(wb, r, id.Actor(actor(r)), o.ID)
	if err != nil {
		fields := []inputView{{Name: "owner"}}
		rest, told := problemsOf(r.Context(), err, fields)
		if !told {
			return err
		}
		wb.renderOrgAct(w, r, refusedWith(r.Context(), err), act, view, rest, fields[0].Problem)
		return nil
	}
	to := "/admin/organizations/" + o.ID
	if name == "delete" {
		to = "/admin/organizations"
	}
	return wb.carry(w, r, to, carried{Notice: wb.say(r, act.done)})
}
