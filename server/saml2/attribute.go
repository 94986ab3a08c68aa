package saml2

import (
	"cmp"
	"strings"

	"github.com/beevik/etree"

	"authy/server/audit"
	"authy/server/provider"
	"authy/storage"
)

const (
	maxValue  = 320
	maxGroups = 500
)

// attributeNames are the attributes that say a claim where nothing else is set:
// those of LDAP by their number, of Microsoft's servers, and plain ones. A name
// that some use for an account is not among those of names.
var attributeNames = map[string][]string{
	"email": {
		"urn:oid:0.9.2342.19200300.100.1.3", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
		"email", "mail", "emailAddress", "emailaddress",
	},
	"name": {
		"urn:oid:2.16.840.1.113730.3.1.241", "http://schemas.microsoft.com/identity/claims/displayname",
		"displayName", "displayname", "name", "urn:oid:2.5.4.3", "cn",
	},
	"given_name": {
		"urn:oid:2.5.4.42", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
		"givenName", "firstName", "first_name", "given_name",
	},
	"family_name": {
		"urn:oid:2.5.4.4", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
		"sn", "surname", "lastName", "last_name", "family_name",
	},
	"picture": {"picture"},
	"locale":  {"urn:oid:2.16.840.1.113730.3.1.39", "preferredLanguage", "locale"},
}

// readAttributes returns the values of each attribute of an assertion, by name.
func readAttributes(el *etree.Element) map[string][]string {
	all := map[string][]string{}
	for _, statement := range children(el, nsAssertion, "AttributeStatement") {
		for _, a := range children(statement, nsAssertion, "Attribute") {
			name := attr(a, "Name")
			for _, v := range children(a, nsAssertion, "AttributeValue") {
				if value := text(v); value != "" && len(value) <= maxValue && audit.Cut(value, maxValue) == value {
					all[name] = append(all[name], value)
				}
			}
		}
	}
	return all
}

// describePerson adds to st what attributes say of a person.
func describePerson(st *provider.Statement, all map[string][]string, o storage.ProviderOptions, name nameID) {
	one := func(claim string) string {
		names := attributeNames[claim]
		if own := o.Attributes[claim]; own != "" {
			names = []string{own}
		}
		for _, n := range names {
			if values := all[n]; len(values) > 0 {
				return values[0]
			}
		}
		return ""
	}
	st.Email = one("email")
	if st.Email == "" && name.Format == Email {
		st.Email = name.Value
	}
	if local, domain, _ := strings.Cut(st.Email, "@"); local == "" || domain == "" || strings.ContainsAny(domain, "@ ") {
		st.Email = ""
	}
	st.Name = cmp.Or(one("name"), strings.TrimSpace(one("given_name")+" "+one("family_name")))
	if picture := one("picture"); strings.HasPrefix(picture, "https://") {
		st.Picture = picture
	}
	st.Locale = one("locale")
	if groups := cmp.Or(o.Groups, o.Attributes["groups"]); groups != "" {
		st.Groups = all[groups][:min(len(all[groups]), maxGroups)]
	}
}
