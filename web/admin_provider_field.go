package web

import (
	"maps"
	"slices"
	"strings"

	"authy/server/provider"
)

// providerInput is a field of the form about a provider: for which kinds it is, whether
// a new one needs it, and what of a provider it shows and writes.
type providerInput struct {
	inputView
	kinds []string // none for all
	first bool     // it is asked for when one is added
	// needed says that it cannot be empty.
	needed bool
	read   func(p *provider.Provider) string
	write  func(d *provider.Description, value string)
}

func (f *providerInput) isFor(kind string, adding bool) bool {
	return (len(f.kinds) == 0 || slices.Contains(f.kinds, kind)) && (f.first || !adding)
}

// The kinds that have something in common.
var (
	clientKinds   = []string{provider.Google, provider.GitHub, provider.Microsoft, provider.OIDC}
	usualKinds    = []string{provider.Google, provider.GitHub, provider.Microsoft}
	samlKind      = []string{provider.SAML}
	oidcKind      = []string{provider.OIDC}
	methodKinds   = []string{provider.Google, provider.Microsoft, provider.OIDC}
	contextKinds  = []string{provider.Google, provider.Microsoft, provider.OIDC, provider.SAML}
	microsoftKind = []string{provider.Microsoft}
)

// providerInputs are the fields in their order.
var providerInputs = slices.Concat(providerIdentity, providerPolicy, providerManners)

// providerIdentity are who the provider is, and who this server is there.
var providerIdentity = []providerInput{
	{
		inputView: inputView{Name: "name", Label: msg("Name"), Hint: msg("What its button says.")},
		kinds:     []string{provider.OIDC, provider.SAML}, first: true, needed: true, read: readName, write: writeName,
	},
	{
		inputView: inputView{Name: "name", Label: msg("Name"), Hint: msg("What its button says.")},
		kinds:     usualKinds, read: readName, write: writeName,
	},
	{
		inputView: inputView{Name: "issuer", Label: msg("Issuer"), Kind: "url", Mono: true, Hint: msg("What stands before /.well-known/openid-configuration, letter by letter.")},
		kinds:     oidcKind, first: true, needed: true, read: readIssuer, write: writeIssuer,
	},
	{
		inputView: inputView{Name: "issuer", Label: msg("Tenant"), Mono: true, Hint: msg("common for everyone, organizations for work and school, consumers for personal accounts, or the ID of one tenant.")},
		kinds:     microsoftKind, first: true, read: readTenant, write: writeIssuer,
	},
	{
		inputView: inputView{Name: "issuer", Label: msg("Address"), Kind: "url", Mono: true, Hint: msg("Only for GitHub Enterprise Server, such as https://github.example.com.")},
		kinds:     []string{provider.GitHub}, first: true, read: readIssuer, write: writeIssuer,
	},
	{
		inputView: inputView{Name: "metadata_url", Label: msg("Address of its metadata"), Kind: "url", Mono: true},
		kinds:     samlKind, first: true, read: func(p *provider.Provider) string { return p.Options.MetadataURL },
		write: func(d *provider.Description, v string) { d.Options.MetadataURL = v },
	},
	{
		inputView: inputView{Name: "metadata", Label: msg("Metadata"), Kind: textArea, Mono: true, Hint: msg("Only if there is no address.")},
		kinds:     samlKind, first: true, read: func(*provider.Provider) string { return "" },
		write: func(d *provider.Description, v string) { d.Options.Metadata = v },
	},
	{
		inputView: inputView{Name: "issuer", Label: msg("Entity ID"), Mono: true, Hint: msg("That of its metadata, unless there are several in it.")},
		kinds:     samlKind, read: readIssuer, write: writeIssuer,
	},
	{
		inputView: inputView{Name: "client_id", Label: msg("Client ID"), Mono: true},
		kinds:     clientKinds, first: true, needed: true, read: func(p *provider.Provider) string { return p.ClientID },
		write: func(d *provider.Description, v string) { d.ClientID = v },
	},
	{
		inputView: inputView{Name: "client_secret", Label: msg("Client secret"), Kind: "password", Autocomplete: "new-password"},
		kinds:     clientKinds, first: true, read: func(*provider.Provider) string { return "" },
		write: func(d *provider.Description, v string) { d.Secret = v },
	},
	{
		inputView: inputView{Name: "auth_method", Label: msg("How this server proves itself there"), Kind: choice, Options: []optionView{
			{Value: "", Label: msg("In a way that the provider takes")},
			{Value: provider.AuthBasic, Label: "client_secret_basic"},
			{Value: provider.AuthPost, Label: "client_secret_post"},
			{Value: provider.AuthKey, Label: msg("private_key_jwt: by a key, without a secret")},
		}},
		kinds: oidcKind, read: func(p *provider.Provider) string { return p.Options.AuthMethod },
		write: func(d *provider.Description, v string) { d.Options.AuthMethod = v },
	},
	{
		inputView: inputView{Name: "scopes", Label: msg("Scopes"), Mono: true, Hint: msg("With spaces between them. Empty asks for what is needed.")},
		kinds:     clientKinds, read: func(p *provider.Provider) string { return strings.Join(p.Options.Scopes, " ") },
		write: func(d *provider.Description, v string) { d.Options.Scopes = strings.Fields(v) },
	},
}

