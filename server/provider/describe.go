package provider

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"authy/storage"
)

// Options is how a provider is dealt with; what is missing is the default.
type Options = storage.ProviderOptions

// Role is the role that a group of a provider gives in an organization.
type Role = storage.ProviderRole

// Kinds are all of them.
var Kinds = []string{Google, GitHub, Microsoft, OIDC, SAML}

// What a provider calls itself unless it is told otherwise.
var usualIssuers = map[string]string{
	Google: "https://accounts.google.com", GitHub: "https://github.com", Microsoft: microsoftIssuer("common"),
}

var usualNames = map[string]string{Google: "Google", GitHub: "GitHub", Microsoft: "Microsoft"}

// Description describes a provider to be added, and what can be changed of one.
type Description struct {
	Slug           string // stays as it is; made of the kind if it is ""
	Kind           string // stays as it is
	OrganizationID string // stays as it is; "" for the whole server's
	Name           string // what its button says
	// Issuer is "" for the usual one of Google, GitHub and Microsoft. For
	// Microsoft a tenant stands for its issuer: common, organizations, consumers,
	// an id or a domain. For SAML it is the entity id, "" for that of the metadata.
	Issuer   string
	ClientID string
	Secret   string
	Disabled bool
	Options  Options

	keepsSecret bool // a change has said nothing of it
}

// describe returns the description of a provider, with its secret.
func describe(p *storage.Provider) Description {
	return Description{
		Slug: p.Slug, Kind: p.Kind, OrganizationID: string(p.OrganizationID), Name: p.Name,
		Issuer: p.Issuer, ClientID: p.ClientID, Secret: p.Secret, Disabled: !p.IsActive, Options: p.Options,
	}
}

// writeTo writes what can be changed to the record of a provider.
func (d Description) writeTo(p *storage.Provider, now time.Time) {
	p.Name, p.Issuer, p.ClientID, p.Secret = d.Name, d.Issuer, d.ClientID, d.Secret
	p.IsActive, p.Options, p.UpdatedAt = !d.Disabled, d.Options, storage.At(now)
}

var tenantForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$`)

func microsoftIssuer(tenant string) string {
	return "https://login.microsoftonline.com/" + tenant + "/v2.0"
}

// normal returns d with the defaults of its kind, and with nothing twice.
func (d Description) normal() Description {
	d.Name, d.Issuer, d.ClientID = strings.TrimSpace(d.Name), strings.TrimSpace(d.Issuer), strings.TrimSpace(d.ClientID)
	if d.Slug == "" {
		d.Slug = d.Kind
	}
	if d.Name == "" {
		d.Name = usualNames[d.Kind]
	}
	if d.Issuer == "" {
		d.Issuer = usualIssuers[d.Kind]
	}
	if d.Kind == Microsoft && tenantForm.MatchString(d.Issuer) {
		d.Issuer = microsoftIssuer(strings.ToLower(d.Issuer))
	}
	if d.Kind == GitHub {
		d.Issuer = strings.TrimRight(d.Issuer, "/")
	}
	o := &d.Options
	o.Domains, o.Tenants = lower(o.Domains), lower(o.Tenants)
	for _, list := range []*[]string{&o.Scopes, &o.Tenants, &o.Domains, &o.TrustedMethods, &o.TrustedContexts} {
		*list = unique(*list)
	}
	o.Roles = slices.Clone(o.Roles)
	for i := range o.Roles {
		if o.Roles[i].OrganizationID == "" {
			o.Roles[i].OrganizationID = d.OrganizationID
		}
	}
	return d
}

func lower(words []string) []string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = strings.ToLower(word)
	}
	return out
}

// unique returns words in their order, without those that came before.
func unique(words []string) (out []string) {
	for _, word := range words {
		if !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}
