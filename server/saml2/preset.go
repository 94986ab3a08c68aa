package saml2

import (
	"maps"
	"slices"
	"strings"

	"authy/storage"
)

// preset is how a well-known application is dealt with.
type preset struct {
	nameID     string
	attributes map[string]string // by name: a claim
	// onward are other origins that it leads to from its assertion consumer service.
	onward []string
}

const (
	xmlSOAP = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
	awsRole = "https://aws.amazon.com/SAML/Attributes/"
)

// presets are the applications that authy knows by name.
var presets = map[string]preset{
	"atlassian": {nameID: "email", attributes: map[string]string{
		xmlSOAP + "givenname": "given_name", xmlSOAP + "surname": "family_name", xmlSOAP + "name": "sub",
	}},
	"aws": {
		nameID: "persistent", attributes: map[string]string{awsRole + "RoleSessionName": "email"},
		onward: []string{"https://console.aws.amazon.com", "https://*.console.aws.amazon.com"},
	},
	"dropbox": {nameID: "email", attributes: map[string]string{}},
	"github-enterprise": {nameID: "persistent", attributes: map[string]string{
		"emails": "email", "full_name": "name",
	}},
	"gitlab": {nameID: "persistent", attributes: map[string]string{
		"email": "email", "name": "name", "first_name": "given_name", "last_name": "family_name", "groups": "groups",
	}},
	"google-workspace": {nameID: "email", attributes: map[string]string{}},
	"grafana": {nameID: "persistent", attributes: map[string]string{
		"mail": "email", "displayName": "name", "groups": "groups",
	}},
	"mattermost": {nameID: "persistent", attributes: map[string]string{
		"Email": "email", "Username": "preferred_username", "FirstName": "given_name", "LastName": "family_name", "Id": "sub",
	}},
	"nextcloud": {nameID: "persistent", attributes: map[string]string{
		"uid": "sub", "email": "email", "displayName": "name", "groups": "groups",
	}},
	"salesforce": {nameID: "email", attributes: map[string]string{"email": "email", "name": "name"}},
	"slack": {nameID: "persistent", attributes: map[string]string{
		"User.Email": "email", "User.Username": "preferred_username", "first_name": "given_name", "last_name": "family_name",
	}},
	"zammad": {nameID: "persistent", attributes: map[string]string{
		"email": "email", "first_name": "given_name", "last_name": "family_name",
	}},
	"zendesk": {nameID: "email", attributes: map[string]string{"name": "name"}},
}

// usual is how every other application is dealt with: it is told the attributes of
// LDAP, by their numbers.
var usual = preset{nameID: "persistent", attributes: map[string]string{
	"urn:oid:0.9.2342.19200300.100.1.3": "email", "urn:oid:2.16.840.1.113730.3.1.241": "name",
	"urn:oid:2.5.4.42": "given_name", "urn:oid:2.5.4.4": "family_name",
}}

// friendly are the names that people know the numbers of LDAP by.
var friendly = map[string]string{
	"urn:oid:0.9.2342.19200300.100.1.3": "mail", "urn:oid:2.16.840.1.113730.3.1.241": "displayName",
	"urn:oid:2.5.4.42": "givenName", "urn:oid:2.5.4.4": "sn",
}

// Presets are the names of the applications that authy knows.
func Presets() []string { return slices.Sorted(maps.Keys(presets)) }

// Effective returns how a service is dealt with once its preset is looked up.
func Effective(s *storage.Service) storage.ServiceOptions {
	o, p := s.Options, usual
	if o.Preset != "" {
		p = presets[o.Preset]
	}
	if o.NameIDFormat == "" {
		o.NameIDFormat = p.nameID
	}
	if len(o.Attributes) == 0 {
		o.Attributes = p.attributes
	}
	return o
}

// constant is how the claim of an attribute begins that is the same for everybody.
const constant = "text:"

// claimNames are what an attribute can say of a person, beside [constant] text.
var claimNames = []string{
	"sub", "email", "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username",
	"picture", "locale", "zoneinfo", "phone_number", "groups",
}

// claimsOf returns what there is to say of a person, by claim. An address that nobody
// has confirmed is not said: applications take it for who somebody is.
func claimsOf(u *storage.User, name string, groups []string) map[string][]string {
	one := func(values ...string) []string {
		return slices.DeleteFunc(values, func(v string) bool { return v == "" })
	}
	email := ""
	if !u.EmailVerifiedAt.IsZero() {
		email = u.Email
	}
	return map[string][]string{
		"sub": {name}, "email": one(email), "name": one(u.FullName), "given_name": one(u.GivenName),
		"family_name": one(u.FamilyName), "middle_name": one(u.MiddleName), "nickname": one(u.Nickname),
		"preferred_username": one(u.PreferredUsername), "picture": one(u.AvatarURL), "locale": one(u.Locale),
		"zoneinfo": one(u.Zoneinfo), "phone_number": one(u.PhoneNumber), "groups": groups,
	}
}

// valuesOf returns what the claim of an attribute stands for.
func valuesOf(claim string, claims map[string][]string) []string {
	if text, is := strings.CutPrefix(claim, constant); is {
		return []string{text}
	}
	return claims[claim]
}