// providerPolicy are who comes in, and as whom.
var providerPolicy = []providerInput{
	{
		inputView: inputView{Name: "domains", Label: msg("Trusted domains"), Kind: textArea, Mono: true, Hint: msg("One in each line. Whoever comes with a verified address there has the account with that address: list only domains whose every address this provider gives out.")},
		read:      func(p *provider.Provider) string { return strings.Join(p.Options.Domains, "\n") },
		write:     func(d *provider.Description, v string) { d.Options.Domains = strings.Fields(v) },
	},
	{
		inputView: inputView{Name: "registration", Label: msg("Who gets a new account by coming from it"), Kind: choice, Options: []optionView{
			{Value: "", Label: policies[""]},
			{Value: provider.RegistrationOff, Label: policies[provider.RegistrationOff]},
			{Value: provider.RegistrationOpen, Label: policies[provider.RegistrationOpen]},
			{Value: provider.RegistrationInvited, Label: policies[provider.RegistrationInvited]},
			{Value: provider.RegistrationDomains, Label: msg("Who has an address in the trusted domains")},
		}},
		read:  func(p *provider.Provider) string { return p.Options.Registration },
		write: func(d *provider.Description, v string) { d.Options.Registration = v },
	},
	{
		inputView: inputView{Name: "tenants", Label: msg("Tenants whose people may come"), Kind: textArea, Mono: true, Hint: msg("The ID of one in each line. Empty lets in those of any.")},
		kinds:     microsoftKind, read: func(p *provider.Provider) string { return strings.Join(p.Options.Tenants, "\n") },
		write: func(d *provider.Description, v string) { d.Options.Tenants = strings.Fields(v) },
	},
	{
		inputView: inputView{Name: "groups", Label: msg("Claim with the groups"), Mono: true, Hint: msg("Such as groups, or realm_access.roles.")},
		read:      func(p *provider.Provider) string { return p.Options.Groups },
		write:     func(d *provider.Description, v string) { d.Options.Groups = v },
	},
	{
		inputView: inputView{Name: "roles", Label: msg("Roles that groups give"), Kind: textArea, Mono: true, Hint: msg("One in each line, as group=organization:role. The group * is everyone who comes. Roles are owner, admin, member and guest.")},
		read:      func(*provider.Provider) string { return "" },
		write:     func(*provider.Description, string) {}, // organizations must be looked up
	},
	{
		inputView: inputView{Name: "trusted_methods", Label: msg("Methods that stand for the second factor"), Mono: true, Hint: msg("Values of amr, with spaces between them, such as mfa or hwk.")},
		kinds:     methodKinds, read: func(p *provider.Provider) string { return strings.Join(p.Options.TrustedMethods, " ") },
		write: func(d *provider.Description, v string) { d.Options.TrustedMethods = strings.Fields(v) },
	},
	{
		inputView: inputView{Name: "trusted_contexts", Label: msg("Contexts that stand for the second factor"), Kind: textArea, Mono: true, Hint: msg("One value of acr, or of the SAML AuthnContext, in each line.")},
		kinds:     contextKinds, read: func(p *provider.Provider) string { return strings.Join(p.Options.TrustedContexts, "\n") },
		write: func(d *provider.Description, v string) { d.Options.TrustedContexts = lines(v) },
	},
}

