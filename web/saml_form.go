package web

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"authy/server/fault"
	"authy/server/registry"
	"authy/server/saml2"
)

// samlFormPage is the data of pages "admin_saml_form" and "org_saml_form", which add a
// service, or change one.
type samlFormPage struct {
	samlPart
	samlName        // of the one that is changed
	Adds     bool   // it adds one
	Preset   string // the application that is added, "" for any
	Presets  []samlPreset
	Problem  string
	Sources  []inputView // where its metadata comes from
	Typed    []inputView // what an application without metadata says of itself
	Fields   []inputView
}

// samlPreset leads to the form that is meant for an application.
type samlPreset struct {
	Name, Path string
	Chosen     bool
}

// Line is the command that does the same.
func (p samlFormPage) Line() cliPart {
	if p.Adds {
		return cliWith([]string{"authy saml sp add --metadata URL"}, [][2]string{{"--org", p.Org}, {"--preset", p.Preset}})
	}
	return cliOf("authy saml sp update", p.Slug, "--name NAME")
}

// samlFields are the fields of the forms by their names, as somebody has filled them in.
func samlFields(form url.Values, d saml2.Description) (settings []inputView) {
	o := d.Options
	attributes := make([]string, 0, len(o.Attributes))
	for _, name := range slices.Sorted(maps.Keys(o.Attributes)) {
		attributes = append(attributes, name+"="+o.Attributes[name])
	}
	settings = []inputView{
		{Name: "name", Label: msg("Name"), Value: d.Name, Hint: msg("What people see when they sign in. Empty: what its metadata says.")},
	}
	if d.OrganizationID != "" {
		settings = append(settings, inputView{
			Name: "allow", Label: msg("Who may use it"), Kind: choices, Options: allowOptions(d.Allowed),
		})
	}
	settings = append(settings,
		inputView{Name: "name_id_format", Label: msg("Name that it knows people by"), Kind: choice, Options: formatOptions(o.NameIDFormat)},
		inputView{
			Name: "attributes", Label: msg("Attributes"), Kind: textArea, Mono: true, Value: strings.Join(attributes, "\n"),
			Hint: msg("What it is told of a person: one NAME=CLAIM per line, such as mail=email or groups=groups. NAME=text:WORDS says the same of everybody. Empty: as the application usually wants it."),
		},
		inputView{
			Name: "unsolicited", Label: msg("People can begin here"), Kind: checkbox, Value: yes(o.Unsolicited),
			Hint: msg("Gives the service a link that opens it, signed in."),
		},
		inputView{
			Name: "relay_state", Label: msg("Relay state of that link"), Value: o.RelayState, Mono: true,
			Hint: msg("Only if the application asks for one."),
		},
		inputView{
			Name: "plain", Label: msg("Do not encrypt"), Kind: checkbox, Value: yes(o.Plain),
			Hint: msg("For an application that publishes a key and cannot read what is encrypted to it."),
		},
	)
	if form.Has("attributes") {
		at := slices.IndexFunc(settings, func(f inputView) bool { return f.Name == "attributes" })
		settings[at].Value = form.Get("attributes") // as it was typed
	}
	return settings
}

func allowOptions(allowed []string) []optionView {
	options := []optionView{
		{Value: registry.AllowEveryone, Label: msg("Everyone with an account")},
		{Value: registry.AllowOrganization, Label: msg("Everyone in the organization")},
		{Value: registry.AllowRole + "owner", Label: msg("Its owners")},
		{Value: registry.AllowRole + "admin", Label: msg("Its admins")},
		{Value: registry.AllowRole + "member", Label: msg("Its members")},
		{Value: registry.AllowRole + "guest", Label: msg("Its guests")},
	}
	for i := range options {
		options[i].Chosen = slices.Contains(allowed, options[i].Value)
	}
	return options
}

func formatOptions(format string) []optionView {
	options := []optionView{
		{Value: "", Label: msg("As the application usually wants it")},
		{Value: "persistent", Label: msg("A lasting name that no other service knows")},
		{Value: "email", Label: msg("The confirmed email address")},
		{Value: "transient", Label: msg("Another name each time")},
	}
	for i := range options {
		options[i].Chosen = options[i].Value == format
	}
	return options
}

