package cmd

import (
	"slices"
	"strings"
	"time"

	"authy/server"
	"authy/server/provider"
)

// providerOut is an identity provider as programs see it.
type providerOut struct {
	Slug            string            `json:"slug"`
	Kind            string            `json:"kind"`
	OrganizationID  string            `json:"organization_id"`
	Name            string            `json:"name"`
	IsActive        bool              `json:"is_active"`
	IsManaged       bool              `json:"is_managed"`
	ManagedBy       string            `json:"managed_by,omitempty"` // a state file
	RedirectURI     string            `json:"redirect_uri"`
	Issuer          string            `json:"issuer"`
	ClientID        string            `json:"client_id"`
	HasSecret       bool              `json:"has_secret"`
	AuthMethod      string            `json:"auth_method,omitempty"`
	Scopes          []string          `json:"scopes,omitempty"`
	Tenants         []string          `json:"tenants,omitempty"`
	Domains         []string          `json:"domains"`
	Registration    string            `json:"registration"`
	TrustedMethods  []string          `json:"trusted_methods"`
	TrustedContexts []string          `json:"trusted_contexts"`
	Groups          string            `json:"groups"`
	Roles           []provider.Role   `json:"roles"`
	KeepProfile     bool              `json:"keep_profile"`
	Logout          bool              `json:"logout"`
	MetadataURL     string            `json:"metadata_url,omitempty"`
	HasMetadata     bool              `json:"has_metadata"`
	Unsolicited     bool              `json:"unsolicited"`
	NameIDFormat    string            `json:"name_id_format,omitempty"`
	Subject         string            `json:"subject_attribute,omitempty"`
	Attributes      map[string]string `json:"attributes,omitempty"`
	RefreshedAt     *time.Time        `json:"refreshed_at"` // the metadata
	RefreshProblem  string            `json:"refresh_problem,omitempty"`
	CreatedAt       *time.Time        `json:"created_at"`
	UpdatedAt       *time.Time        `json:"updated_at"`
}

func providerOutOf(s *server.Services, p *provider.Provider) providerOut {
	list := func(words []string) []string { return append([]string{}, words...) }
	o := p.Options
	return providerOut{
		Slug: p.Slug, Kind: p.Kind, OrganizationID: string(p.OrganizationID), Name: p.Name, IsActive: p.IsActive,
		IsManaged: p.IsManaged, RedirectURI: s.Providers.RedirectURI(p), Issuer: p.Issuer, ClientID: p.ClientID,
		HasSecret: p.SealedSecret != "", AuthMethod: o.AuthMethod, Scopes: o.Scopes, Tenants: o.Tenants, Domains: list(o.Domains), Registration: o.Registration,
		TrustedMethods: list(o.TrustedMethods), TrustedContexts: list(o.TrustedContexts), Groups: o.Groups,
		Roles: append([]provider.Role{}, o.Roles...), KeepProfile: o.KeepProfile, Logout: o.Logout,
		MetadataURL: o.MetadataURL, HasMetadata: o.Metadata != "", Unsolicited: o.Unsolicited,
		NameIDFormat: o.NameIDFormat, Subject: o.SubjectAttribute, Attributes: o.Attributes,
		RefreshedAt: instantOrNull(p.RefreshedAt.Time), RefreshProblem: p.RefreshProblem,
		CreatedAt: instantOrNull(p.CreatedAt.Time), UpdatedAt: instantOrNull(p.UpdatedAt.Time),
	}
}

func (a *app) printProviders(s *server.Services, list []provider.Provider, asJSON bool) error {
	out, rows := make([]providerOut, len(list)), make([][]string, len(list))
	for i := range list {
		p := providerOutOf(s, &list[i])
		out[i] = p
		rows[i] = []string{p.Slug, p.Kind, p.Name, yesOrNo(p.IsActive), setBy(p), p.OrganizationID, p.Issuer}
	}
	switch {
	case asJSON:
		return a.printJSON(out)
	case len(list) == 0:
		a.note("There are no identity providers. Add one with 'authy provider add KIND'.")
		return nil
	}
	return a.printTable([]string{"SLUG", "KIND", "NAME", "ENABLED", "SET BY", "ORGANIZATION", "ISSUER"}, rows)
}

