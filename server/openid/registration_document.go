package openid

import (
	"encoding/json"
	"errors"
	"strings"

	"authy/server/registry"
	"authy/storage"
)

// clientMetadata is a client as it describes itself and as it is answered: the
// members of RFC 7591, section 2, of OpenID Connect Dynamic Client Registration
// 1.0, section 2, and of those that add to them (RFC 9101, 9126 and 9449, and the
// two specifications of logout).
type clientMetadata struct {
	ClientID                string `json:"client_id,omitempty"`
	ClientSecret            string `json:"client_secret,omitempty"`
	ClientIDIssuedAt        int64  `json:"client_id_issued_at,omitempty"`
	ClientSecretExpiresAt   *int64 `json:"client_secret_expires_at,omitempty"`
	RegistrationAccessToken string `json:"registration_access_token,omitempty"`
	RegistrationClientURI   string `json:"registration_client_uri,omitempty"`

	ClientName              string   `json:"client_name,omitempty"`
	ApplicationType         string   `json:"application_type,omitempty"`
	RedirectURIs            []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs  []string `json:"post_logout_redirect_uris,omitempty"`
	ResponseTypes           []string `json:"response_types,omitempty"`
	GrantTypes              []string `json:"grant_types,omitempty"`
	Scope                   string   `json:"scope,omitempty"`
	TokenEndpointAuthMethod string   `json:"token_endpoint_auth_method,omitempty"`
	TokenEndpointAuthAlg    string   `json:"token_endpoint_auth_signing_alg,omitempty"`
	LogoURI                 string   `json:"logo_uri,omitempty"`
	ClientURI               string   `json:"client_uri,omitempty"`
	PolicyURI               string   `json:"policy_uri,omitempty"`
	TOSURI                  string   `json:"tos_uri,omitempty"`
	Contacts                []string `json:"contacts,omitempty"`
	SoftwareID              string   `json:"software_id,omitempty"`
	SoftwareVersion         string   `json:"software_version,omitempty"`
	SoftwareStatement       string   `json:"software_statement,omitempty"`

	JWKS                json.RawMessage  `json:"jwks,omitempty"`
	JWKSURI             string           `json:"jwks_uri,omitempty"`
	SubjectType         string           `json:"subject_type,omitempty"`
	SectorIdentifierURI string           `json:"sector_identifier_uri,omitempty"`
	IDTokenAlg          string           `json:"id_token_signed_response_alg,omitempty"`
	UserinfoAlg         string           `json:"userinfo_signed_response_alg,omitempty"`
	RequestAlg          string           `json:"request_object_signing_alg,omitempty"`
	RequestURIs         []string         `json:"request_uris,omitempty"`
	SignedRequest       bool             `json:"require_signed_request_object,omitempty"`
	PushedRequest       bool             `json:"require_pushed_authorization_requests,omitempty"`
	DPoPTokens          bool             `json:"dpop_bound_access_tokens,omitempty"`
	DefaultMaxAge       *storage.Seconds `json:"default_max_age,omitempty"`
	DefaultACR          []string         `json:"default_acr_values,omitempty"`
	InitiateLoginURI    string           `json:"initiate_login_uri,omitempty"`

	BackChannelURI      string `json:"backchannel_logout_uri,omitempty"`
	BackChannelSession  bool   `json:"backchannel_logout_session_required,omitempty"`
	FrontChannelURI     string `json:"frontchannel_logout_uri,omitempty"`
	FrontChannelSession bool   `json:"frontchannel_logout_session_required,omitempty"`
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
		return m, &metadataError{wrong.Field, "it is of another type"}
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
	if m.TokenEndpointAuthMethod == "" {
		m.TokenEndpointAuthMethod = registry.AuthBasic
	}
	if m.ResponseTypes == nil {
		m.ResponseTypes = usualTypes(m.GrantTypes)
	}
	return registry.Registration{
		Name: m.ClientName, ApplicationType: m.ApplicationType, RedirectURIs: m.RedirectURIs,
		PostLogoutRedirectURIs: m.PostLogoutRedirectURIs, GrantTypes: m.GrantTypes, ResponseTypes: m.ResponseTypes, Scopes: strings.Fields(m.Scope),
		AuthMethod: m.TokenEndpointAuthMethod, IDTokenAlg: m.IDTokenAlg,
		LogoURI: m.LogoURI, ClientURI: m.ClientURI, PolicyURI: m.PolicyURI, TOSURI: m.TOSURI,
		Options: m.options(),
	}, nil
}