// samlSources are the fields for metadata.
func samlSources(form url.Values, d saml2.Description, hint saml2.Hint) (sources, typed []inputView) {
	address := inputView{
		Name: "metadata_url", Label: msg("Metadata URL"), Kind: "url", Mono: true,
		Value: cmp.Or(d.Options.MetadataURL, known(hint.Metadata)),
		Hint:  cmp.Or(hint.Metadata, msg("The address of its metadata, with https.")),
	}
	document := inputView{
		Name: "metadata", Label: msg("Or the metadata itself"), Kind: textArea, Mono: true, Value: form.Get("metadata"),
		Hint: msg("Paste the whole XML document."),
	}
	return []inputView{address, document}, []inputView{
		{Name: "entity_id", Label: msg("Entity ID"), Mono: true, Value: cmp.Or(form.Get("entity_id"), known(hint.EntityID)), Hint: hint.EntityID},
		{Name: "acs_url", Label: msg("ACS URL"), Kind: "url", Mono: true, Value: cmp.Or(form.Get("acs_url"), known(hint.ACS)), Hint: hint.ACS},
		{Name: "slo_url", Label: msg("Sign-out URL"), Kind: "url", Mono: true, Value: form.Get("slo_url")},
	}
}

// ownPart is what a hint has in the place of what is one's own.
var ownPart = regexp.MustCompile("[A-Z]{2}")

// known is a hint that is the same for everybody, "" for any other.
func known(hint string) string {
	if ownPart.MatchString(hint) {
		return ""
	}
	return hint
}

// readSAMLForm writes what somebody has filled in to a description.
func readSAMLForm(form url.Values, d *saml2.Description) {
	o := &d.Options
	d.Name, o.NameIDFormat, o.RelayState = form.Get("name"), form.Get("name_id_format"), form.Get("relay_state")
	o.Unsolicited, o.Plain = form.Get("unsolicited") != "", form.Get("plain") != ""
	o.MetadataURL = strings.TrimSpace(form.Get("metadata_url"))
	if text := strings.TrimSpace(form.Get("metadata")); text != "" {
		d.Metadata = text
	}
	if d.OrganizationID != "" {
		d.Allowed = slices.Clone(form["allow"])
	}
	o.Attributes = nil
	for _, line := range lines(form.Get("attributes")) {
		if o.Attributes == nil {
			o.Attributes = map[string]string{}
		}
		name, claim, _ := saml2.ParseAttribute(line)
		o.Attributes[strings.TrimSpace(name)] = strings.TrimSpace(claim)
	}
}

// showNewSAMLService shows the form that adds a service, as it is for an application if the
// address names one.
func (wb *Web) showNewSAMLService(_ http.ResponseWriter, r *http.Request, sc samlScope) error {
	d := saml2.Description{OrganizationID: sc.orgID, Allowed: []string{registry.AllowOrganization}}
	d.Options.Preset = r.URL.Query().Get("preset")
	sc.show(http.StatusOK, "saml_form", msg("Add a SAML service"), sc.newForm(url.Values{}, d))
	return nil
}

func (sc samlScope) newForm(form url.Values, d saml2.Description) samlFormPage {
	page := samlFormPage{samlPart: sc.part(), Adds: true, Fields: samlFields(form, d)}
	for _, preset := range saml2.Presets() {
		chosen := preset == d.Options.Preset
		page.Presets = append(page.Presets, samlPreset{saml2.PresetName(preset), sc.root + "/new?preset=" + preset, chosen})
		if chosen {
			page.Preset = preset
		}
	}
	page.Sources, page.Typed = samlSources(form, d, saml2.HintOf(page.Preset))
	return page
}

// again shows a form again, with what was wrong.
func (sc samlScope) again(ctx context.Context, err error, title string, page samlFormPage) error {
	fields := slices.Concat(page.Sources, page.Typed, page.Fields)
	rest, told := problemsOf(ctx, err, fields)
	if f, _ := fault.In(ctx, err); !told || f.Kind == fault.NotFound || f.Kind == fault.Forbidden {
		return err
	}
	sources, typed := len(page.Sources), len(page.Typed)
	page.Problem, page.Sources = rest, fields[:sources]
	page.Typed, page.Fields = fields[sources:sources+typed], fields[sources+typed:]
	if page.Problem == "" {
		page.Problem = msg("Some fields need another look.")
	}
	sc.show(refusedWith(ctx, err), "saml_form", title, page)
	return nil
}

// addSAMLService adds a service.
func (wb *Web) addSAMLService(w http.ResponseWriter, r *http.Request, sc samlScope) error {
	form := r.PostForm
	d := saml2.Description{OrganizationID: sc.orgID, Typed: saml2.Typed{
		EntityID: strings.TrimSpace(form.Get("entity_id")), ACS: strings.TrimSpace(form.Get("acs_url")),
		SLO: strings.TrimSpace(form.Get("slo_url")),
	}}
	d.Options.Preset = form.Get("preset")
	readSAMLForm(form, &d)
	made, err := wb.SAMLServices.Create(r.Context(), sc.id.Actor(actor(r)), d)
	if err != nil {
		return sc.again(r.Context(), err, msg("Add a SAML service"), sc.newForm(form, d))
	}
	return wb.carry(w, r, sc.at(made.Slug), carried{
		Notice: wb.say(r, "%s is added. Now give it what it needs to know of this server.", made.Name),
	})
}

