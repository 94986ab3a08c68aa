package recipe

import (
	"strings"

	"authy/server/openid"
	"authy/server/registry"
)

// What stands for a value that is not known.
const (
	UnknownClientID = "CLIENT_ID"
	UnknownSecret   = "CLIENT_SECRET"
)

// Values are what goes into the settings of an application.
type Values struct {
	Issuer   string
	URL      string // of the application; "" for the example of its recipe
	ClientID string // "" for [UnknownClientID]
	Secret   string // "" for [UnknownSecret], unless the client has none
}

// ValuesOf are the values of a client that has come from a recipe. secret is "" where
// it is not known, as it is after the client was made.
func ValuesOf(issuer string, c *registry.Client, secret string) Values {
	return Values{Issuer: issuer, URL: c.ClientURI, ClientID: c.ClientID, Secret: secret}
}

// Filled is what the application is told, ready to be copied.
type Filled struct {
	Settings []Setting
	Snippets []Snippet
}

// Fill replaces the placeholders of what the application is told. An address that
// [ParseURL] would refuse is not filled in: the client may have got it elsewhere.
func (r *Recipe) Fill(v Values) Filled {
	address, err := ParseURL(v.URL)
	if err != nil {
		address = r.Example
	}
	known := func(value, unknown string) string {
		if value == "" {
			return unknown
		}
		return value
	}
	with := strings.NewReplacer(
		"[[url]]", address, "[[issuer]]", v.Issuer,
		"[[client_id]]", known(v.ClientID, UnknownClientID), "[[client_secret]]", known(v.Secret, UnknownSecret),
		"[[discovery]]", v.Issuer+openid.DiscoveryPath, "[[authorize]]", v.Issuer+openid.AuthorizePath,
		"[[token]]", v.Issuer+openid.TokenPath, "[[userinfo]]", v.Issuer+openid.UserinfoPath,
		"[[jwks]]", v.Issuer+openid.JWKSPath, "[[end_session]]", v.Issuer+openid.EndSessionPath,
	)
	out := Filled{make([]Setting, len(r.Settings)), make([]Snippet, len(r.Snippets))}
	for i, s := range r.Settings {
		out.Settings[i] = Setting{s.Name, with.Replace(s.Value)}
	}
	for i, s := range r.Snippets {
		out.Snippets[i] = Snippet{s.File, s.Language, strings.TrimSpace(with.Replace(s.Text)) + "\n"}
	}
	return out
}