// usualTypes are the response types of a client that names none: code, if its
// grants let it have one.
func usualTypes(grants []string) []string {
	if has(grants, "authorization_code") {
		return []string{"code"}
	}
	return []string{}
}

func (m clientMetadata) options() registry.Options {
	return registry.Options{
		AuthAlg: m.TokenEndpointAuthAlg, JWKS: string(m.JWKS), JWKSURI: m.JWKSURI,
		SubjectType: m.SubjectType, SectorIdentifierURI: m.SectorIdentifierURI,
		UserinfoAlg: m.UserinfoAlg, RequestAlg: m.RequestAlg, RequestURIs: m.RequestURIs,
		SignedRequest: m.SignedRequest, PushedRequest: m.PushedRequest, DPoPTokens: m.DPoPTokens,
		DefaultMaxAge: m.DefaultMaxAge, DefaultACR: m.DefaultACR, InitiateLoginURI: m.InitiateLoginURI,
		BackChannelURI: m.BackChannelURI, BackChannelSession: m.BackChannelSession,
		FrontChannelURI: m.FrontChannelURI, FrontChannelSession: m.FrontChannelSession,
		Contacts: m.Contacts, SoftwareID: m.SoftwareID, SoftwareVersion: m.SoftwareVersion,
	}
}

// metadataOf is the answer to who has registered c and shows its registration
// access token: all that is registered (RFC 7591, section 3.2.1; RFC 7592,
// section 3). Of the secret there is only a hash.
func (p *Provider) metadataOf(c *registry.Client, token string) clientMetadata {
	o := c.Options
	m := clientMetadata{
		ClientID: c.ClientID, ClientIDIssuedAt: c.CreatedAt.Unix(),
		RegistrationAccessToken: token, RegistrationClientURI: p.Issuer + RegistrationPath + "/" + c.ClientID,
		ClientName: c.Name, ApplicationType: c.ApplicationType, RedirectURIs: c.RedirectURIs,
		PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, GrantTypes: c.GrantTypes, Scope: c.Scopes.String(),
		ResponseTypes:           registry.ResponseTypesOf(c),
		TokenEndpointAuthMethod: c.AuthMethod, TokenEndpointAuthAlg: o.AuthAlg,
		LogoURI: c.LogoURI, ClientURI: c.ClientURI, PolicyURI: c.PolicyURI, TOSURI: c.TOSURI,
		Contacts: o.Contacts, SoftwareID: o.SoftwareID, SoftwareVersion: o.SoftwareVersion,
		JWKS: json.RawMessage(o.JWKS), JWKSURI: o.JWKSURI,
		SubjectType: "public", SectorIdentifierURI: o.SectorIdentifierURI,
		IDTokenAlg: c.IDTokenAlg, UserinfoAlg: o.UserinfoAlg, RequestAlg: o.RequestAlg, RequestURIs: o.RequestURIs,
		SignedRequest: o.SignedRequest, PushedRequest: o.PushedRequest, DPoPTokens: o.DPoPTokens,
		DefaultMaxAge: o.DefaultMaxAge, DefaultACR: o.DefaultACR, InitiateLoginURI: o.InitiateLoginURI,
		BackChannelURI: o.BackChannelURI, BackChannelSession: o.BackChannelSession,
		FrontChannelURI: o.FrontChannelURI, FrontChannelSession: o.FrontChannelSession,
	}
	if o.SubjectType != "" {
		m.SubjectType = o.SubjectType
	}
	return m
}
