package web

import (
	"net/http"

	"authy/server/fault"
	"authy/server/managed"
	"authy/server/org"
	"authy/server/session"
)

// orgSettingsPage is the data of page "org_settings".
type orgSettingsPage struct {
	subject
	orgHead
	Fields  []inputView
	Problem string
	CLI     cliPart
}

func settingsFields(name, description, logo string) []inputView {
	return []inputView{
		{Name: "name", Label: msg("Name"), Value: name, Required: true},
		{Name: "description", Label: msg("Description"), Value: description, Kind: textArea},
		{
			Name: "logo_url", Label: msg("Address of the logo"), Kind: "url", Value: logo, Mono: true,
			Hint: msg("A square image on the web. Browsers load it from there."),
		},
	}
}

// showOrgSettings shows what an organization is called.
func (wb *Web) showOrgSettings(w http.ResponseWriter, r *http.Request, _ *session.Identity, o *org.View) error {
	is := o.Organization
	return wb.renderOrgSettings(w, r, http.StatusOK, o, "", settingsFields(is.Name, is.Description, is.LogoURL))
}

func (wb *Web) renderOrgSettings(
	w http.ResponseWriter, r *http.Request, status int, o *org.View, problem string, fields []inputView,
) error {
	wb.orgPage(w, r, status, o, "org_settings", "Settings", orgSettingsPage{
		subject: subject{managed.Organization, o.Organization.ID},
		orgHead: headOfOrg(o), Fields: fields, Problem: problem,
		CLI: cliOf("authy org update", o.Organization.Slug, "--name", o.Organization.Name),
	})
	return nil
}

// saveOrgSettings changes what an organization is called.
func (wb *Web) saveOrgSettings(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	name, description, logo := r.PostForm.Get("name"), textOf(r.PostForm.Get("description")), r.PostForm.Get("logo_url")
	_, err := wb.Orgs.Update(r.Context(), id.Actor(actor(r)), o.Organization.ID, org.Change{
		Name: &name, Description: &description, LogoURL: &logo,
	})
	if f, ok := fault.In(r.Context(), err); ok && f.Kind == fault.Invalid {
		fields := settingsFields(name, description, logo)
		problem, _ := problemsOf(r.Context(), err, fields)
		return wb.renderOrgSettings(w, r, statuses[f.Kind], o, problem, fields)
	}
	if err != nil {
		return err
	}
	return wb.carry(w, r, orgPath(o, "settings"), carried{Notice: wb.say(r, "The settings are saved.")})
}

// askDeleteOrg says what happens when an organization is deleted.
func (wb *Web) askDeleteOrg(w http.ResponseWriter, r *http.Request, _ *session.Identity, o *org.View) error {
	if o.Role != org.Owner {
		return org.ErrRole
	}
	return wb.confirmDeleteOrg(w, r, http.StatusOK, o, "")
}

func (wb *Web) confirmDeleteOrg(w http.ResponseWriter, r *http.Request, status int, o *org.View, problem string) error {
	return wb.showOrgConfirm(w, r, status, o, orgConfirmPage{
		Crumb: wb.say(r, "Settings"), CrumbPath: orgPath(o, "settings"), Problem: problem,
		Heading: wb.say(r, "Delete %s?", o.Organization.Name),
		What: []string{
			wb.count(r, int(o.Members), "%d member loses access. Their account stays.",
				"%d members lose access. Their accounts stay."),
			wb.say(r, "Its apps stop working. Its providers, API tokens and invitations are deleted."),
			wb.say(r, "This cannot be undone."),
		},
		Typed: o.Organization.Slug, Button: wb.say(r, "Delete the organization"),
		CLI: cliOf("authy org delete", o.Organization.Slug),
	})
}

// deleteOrg deletes an organization, if its short name was typed.
func (wb *Web) deleteOrg(w http.ResponseWriter, r *http.Request, id *session.Identity, o *org.View) error {
	if o.Role == org.Owner && r.PostForm.Get("confirm") != o.Organization.Slug {
		return wb.confirmDeleteOrg(w, r, http.StatusBadRequest, o, wb.say(r, "This is not the short name. Nothing was done."))
	}
	if err := wb.Orgs.Delete(r.Context(), id.Actor(actor(r)), o.Organization.ID); err != nil {
		return err
	}
	return wb.carry(w, r, "/organizations", carried{Notice: wb.say(r, "The organization is deleted.")})
}
