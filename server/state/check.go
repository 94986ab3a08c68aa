package state

import (
	"encoding/base64"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"authy/server/account"
	"authy/server/config"
	"authy/storage"
)

// maxFileName is how long a name may be that a file gives itself, in characters.
const maxFileName = 200

// check notes what is wrong with a document by itself: what is missing, what excludes
// each other, and objects that are there twice.
func (s *source) check(d *Document) {
	once := seen{s, map[string]string{}}
	if utf8.RuneCountInString(d.Name) > maxFileName || strings.ContainsFunc(d.Name, unicode.IsControl) {
		s.note("name", "expected at most %d characters on one line", maxFileName)
	}
	for _, u := range d.Users {
		s.checkUser(u, once)
	}
	for _, o := range d.Organizations {
		s.require(o.path, "slug", o.Slug)
		s.require(o.path, "name", o.Name)
		once.add("organization with this slug", o.Slug, join(o.path, "slug"))
		once.add("organization with this id", o.ID, join(o.path, "id"))
		s.checkMembers(o)
		s.checkExceptions(o)
	}
	for _, p := range d.Providers {
		s.require(p.path, "slug", p.Slug)
		s.require(p.path, "kind", p.Kind)
		once.add("provider with this slug", p.Slug, join(p.path, "slug"))
		s.oneOf(p.path, key{"client_secret_file", p.SecretFile}, key{"client_secret_env", p.SecretEnv})
		s.oneOf(p.path, key{"metadata", p.Metadata}, key{"metadata_file", p.MetadataFile}, key{"metadata_url", p.MetadataURL})
	}
	for _, c := range d.Clients {
		s.require(c.path, "client_id", c.ClientID)
		s.require(c.path, "name", c.Name)
		once.add("client with this client_id", c.ClientID, join(c.path, "client_id"))
		s.checkClientSecret(c)
	}
	for _, o := range d.Services {
		s.require(o.path, "slug", o.Slug)
		once.add("SAML service with this slug", o.Slug, join(o.path, "slug"))
		s.oneOf(o.path, key{"metadata", o.Metadata}, key{"metadata_file", o.MetadataFile}, key{"metadata_url", o.MetadataURL})
		if o.Metadata+o.MetadataFile+o.MetadataURL == "" {
			s.note(join(o.path, "metadata"), "missing; give metadata, metadata_file or metadata_url")
		}
	}
	for _, h := range d.Webhooks {
		s.require(h.path, "slug", h.Slug)
		s.require(h.path, "url", h.URL)
		once.add("webhook with this slug", h.Slug, join(h.path, "slug"))
		s.oneOf(h.path, key{"secret_file", h.SecretFile}, key{"secret_env", h.SecretEnv})
	}
	if b := d.Branding; b != nil {
		s.oneOf(b.path, key{"logo", b.Logo}, key{"logo_file", b.LogoFile})
	}
}

// profileKeys are those of a profile, and full_name, which stands beside it.
var profileKeys = slices.Sorted(maps.Keys(account.ProfileOf(new(storage.User))))

func (s *source) checkUser(u *User, once seen) {
	s.require(u.path, "email", u.Email)
	if email, err := account.ParseEmail(u.Email); err == nil {
		u.Email = email
	} else if u.Email != "" {
		s.note(join(u.path, "email"), "%q is not a valid address", u.Email)
	}
	for name := range u.Profile {
		switch at := join(join(u.path, "profile"), name); {
		case name == "full_name":
			s.note(at, "expected beside the profile, in [[user]]")
		case !slices.Contains(profileKeys, name):
			s.note(at, "unknown key%s", config.Suggest(name, profileKeys))
		}
	}
	u.ID = strings.ToLower(u.ID)
	once.add("user with this address", u.Email, join(u.path, "email"))
	once.add("user with this id", u.ID, join(u.path, "id"))
	s.oneOf(u.path, key{"password_hash_file", u.HashFile}, key{"password_hash_env", u.HashEnv})
	if u.Status != "active" && u.Status != "suspended" {
		s.note(join(u.path, "status"), "%q is not a status%s; it is active or suspended", u.Status,
			config.Suggest(u.Status, []string{"active", "suspended"}))
	}
}

// checkMembers writes the addresses of members in their one form.
func (s *source) checkMembers(o *Organization) {
	once, members, places := seen{s, map[string]string{}}, map[string]string{}, map[string]position{}
	for _, text := range slices.Sorted(maps.Keys(o.Members)) {
		at := join(join(o.path, "members"), text)
		email, err := account.ParseEmail(text)
		if err != nil {
			s.note(at, "not a valid address")
			continue
		}
		once.add("member with this address", email, at)
		if role := o.Members[text]; !slices.Contains(roles, role) {
			s.note(at, "%q is not a role%s; it is one of %s", role, config.Suggest(role, roles), strings.Join(roles, ", "))
		}
		members[email] = o.Members[text]
		if one := join(join(o.path, "members"), email); one != at {
			places[one] = s.at[at]
		}
	}
	maps.Copy(s.at, places)
	if o.Members != nil {
		o.Members = members
	}
}