// at is the path of the page of a service.
func (sc samlScope) at(slug string) string { return sc.root + "/services/" + slug }

// showSAMLServiceChange shows the form that changes a service.
func (wb *Web) showSAMLServiceChange(_ http.ResponseWriter, r *http.Request, sc samlScope) error {
	found, err := wb.SAMLServices.Show(r.Context(), sc.id.Actor(actor(r)), sc.orgID, param(r, "service"))
	if err != nil {
		return err
	}
	sc.show(http.StatusOK, "saml_form", msg("Change a SAML service"),
		sc.changeForm(url.Values{}, samlNameOf(found), saml2.Describe(found)))
	return nil
}

func (sc samlScope) changeForm(form url.Values, name samlName, d saml2.Description) samlFormPage {
	page := samlFormPage{samlPart: sc.part(), samlName: name}
	page.Sources, _ = samlSources(form, d, saml2.Hint{})
	page.Sources[1].Hint = msg("Paste a new document to replace the present one. The entity ID must stay as it is.")
	preset := inputView{Name: "preset", Label: msg("Application"), Kind: choice, Options: []optionView{
		{Value: "", Label: msg("Any application"), Chosen: d.Options.Preset == ""},
	}}
	for _, known := range saml2.Presets() {
		preset.Options = append(preset.Options, optionView{
			Value: known, Label: saml2.PresetName(known), Chosen: known == d.Options.Preset,
		})
	}
	page.Fields = samlFields(form, d)
	page.Fields = slices.Insert(page.Fields, 1, preset)
	return page
}

// changeSAMLService changes a service.
func (wb *Web) changeSAMLService(w http.ResponseWriter, r *http.Request, sc samlScope) error {
	slug, form, typed := param(r, "service"), r.PostForm, saml2.Description{}
	changed, err := wb.SAMLServices.Update(r.Context(), sc.id.Actor(actor(r)), sc.orgID, slug, false, func(d *saml2.Description) {
		readSAMLForm(form, d)
		d.Options.Preset = form.Get("preset")
		typed = *d
	})
	if err != nil {
		return sc.again(r.Context(), err, msg("Change a SAML service"), sc.changeForm(form, samlName{Slug: slug, Name: typed.Name}, typed))
	}
	return wb.carry(w, r, sc.at(slug), carried{Notice: wb.say(r, "%s is changed.", changed.Name)})
}

// switchSAMLService enables or disables a service.
func (wb *Web) switchSAMLService(w http.ResponseWriter, r *http.Request, sc samlScope) error {
	slug, off := param(r, "service"), r.PostForm.Get("active") == ""
	changed, err := wb.SAMLServices.Update(r.Context(), sc.id.Actor(actor(r)), sc.orgID, slug, false,
		func(d *saml2.Description) { d.Disabled = off })
	if err != nil {
		return err
	}
	notice := wb.say(r, "%s is enabled.", changed.Name)
	if off {
		notice = wb.say(r, "%s is disabled: nobody can sign in to it.", changed.Name)
	}
	return wb.carry(w, r, sc.at(slug), carried{Notice: notice})
}

// fetchSAMLService fetches the metadata of a service anew.
func (wb *Web) fetchSAMLService(w http.ResponseWriter, r *http.Request, sc samlScope) error {
	slug := param(r, "service")
	_, err := wb.SAMLServices.Update(r.Context(), sc.id.Actor(actor(r)), sc.orgID, slug, true, func(*saml2.Description) {})
	if err != nil {
		return err
	}
	return wb.carry(w, r, sc.at(slug), carried{Notice: wb.say(r, "The metadata is up to date.")})
}

// samlRemovePage is the data of pages "admin_saml_remove" and "org_saml_remove".
type samlRemovePage struct {
	samlPart
	samlName
}

// showSAMLServiceRemoval says what becomes of a service that is removed.
func (wb *Web) showSAMLServiceRemoval(_ http.ResponseWriter, r *http.Request, sc samlScope) error {
	found, err := wb.SAMLServices.Show(r.Context(), sc.id.Actor(actor(r)), sc.orgID, param(r, "service"))
	if err != nil {
		return err
	}
	sc.show(http.StatusOK, "saml_remove", msg("Remove a SAML service"), samlRemovePage{sc.part(), samlNameOf(found)})
	return nil
}

// removeSAMLService removes a service.
func (wb *Web) removeSAMLService(w http.ResponseWriter, r *http.Request, sc samlScope) error {
	slug := param(r, "service")
	if err := wb.SAMLServices.Remove(r.Context(), sc.id.Actor(actor(r)), sc.orgID, slug); err != nil {
		return err
	}
	return wb.carry(w, r, sc.root, carried{Notice: wb.say(r, "%s is removed.", slug)})
}