// setBy says where a provider can be changed.
func setBy(p providerOut) string {
	switch {
	case p.IsManaged:
		return "configuration"
	case p.ManagedBy != "":
		return p.ManagedBy
	}
	return "hand"
}

func (a *app) printProvider(s *server.Services, kept *provider.Provider, file string, asJSON bool) error {
	p := providerOutOf(s, kept)
	if p.ManagedBy = file; asJSON {
		return a.printJSON(p)
	}
	roles := make([]string, len(p.Roles))
	for i, role := range p.Roles {
		roles[i] = role.Group + "=" + role.OrganizationID + ":" + role.Role
	}
	registration := p.Registration
	if registration == "" {
		registration = "as the server is set"
	}
	rows := [][]string{
		{"Slug", p.Slug},
		{"Kind", p.Kind},
		{"Name", p.Name},
		{"Organization", p.OrganizationID},
		{"Enabled", yesOrNo(p.IsActive)},
		{"Set by", setBy(p)},
		{"Redirect URI", p.RedirectURI},
		{"Issuer", p.Issuer},
	}
	if p.Kind == provider.SAML {
		rows = append(rows, a.samlRows(p)...)
	} else {
		rows = append(rows, [][]string{
			{"Client ID", p.ClientID},
			{"Has a secret", yesOrNo(p.HasSecret)},
			{"Proves itself by", p.AuthMethod},
			{"Scopes", strings.Join(p.Scopes, " ")},
			{"Tenants", strings.Join(p.Tenants, " ")},
			{"Trusted methods", strings.Join(p.TrustedMethods, " ")},
		}...)
	}
	return a.printTable(nil, append(rows, [][]string{
		{"Trusted contexts", strings.Join(p.TrustedContexts, " ")},
		{"Believed about", strings.Join(p.Domains, " ")},
		{"Registration", registration},
		{"Groups", p.Groups},
		{"Roles", strings.Join(roles, " ")},
		{"Keeps profiles", yesOrNo(p.KeepProfile)},
		{"Signs out there", yesOrNo(p.Logout)},
		{"Created", instant(kept.CreatedAt.Time)},
		{"Changed", instant(kept.UpdatedAt.Time)},
	}...))
}

func (a *app) samlRows(p providerOut) [][]string {
	var attributes []string
	for claim, attribute := range p.Attributes {
		attributes = append(attributes, claim+"="+attribute)
	}
	slices.Sort(attributes)
	fetched := ""
	if p.RefreshedAt != nil {
		fetched = instant(*p.RefreshedAt)
	}
	return [][]string{
		{"Metadata at", p.MetadataURL},
		{"Has metadata", yesOrNo(p.HasMetadata)},
		{"Begins sign-ins", yesOrNo(p.Unsolicited)},
		{"Metadata fetched", fetched},
		{"Not kept because", p.RefreshProblem},
		{"Name ID format", p.NameIDFormat},
		{"Subject attribute", p.Subject},
		{"Attributes", strings.Join(attributes, " ")},
	}
}

// checkOut is something that was looked at, as programs see it.
type checkOut struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	Text string `json:"text"`
}

// printChecks prints what a test has found; the error says that something is not
// right.
func (a *app) printChecks(checks []provider.Check, asJSON bool) error {
	out, rows, good := make([]checkOut, len(checks)), make([][]string, len(checks)), true
	for i, c := range checks {
		word := "ok"
		if !c.OK {
			word, good = "BAD", false
		}
		out[i], rows[i] = checkOut(c), []string{word, c.Name, c.Text}
	}
	show := func() error { return a.printTable(nil, rows) }
	if asJSON {
		show = func() error { return a.printJSON(out) }
	}
	if err := show(); err != nil {
		return err
	}
	if !good {
		return errTested
	}
	return nil
}