// checkExceptions writes the addresses of exceptions in their one form.
func (s *source) checkExceptions(o *Organization) {
	once, exceptions, places := seen{s, map[string]string{}}, map[string]string{}, map[string]position{}
	for _, text := range slices.Sorted(maps.Keys(o.Exceptions)) {
		at := join(join(o.path, "exceptions"), text)
		email, err := account.ParseEmail(text)
		if err != nil {
			s.note(at, "not a valid address")
			continue
		}
		once.add("exception for this address", email, at)
		if words := o.Exceptions[text]; !isException(words) {
			s.note(at, "%q is not an exception%s; it is exempt, inherit, or one or more of required, totp and webauthn with + between them",
				words, config.Suggest(words, exceptionWords))
		}
		exceptions[email] = o.Exceptions[text]
		if one := join(join(o.path, "exceptions"), email); one != at {
			places[one] = s.at[at]
		}
	}
	maps.Copy(s.at, places)
	if o.Exceptions != nil {
		o.Exceptions = exceptions
	}
}

var roles = []string{"owner", "admin", "member", "guest"}

// checkClientSecret has a client say how it authenticates: nobody means a public one by
// having forgotten the secret.
func (s *source) checkClientSecret(c *Client) {
	s.oneOf(c.path, key{"client_secret_file", c.SecretFile}, key{"client_secret_env", c.SecretEnv})
	if c.SecretFile+c.SecretEnv != "" {
		c.HasSecret = true
	}
	method := c.AuthMethod
	switch {
	case method == nil && !c.HasSecret:
		s.note(join(c.path, "token_endpoint_auth_method"),
			`missing; write "none" for a public client, or name its secret with client_secret_file or client_secret_env`)
	case method != nil && !c.HasSecret && strings.HasPrefix(*method, "client_secret"):
		s.note(join(c.path, "client_secret_file"), "missing; name the secret with it or with client_secret_env, or write has_secret = true for one that is there")
	}
}

func (s *source) require(path, name, value string) {
	if strings.TrimSpace(value) == "" {
		s.note(join(path, name), "missing")
	}
}

type key struct{ name, value string }

// oneOf notes keys that exclude each other, and variables that nobody can set.
func (s *source) oneOf(path string, keys ...key) {
	given := slices.DeleteFunc(keys, func(k key) bool { return k.value == "" })
	if len(given) > 1 {
		s.note(join(path, given[1].name), "both %s and %s are there; leave one out", given[0].name, given[1].name)
	}
	for _, k := range given {
		if strings.HasSuffix(k.name, "_env") && config.IsSetting(k.value) {
			s.note(join(path, k.name), "%s has the form of a setting, of which unknown ones stop the start; name it otherwise", k.value)
		}
	}
}

// seen are the objects that there were, by what is unique: their paths.
type seen struct {
	source *source
	paths  map[string]string
}

func (n seen) add(what, value, path string) {
	if value == "" {
		return
	}
	if before, twice := n.paths[what+" "+value]; twice {
		n.source.note(path, "the %s, %s, is also in line %d; leave one of them out", what, value, n.source.line(before))
		return
	}
	n.paths[what+" "+value] = path
}

// secret returns what a file or a variable holds that a key names, "" if neither does.
func (s *source) secret(path, name, file, variable string) string {
	switch {
	case file != "":
		return s.content(join(path, name+"_file"), file)
	case variable != "":
		if value := config.Variable(variable); value != "" {
			return value
		}
		s.note(join(path, name+"_env"), "the environment variable %s is not set", variable)
	}
	return ""
}

// content returns what a file holds that is named from where this file is.
func (s *source) content(path, file string) string {
	value, err := config.ReadValue(s.beside(file))
	if err != nil {
		s.note(path, "%s", err)
	}
	return value
}

// beside is the path of a file that this one names from where it is.
func (s *source) beside(file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(filepath.Dir(s.file), file)
}

// picture reads the logo of a branding, in whichever way it is given.
func (s *source) picture(b *Branding) {
	switch {
	case b.LogoFile != "":
		var err error
		if b.picture, err = config.ReadRegular(s.beside(b.LogoFile), maxFile); err != nil {
			s.note(join(b.path, "logo_file"), "%s", err)
		}
	case b.Logo != "":
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(b.Logo), ""))
		if err != nil {
			s.note(join(b.path, "logo"), "expected a picture in base64")
		}
		b.picture = data
	}
}
