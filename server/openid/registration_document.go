package openid

import (
	"encoding/json"
	"errors"
	"strings"

	"authy/server/registry"
)

// clientMetadata is a client as it describes itself and as it is answered: the
// members of RFC 7591, section 2, and those of [registry.Metadata].
type clientMetadata struct {
	ClientID                string `json:"client_id,omitempty"`
	ClientSecret            string `json:"client_secret,omitempty"`
	ClientIDIssuedAt        int64  `json:"client_id_issued_at,omitempty"`
	ClientSecretExpiresAt   *int64 `json:"client_secret_expires_at,omitempty"`
	RegistrationAccessToken string `json:"registration_access_token,omitempty"`
	RegistrationClientURI   string `json:"registration_client_uri,omitempty"`

	ClientName             string   `json:"client_name,omitempty"`
	ApplicationType        string   `json:"application_type,omitempty"`
	RedirectURIs           []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	ResponseTypes          []string `json:"response_types,omitempty"`
	GrantTypes             []string `json:"grant_types,omitempty"`
	Scope                  string   `json:"scope,omitempty"`
	LogoURI                string   `json:"logo_uri,omitempty"`
	ClientURI              string   `json:"client_uri,omitempty"`
	PolicyURI              string   `json:"policy_uri,omitempty"`
	TOSURI                 string   `json:"tos_uri,omitempty"`
	SoftwareStatement      string   `json:"software_statement,omitempty"`

	registry.Metadata
}

// parseMetadata reads a description. Members that nobody knows are passed over
// (RFC 7591, section 2), as are names in other languages; a name that is there
// twice is refused.
func parseMetadata(body []byte) (m clientMetadata, err error) {
	if err := registry.CheckJSON(body); err != nil {
		return m, &metadataError{"", err.Error()}
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return m, &metadataError{"", "the body is not valid JSON"}
	}
	for name := range members {
		// encoding/json would take names of other case for the fields.
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_") != "" {
			delete(members, name)
		}
	}
	exact, err := json.Marshal(members)
	if err != nil {
		return m, &metadataError{"", "the body is not valid JSON"}
	}
	err = json.Unmarshal(exact, &m)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return m, &metadataError{strings.TrimPrefix(wrong.Field, "Metadata."), "it is of another type"}
	}
	if err != nil {
		return m, &metadataError{"", "a value in the body is not of the expected form"}
	}
	if string(m.JWKS) == "null" {
		m.JWKS = nil
	}
	return m, nil
}

// registration is what a description asks for, with the defaults of RFC 7591,
// section 2, for what it leaves out.
func (m clientMetadata) registration() (in registry.Registration, err error) {
	if m.SoftwareStatement != "" {
		return in, errMetadataState
	}
	if len(m.GrantTypes) == 0 {
		m.GrantTypes = []string{"authorization_code"}
	}
	if m.ResponseTypes == nil {
		m.ResponseTypes = usualTypes(m.GrantTypes)
	}
	in = registry.Registration{
		Name: m.ClientName, ApplicationType: m.ApplicationType, RedirectURIs: m.RedirectURIs,
		PostLogoutRedirectURIs: m.PostLogoutRedirectURIs, GrantTypes: m.GrantTypes, ResponseTypes: m.ResponseTypes,
		Scopes:  strings.Fields(m.Scope),
		LogoURI: m.LogoURI, ClientURI: m.ClientURI, PolicyURI: m.PolicyURI, TOSURI: m.TOSURI,
	}
	m.WriteTo(&in)
	if in.AuthMethod == "" {
		in.AuthMethod = registry.AuthBasic
	}
	in.Options.DefaultMaxAge = m.DefaultMaxAge // here -1 is a mistake
	return in, nil
}

// usualTypes are the response types of a client that names none: code, if its
// grants let it have one.
func usualTypes(grants []string) []string {
	if has(grants, "authorization_code") {
		return []string{"code"}
	}
	return []string{}
}

// metadataOf is the answer to who has registered c and shows its registration
// access token: all that is registered (RFC 7591, section 3.2.1; RFC 7592,
// section 3). Of the secret there is only a hash.
func (p *Provider) metadataOf(c *registry.Client, token string) clientMetadata {
	m := clientMetadata{
		ClientID: c.ClientID, ClientIDIssuedAt: c.CreatedAt.Unix(),
		RegistrationAccessToken: token, RegistrationClientURI: p.Issuer + RegistrationPath + "/" + c.ClientID,
		ClientName: c.Name, ApplicationType: c.ApplicationType, RedirectURIs: c.RedirectURIs,
		PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, GrantTypes: c.GrantTypes, Scope: c.Scopes.String(),
		ResponseTypes: registry.ResponseTypesOf(c),
		LogoURI:       c.LogoURI, ClientURI: c.ClientURI, PolicyURI: c.PolicyURI, TOSURI: c.TOSURI,
		Metadata: registry.MetadataOf(c),
	}
	if m.SubjectType == nil {
		public := "public"
		m.SubjectType = &public
	}
	return m
}
