package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"authy/server/fault"
	"authy/server/provider"
)

// kindSteps are what to do at a provider of each kind before it can be added here.
var kindSteps = map[string][]string{
	provider.Google: {
		msg("In the Google Cloud console, open your project and go to Google Auth Platform, then Clients."),
		msg("Create a client of the type Web application, and add the redirect URI above to its authorized redirect URIs."),
		msg("Copy the client ID and the client secret. Google shows the secret only once."),
	},
	provider.GitHub: {
		msg("On GitHub, open Settings, Developer settings, OAuth Apps, and choose New OAuth app."),
		msg("Enter the redirect URI above as the authorization callback URL, and register the app."),
		msg("Copy the client ID, and generate a client secret."),
	},
	provider.Microsoft: {
		msg("In the Microsoft Entra admin center, open App registrations and choose New registration."),
		msg("Choose who may sign in. Add a redirect URI of the type Web: the one above."),
		msg("Copy the application (client) ID. Under Certificates & secrets, make a client secret and copy its value."),
	},
	provider.OIDC: {
		msg("At the provider, add a client of the type confidential or web application, with the code flow."),
		msg("Enter the redirect URI above there."),
		msg("Copy its client ID and its secret."),
	},
	provider.SAML: {
		msg("At the provider, add a SAML application: by the metadata URL above, or by the other two."),
		msg("Have it send a persistent name ID, the email address and the name."),
		msg("Copy the address of its metadata, or the metadata itself."),
	},
}

// kindHints say what each kind is.
var kindHints = map[string]string{
	provider.Google:    msg("Personal accounts and Google Workspace"),
	provider.GitHub:    msg("github.com and GitHub Enterprise"),
	provider.Microsoft: msg("Entra ID at work or school, and personal accounts"),
	provider.OIDC:      msg("Keycloak, Okta, Auth0, another authy, and most others"),
	provider.SAML:      msg("AD FS, Okta, Shibboleth and other company sign-ins"),
}

// kindView is a kind of provider to choose.
type kindView struct{ Kind, Name, Hint string }

// newProviderPage is the data of page "admin_provider_new".
type newProviderPage struct {
	Root, Kind, KindName string
	Kinds                []kindView // to choose from, until one is chosen
	Slug, SlugProblem    string
	Register             []copyPart
	Steps                []string
	Fields               []inputView
	Problem              string
	CLI                  cliPart
}

// showNewProvider asks of which kind a provider is to be, and then what is needed of it.
func (wb *Web) showNewProvider(w http.ResponseWriter, r *http.Request, d providerDesk) error {
	kind := r.Form.Get("kind")
	if kindNames[kind] == "" {
		page := newProviderPage{Root: d.Root, CLI: addCommand(provider.Google, provider.Google, d)}
		for _, one := range provider.Kinds {
			page.Kinds = append(page.Kinds, kindView{one, kindNames[one], kindHints[one]})
		}
		wb.providerPage(w, r, http.StatusOK, d, "admin_provider_new", wb.say(r, "Add a provider"), page)
		return nil
	}
	return wb.renderNewProvider(w, r, http.StatusOK, d, newProviderPage{
		Kind: kind, Slug: r.Form.Get("slug"), Fields: providerFields(kind, d, true, &provider.Provider{Kind: kind}, nil),
	})
}

func (wb *Web) renderNewProvider(
	w http.ResponseWriter, r *http.Request, status int, d providerDesk, page newProviderPage,
) error {
	by := d.id.Actor(actor(r))
	slug, back, err := wb.Providers.Prepare(r.Context(), by, d.orgID(), page.Kind, page.Slug)
	if f, told := fault.In(r.Context(), err); told && f.Fields["slug"] != nil {
		page.SlugProblem, status = strings.Join(f.Fields["slug"], " "), http.StatusBadRequest
		slug, back, err = wb.Providers.Prepare(r.Context(), by, d.orgID(), page.Kind, "")
	}
	if err != nil {
		return err
	}
	page.Root, page.KindName, page.Slug, page.Steps = d.Root, kindNames[page.Kind], slug, kindSteps[page.Kind]
	page.Register = wb.toRegister(page.Kind, back)
	page.CLI = addCommand(page.Kind, slug, d)
	wb.providerPage(w, r, status, d, "admin_provider_new", wb.say(r, "Add a provider"), page)
	return nil
}

// addCommand is the command that adds a provider of a kind.
func addCommand(kind, slug string, d providerDesk) cliPart {
	command, home := []string{"authy provider add", kind}, ""
	if slug != kind {
		command = append(command, "--slug", slug)
	}
	if d.home != nil {
		home = d.home.Organization.Slug
	}
	line := cliWith(command, [][2]string{{"--org", home}}).Line
	switch kind {
	case provider.SAML:
		return cliPart{line + " --name NAME --metadata-url URL"}
	case provider.OIDC:
		line += " --name NAME --issuer URL"
	case provider.Microsoft:
		line += " --tenant common"
	}
	return cliPart{line + " --client-id ID --secret-stdin < secret"}
}

// addProvider adds a provider.
func (wb *Web) addProvider(w http.ResponseWriter, r *http.Request, d providerDesk) error {
	kind := r.PostForm.Get("kind")
	if kindNames[kind] == "" {
		redirect(w, r, d.Root+"/new")
		return nil
	}
	n := provider.Description{Kind: kind, Slug: r.PostForm.Get("slug"), OrganizationID: d.orgID()}
	writeProvider(r, kind, true, &n)
	p, err := wb.Providers.Create(r.Context(), d.id.Actor(actor(r)), n)
	if err == nil {
		notice := wb.say(r, "%s is added. Test it now, and then sign in by it once yourself.", p.Name)
		return wb.carry(w, r, d.Root+"/"+p.Slug, carried{Notice: notice})
	}
	page := newProviderPage{Kind: kind, Slug: n.Slug, Fields: typed(providerFields(kind, d, true, &provider.Provider{Kind: kind}, nil), r.PostForm)}
	problem, told := problemsOf(r.Context(), err, page.Fields)
	if !told {
		return err
	}
	page.Problem = problem
	return wb.renderNewProvider(w, r, refusedWith(r.Context(), err), d, page)
}

