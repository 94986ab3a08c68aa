package provider

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"authy/storage"
)

// The ways in which people who come from a provider get an account.
const (
	RegistrationOff     = "off"
	RegistrationOpen    = "open"
	RegistrationInvited = "invited"
	RegistrationDomains = "domains"
)

// The most of each that a provider has.
const (
	maxWords    = 100
	maxWord     = 255  // bytes
	maxIssuer   = 1024 // bytes; SAML 2.0 core, section 8.3.6
	maxText     = 1024 // bytes of a client_id or a secret
	maxMetadata = 1 << 20
)

var (
	slugForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	domainForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$`)
)

// notes gathers what is wrong, by field.
type notes map[string][]string

func (n notes) add(field, problem string) {
	if problem != "" && !slices.Contains(n[field], problem) {
		n[field] = append(n[field], problem)
	}
}

// problems says what is wrong with a description by itself, by field. What needs
// the records to be known is in [Service.checkIn].
func (s *Service) problems(d Description) notes {
	n := notes{}
	n.add("slug", slugProblem(d.Slug))
	n.add("kind", oneOf(d.Kind, Kinds...))
	n.add("name", textProblem(d.Name, 1))
	if d.Kind == SAML {
		s.samlProblems(d, n)
	} else {
		s.clientProblems(d, n)
	}
	o := d.Options
	n.add("registration", oneOf(o.Registration, "", RegistrationOff, RegistrationOpen, RegistrationInvited, RegistrationDomains))
	if o.Registration == RegistrationDomains && len(o.Domains) == 0 {
		n.add("domains", "Say whose addresses get an account.")
	}
	n.add("domains", domainsProblem(o.Domains))
	n.add("trusted_methods", wordsProblem(o.TrustedMethods))
	n.add("trusted_contexts", wordsProblem(o.TrustedContexts))
	n.add("groups", textProblem(o.Groups, 0))
	if len(o.Roles) > maxWords {
		n.add("roles", "At most 100.")
	}
	for _, role := range o.Roles {
		n.add("roles", roleProblem(role, o.Groups))
	}
	return n
}

// slugProblem says why a provider cannot be called so in URLs, or "".
func slugProblem(slug string) string {
	switch {
	case !slugForm.MatchString(slug):
		return "Use 1 to 63 lower-case letters, digits and hyphens, no hyphen at either end."
	case slug == "new":
		return "A page of this server has this name: choose another."
	}
	return ""
}

// clientProblems notes what is wrong with a provider of OpenID Connect or OAuth.
func (s *Service) clientProblems(d Description, n notes) {
	o := d.Options
	n.add("issuer", s.issuerProblem(d))
	n.add("client_id", printableProblem(d.ClientID, 1))
	least := 0 // a public client of OpenID Connect has none: PKCE is its proof
	if usualIssuers[d.Kind] != "" {
		least = 1
	}
	n.add("client_secret", printableProblem(d.Secret, least))
	n.add("auth_method", s.authProblem(d))
	n.add("scopes", scopesProblem(d.Kind, o.Scopes))
	if d.Kind != Microsoft && len(o.Tenants) > 0 {
		n.add("tenants", "Only Microsoft has tenants.")
	}
	if len(o.Tenants) > maxWords || slices.ContainsFunc(o.Tenants, func(t string) bool { return !tenantForm.MatchString(t) }) {
		n.add("tenants", "Each is the id of a tenant; at most 100.")
	}
	if d.Kind == GitHub && len(o.TrustedMethods) > 0 {
		n.add("trusted_methods", "GitHub does not say how somebody has signed in.")
	}
	if d.Kind == GitHub && len(o.TrustedContexts) > 0 {
		n.add("trusted_contexts", "GitHub does not say how somebody has signed in.")
	}
	if d.Kind == GitHub && o.Logout {
		n.add("logout", "GitHub cannot be asked to sign somebody out.")
	}
	for field, set := range map[string]bool{
		"metadata": o.Metadata != "", "metadata_url": o.MetadataURL != "", "unsolicited": o.Unsolicited,
		"name_id_format": o.NameIDFormat != "", "subject_attribute": o.SubjectAttribute != "", "attributes": len(o.Attributes) > 0,
	} {
		if set {
			n.add(field, "Only a provider of the kind saml has this.")
		}
	}
}

// authProblem says why authy cannot prove in that way who it is, or "".
func (s *Service) authProblem(d Description) string {
	switch method := d.Options.AuthMethod; {
	case method == "":
		return ""
	case d.Kind != OIDC:
		return "Only a provider of the kind oidc has a choice."
	case method == AuthKey && d.ClientID == s.PublicURL:
		return "The client ID must be another than the issuer of this server: its tokens would look like ours."
	case method != AuthKey && d.Secret == "":
		return "It needs a client secret."
	}
	return oneOf(d.Options.AuthMethod, AuthMethods...)
}

// samlProblems notes what is wrong with a SAML provider.
func (s *Service) samlProblems(d Description, n notes) {
	o := d.Options
	for field, set := range map[string]bool{
		"auth_method": o.AuthMethod != "", "client_id": d.ClientID != "", "client_secret": d.Secret != "", "scopes": len(o.Scopes) > 0,
		"tenants": len(o.Tenants) > 0, "trusted_methods": len(o.TrustedMethods) > 0,
	} {
		if set {
			n.add(field, "A provider of the kind saml has none.")
		}
	}
	switch {
	case o.Metadata == "" && o.MetadataURL == "":
		n.add("metadata", "Give the metadata of the provider, or the URL of it.")
	case len(o.Metadata) > maxMetadata || !utf8.ValidString(o.Metadata) || strings.ContainsRune(o.Metadata, 0):
		n.add("metadata", "It must be text of 1 MiB at most.")
	}
	if o.MetadataURL != "" {
		n.add("metadata_url", s.urlProblem(o.MetadataURL))
	}
	n.add("issuer", printableProblem(d.Issuer, 1))
	if len(d.Issuer) > maxIssuer {
		n.add("issuer", "Longer than 1024 bytes.")
	}
	n.add("name_id_format", printableProblem(o.NameIDFormat, 0))
	n.add("subject_attribute", textProblem(o.SubjectAttribute, 0))
	if len(o.Attributes) > maxWords {
		n.add("attributes", "At most 100.")
	}
	for claim, attribute := range o.Attributes {
		n.add("attributes", wordsProblem([]string{claim}))
		n.add("attributes", textProblem(attribute, 1))
	}
}

// issuerProblem says why an issuer cannot be asked, or "" (OpenID Connect
// Discovery 1.0, section 3).
func (s *Service) issuerProblem(d Description) string {
	switch {
	case d.Issuer == "":
		return "Missing data for required field."
	case strings.HasSuffix(strings.TrimRight(d.Issuer, "/"), "/.well-known/openid-configuration"):
		return "Leave /.well-known/openid-configuration out: the issuer is what stands before it."
	case d.Kind == Microsoft && !strings.Contains(d.Issuer, "/"):
		return "Give a tenant: common, organizations, consumers, an id or a domain."
	}
	if problem := s.urlProblem(d.Issuer); problem != "" {
		return problem
	}
	if u, err := url.Parse(d.Issuer); err != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(d.Issuer, "#") {
		return "An issuer has no query and no fragment."
	}
	return ""
}

// urlProblem says why a URL may not be asked, or "".
func (s *Service) urlProblem(address string) string {
	if problem := printableProblem(address, 1); problem != "" || len(address) > maxIssuer {
		return "Not a valid URL."
	}
	if err := s.Outbound.Check(address); err != nil {
		return "Not a URL that may be asked: " + reasonOf(err) + "."
	}
	return ""
}

// reasonOf is what an error of the package outbound says after its name.
func reasonOf(err error) string {
	_, reason, _ := strings.Cut(err.Error(), "asked: ")
	return reason
}

func scopesProblem(kind string, scopes []string) string {
	if problem := wordsProblem(scopes); problem != "" {
		return problem
	}
	if len(scopes) > 0 && kind != GitHub && !slices.Contains(scopes, "openid") {
		return "openid must be among them."
	}
	return ""
}

func domainsProblem(domains []string) string {
	if len(domains) > maxWords {
		return "At most 100."
	}
	for _, domain := range domains {
		if !isDomain(domain) {
			return "Each is a domain such as example.com, in letters of ASCII."
		}
	}
	return ""
}

func isDomain(text string) bool { return len(text) <= 253 && domainForm.MatchString(text) }

func roleProblem(role Role, groups string) string {
	switch {
	case textProblem(role.Group, 1) != "":
		return "A group has 1 to 255 characters; * is everyone."
	case role.Group != "*" && groups == "":
		return "Say with groups which claim lists the groups of somebody."
	}
	return oneOf(role.Role, roles...)
}

var roles = []string{
	string(storage.RoleOwner), string(storage.RoleAdmin), string(storage.RoleMember), string(storage.RoleGuest),
}

// oneOf says that value is not one of those there are, or "".
func oneOf(value string, values ...string) string {
	if slices.Contains(values, value) {
		return ""
	}
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return v == "" })
	return "Must be one of: " + strings.Join(values, ", ") + "."
}

func textProblem(text string, least int) string {
	switch n := utf8.RuneCountInString(text); {
	case n < least:
		return "Missing data for required field."
	case n > maxWord:
		return "Longer than maximum length 255."
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return "Not plain text."
	}
	return ""
}

// printableProblem checks text that is sent as it is.
func printableProblem(text string, least int) string {
	switch {
	case len(text) < least:
		return "Missing data for required field."
	case len(text) > maxText || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		return "Use printable ASCII characters."
	}
	return ""
}

func wordsProblem(words []string) string {
	if len(words) > maxWords {
		return "At most 100."
	}
	for _, word := range words {
		if word == "" || len(word) > maxWord || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "Each has 1 to 255 printable ASCII characters without spaces."
		}
	}
	return ""
}