// providerManners are what else happens at sign-in and sign-out.
var providerManners = []providerInput{
	{
		inputView: inputView{Name: "keep_profile", Label: msg("Leave name and picture as they are at later sign-ins"), Kind: checkbox},
		read:      func(p *provider.Provider) string { return yes(p.Options.KeepProfile) },
		write:     func(d *provider.Description, v string) { d.Options.KeepProfile = v != "" },
	},
	{
		inputView: inputView{Name: "logout", Label: msg("Who signs out here signs out there, too"), Kind: checkbox},
		kinds:     contextKinds, read: func(p *provider.Provider) string { return yes(p.Options.Logout) },
		write: func(d *provider.Description, v string) { d.Options.Logout = v != "" },
	},
	{
		inputView: inputView{Name: "unsolicited", Label: msg("Sign-ins may begin at the provider"), Kind: checkbox},
		kinds:     samlKind, read: func(p *provider.Provider) string { return yes(p.Options.Unsolicited) },
		write: func(d *provider.Description, v string) { d.Options.Unsolicited = v != "" },
	},
	{
		inputView: inputView{Name: "name_id_format", Label: msg("Format of the name ID"), Mono: true, Hint: msg("Empty asks for persistent.")},
		kinds:     samlKind, read: func(p *provider.Provider) string { return p.Options.NameIDFormat },
		write: func(d *provider.Description, v string) { d.Options.NameIDFormat = v },
	},
	{
		inputView: inputView{Name: "subject_attribute", Label: msg("Attribute that says who somebody is"), Mono: true, Hint: msg("Only where the name ID is another one each time. Once people have come in, a change makes strangers of them.")},
		kinds:     samlKind, read: func(p *provider.Provider) string { return p.Options.SubjectAttribute },
		write: func(d *provider.Description, v string) { d.Options.SubjectAttribute = v },
	},
	{
		inputView: inputView{Name: "attributes", Label: msg("Attributes"), Kind: textArea, Mono: true, Hint: msg("One in each line, as claim=attribute, where the usual names are not used.")},
		kinds:     samlKind, read: readAttributes, write: func(*provider.Description, string) {},
	},
}

func readName(p *provider.Provider) string              { return p.Name }
func writeName(d *provider.Description, v string)       { d.Name = v }
func readIssuer(p *provider.Provider) string            { return p.Issuer }
func writeIssuer(d *provider.Description, value string) { d.Issuer = value }

// readTenant is the tenant of Microsoft, "" for none that has its usual place.
func readTenant(p *provider.Provider) string {
	if p.Issuer == "" {
		return "common"
	}
	rest, usual := strings.CutPrefix(p.Issuer, "https://login.microsoftonline.com/")
	if !usual {
		return p.Issuer
	}
	return strings.TrimSuffix(rest, "/v2.0")
}

func readAttributes(p *provider.Provider) string {
	var text []string
	for _, claim := range slices.Sorted(maps.Keys(p.Options.Attributes)) {
		text = append(text, claim+"="+p.Options.Attributes[claim])
	}
	return strings.Join(text, "\n")
}

// aloneAdmin are the fields that only an administrator of the server may fill for the
// provider of an organization: they reach beyond it.
var aloneAdmin = []string{"trusted_methods", "trusted_contexts"}

// providerFields are the fields of the form about a provider.
func providerFields(kind string, d providerDesk, adding bool, p *provider.Provider, roles []string) []inputView {
	var fields []inputView
	for _, f := range providerInputs {
		if !f.isFor(kind, adding) {
			continue
		}
		in := f.inputView
		in.Value, in.Required = f.read(p), f.needed
		if in.Kind == "" || in.Kind == "url" {
			in.Kind = f.Kind
		}
		in.Options = slices.Clone(f.Options)
		for i := range in.Options {
			in.Options[i].Chosen = in.Options[i].Value == in.Value
		}
		in.fit(kind, d, adding, p, roles)
		fields = append(fields, in)
	}
	return fields
}

// fit makes a field fit who looks at it, and what there is.
func (i *inputView) fit(kind string, d providerDesk, adding bool, p *provider.Provider, roles []string) {
	switch {
	case i.Name == "roles":
		i.Value = strings.Join(roles, "\n")
		if d.home != nil {
			i.Hint = msg("One in each line, as group=role. The group * is everyone who comes. Roles are admin, member and guest.")
		}
	case i.Name == "client_secret" && adding:
		i.Required = kind != provider.OIDC
	case i.Name == "client_secret" && p.Secret != "":
		i.Hint = msg("It is kept unless you enter another. Another issuer needs it again.")
	case i.Name == "metadata" && !adding:
		i.Hint = msg("What is known is kept unless you enter another.")
	case i.Name == "domains" && d.home != nil:
		i.Hint = msg("One in each line, of those that your organization was granted.")
	case i.Name == "registration" && d.home != nil && i.Value != provider.RegistrationOpen:
		i.Options = slices.DeleteFunc(i.Options, func(o optionView) bool { return o.Value == provider.RegistrationOpen })
	case d.home != nil && slices.Contains(aloneAdmin, i.Name):
		i.ReadOnly, i.Hint = true, msg("Only an administrator of the server can set this.")
	}
}