// providerEditPage is the data of page "admin_provider_edit".
type providerEditPage struct {
	providerRow
	Root, Problem string
	Parts         []formPart
	CLI           cliPart
}

// formPart is a part of a form, under a title.
type formPart struct {
	Title  string
	Fields []inputView
}

// showProviderEdit shows what can be changed of a provider.
func (wb *Web) showProviderEdit(w http.ResponseWriter, r *http.Request, d providerDesk) error {
	return wb.renderProviderEdit(w, r, d, nil)
}

// renderProviderEdit shows it as it is or, because of what went wrong, as it was typed.
func (wb *Web) renderProviderEdit(w http.ResponseWriter, r *http.Request, d providerDesk, wrong error) error {
	u, err := wb.Providers.Inspect(r.Context(), d.id.Actor(actor(r)), d.orgID(), param(r, "provider"))
	if err != nil {
		return err
	}
	if u.IsManaged {
		return provider.ErrManaged
	}
	roles, err := wb.Providers.RoleLines(r.Context(), &u.Provider)
	if err != nil {
		return err
	}
	fields, status := providerFields(u.Kind, d, false, &u.Provider, roles), http.StatusOK
	page := providerEditPage{providerRow: rowOf(d, u), Root: d.Root, CLI: cliOf("authy provider update", u.Slug, "--name NAME")}
	if wrong != nil {
		problem, told := problemsOf(r.Context(), wrong, typed(fields, r.PostForm))
		if !told {
			return wrong
		}
		page.Problem, status = problem, refusedWith(r.Context(), wrong)
	}
	page.Parts = inParts(fields)
	wb.providerPage(w, r, status, d, "admin_provider_edit", wb.say(r, "Edit %s", u.Name), page)
	return nil
}

// editProvider changes a provider.
func (wb *Web) editProvider(w http.ResponseWriter, r *http.Request, d providerDesk) error {
	slug, by := param(r, "provider"), d.id.Actor(actor(r))
	u, err := wb.Providers.Inspect(r.Context(), by, d.orgID(), slug)
	if err != nil {
		return err
	}
	write, err := wb.readProviderForm(r, d, u.Kind)
	if err != nil {
		return wb.renderProviderEdit(w, r, d, err)
	}
	_, err = wb.Providers.Update(r.Context(), by, d.orgID(), slug, func(p *provider.Description) {
		secret, metadata := p.Secret, p.Options.Metadata
		write(p) // what the form does not have stays as it is
		if p.Secret == "" {
			p.Secret = secret // which is what the service knows as unchanged
		}
		if p.Options.Metadata == "" {
			p.Options.Metadata = metadata
		}
	})
	if err != nil {
		return wb.renderProviderEdit(w, r, d, err)
	}
	return wb.carry(w, r, d.Root+"/"+slug, carried{Notice: wb.say(r, "Saved.")})
}

// typed gives fields the values that were typed, but for secrets.
func typed(fields []inputView, form url.Values) []inputView {
	for i := range fields {
		f := &fields[i]
		if f.Kind != "password" {
			f.Value = form.Get(f.Name)
		}
		for k := range f.Options {
			f.Options[k].Chosen = f.Options[k].Value == f.Value
		}
	}
	return fields
}

// providerTitles are those of the parts of the form, by the name of their first field.
var providerTitles = map[string]string{
	"name": msg("At the provider"), "domains": msg("Who gets in"), "groups": msg("Roles"),
	"trusted_methods": msg("Second factor"), "trusted_contexts": msg("Second factor"), "keep_profile": msg("At sign-in and sign-out"),
}

// inParts puts fields under their titles.
func inParts(fields []inputView) (parts []formPart) {
	for _, f := range fields {
		title := providerTitles[f.Name]
		if title != "" && !slices.ContainsFunc(parts, func(p formPart) bool { return p.Title == title }) {
			parts = append(parts, formPart{Title: title})
		}
		last := &parts[len(parts)-1]
		last.Fields = append(last.Fields, f)
	}
	return parts
}

// writeProvider writes what was typed to the description of a provider.
func writeProvider(r *http.Request, kind string, adding bool, to *provider.Description) {
	for _, f := range providerInputs {
		if f.isFor(kind, adding) {
			f.write(to, strings.TrimSpace(r.PostForm.Get(f.Name)))
		}
	}
}

// readProviderForm reads what was typed about a provider that there is, and returns what writes
// it to the description of that.
func (wb *Web) readProviderForm(
	r *http.Request, d providerDesk, kind string,
) (write func(to *provider.Description), err error) {
	roles, err := wb.Providers.ReadRoles(r.Context(), d.orgID(), lines(r.PostForm.Get("roles")))
	if err != nil {
		return nil, err
	}
	var attributes map[string]string
	if kind == provider.SAML {
		if attributes, err = provider.ParseAttributes(lines(r.PostForm.Get("attributes"))); err != nil {
			return nil, err
		}
	}
	return func(to *provider.Description) {
		writeProvider(r, kind, false, to)
		to.Options.Roles = roles
		if kind == provider.SAML {
			to.Options.Attributes = attributes
		}
	}, nil
}
