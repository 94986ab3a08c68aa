package web

import (
	"context"
	"net/http"

	"authy/server/fault"
	"authy/server/managed"
	"authy/server/registry"
)

// clientSettingsPage is the data of page "admin_client_settings".
type clientSettingsPage struct {
	subject
	Head    clientHead
	Problem string
	Groups  []clientSettingsGroup
	Skips   bool // people are not asked, which the command line alone changes
	CLI     cliPart
}

// clientSettingsGroup is a part of the form.
type clientSettingsGroup struct {
	Title        string
	Folded, Open bool
	Fields       []inputView
}

// clientSettingsForm is the form of one client.
type clientSettingsForm struct {
	admin, inOrg bool
	groups       []clientGroup
}

func newClientSettingsForm(a *appsArea, c *registry.Client) clientSettingsForm {
	return clientSettingsForm{a.admin, c.OrganizationID != "", clientGroups()}
}

// each calls do for the fields that can be changed of a client.
func (f clientSettingsForm) each(in *clientDescription, do func(*clientField)) {
	for g := range f.groups {
		for i := range f.groups[g].fields {
			field := &f.groups[g].fields[i]
			if (field.apart == nil || !field.apart(in, f.inOrg)) && (field.fixed == nil || !field.fixed(in, f.admin)) {
				do(field)
			}
		}
	}
}

// views is the form of what in describes. sent is what was typed, nil for nothing.
func (f clientSettingsForm) views(in *clientDescription, sent map[string][]string) (groups []clientSettingsGroup) {
	for _, g := range f.groups {
		group := clientSettingsGroup{Title: g.title, Folded: g.folded}
		for i := range g.fields {
			field := &g.fields[i]
			if field.apart != nil && field.apart(in, f.inOrg) {
				continue
			}
			v := field.view(in, f.admin)
			if sent != nil && !v.ReadOnly {
				v.set(sent[v.Name])
			}
			group.Fields = append(group.Fields, v)
		}
		groups = append(groups, group)
	}
	return groups
}

// blameSettings gives each field its problem, and returns the rest.
func blameSettings(ctx context.Context, err error, groups []clientSettingsGroup) (rest string, told bool) {
	var all []inputView
	for _, g := range groups {
		all = append(all, g.Fields...)
	}
	if rest, told = problemsOf(ctx, err, all); !told {
		return "", false
	}
	for g := range groups {
		n := len(groups[g].Fields)
		groups[g].Fields, all = all[:n:n], all[n:]
		for _, field := range groups[g].Fields {
			groups[g].Open = groups[g].Open || field.Problem != ""
		}
	}
	return rest, true
}

// check says what is wrong with the form of what was sent.
func (f clientSettingsForm) check(in *clientDescription, sent map[string][]string) error {
	problems := map[string][]string{}
	f.each(in, func(field *clientField) {
		if field.check == nil {
			return
		}
		if problem := field.check(firstSent(sent[field.input.Name])); problem != "" {
			problems[field.input.Name] = []string{problem}
		}
	})
	return fault.Fields(problems)
}

func (wb *Web) showClientSettings(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	c, err := wb.found(r, a)
	if err != nil {
		return err
	}
	return wb.renderClientSettings(w, r, a, c, nil, nil)
}

func (wb *Web) renderClientSettings(
	w http.ResponseWriter, r *http.Request, a *appsArea, c *registry.Client, sent map[string][]string, refused error,
) error {
	in := registry.Describe(c)
	page := clientSettingsPage{
		subject: subject{managed.Client, c.ID},
		Head:    a.headOf(r, c), Groups: newClientSettingsForm(a, c).views(&in, sent), Skips: c.SkipConsent,
		CLI: cliOf("authy client update", c.ClientID, "--name NAME"),
	}
	status := http.StatusOK
	if refused != nil {
		rest, told := blameSettings(r.Context(), refused, page.Groups)
		if !told {
			return refused
		}
		page.Problem, status = wb.say(r, rest), refusedWith(r.Context(), refused)
	}
	a.page(w, r, status, "admin_client_settings", c.Name, page)
	return nil
}

func (wb *Web) changeClient(w http.ResponseWriter, r *http.Request, a *appsArea) error {
	c, err := wb.found(r, a)
	if err != nil {
		return err
	}
	form, before := newClientSettingsForm(a, c), registry.Describe(c)
	err = form.check(&before, r.PostForm)
	if err == nil {
		_, err = wb.Clients.Update(r.Context(), a.by, a.orgID, c.ClientID, func(in *clientDescription) {
			form.each(&before, func(field *clientField) { field.take(in, r.PostForm[field.input.Name]) })
		})
	}
	if err == nil {
		return wb.carry(w, r, a.of(c.ClientID)+"/settings", carried{Notice: wb.say(r, "The settings have been saved.")})
	}
	return wb.renderClientSettings(w, r, a, c, r.PostForm, err)
}
