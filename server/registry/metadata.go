package registry

import (
	"bytes"
	"slices"
)

// Metadata is the options of a client that it may also choose for itself, as documents
// have them: by the names of RFC 7591, section 2, of OpenID Connect Dynamic Client
// Registration 1.0, section 2, and of those that add to them (RFC 9101, 9126 and 9449,
// and the two specifications of logout). What is not set is left out. It is the same
// coming in and going out; the API describes it by its tags.
type Metadata struct {
	AuthMethod          *string  `json:"token_endpoint_auth_method,omitempty" doc:"client_secret_basic, client_secret_post, client_secret_jwt, private_key_jwt or none; unset is either way of sending the secret"`
	AuthAlg             *string  `json:"token_endpoint_auth_signing_alg,omitempty"`
	IDTokenAlg          *string  `json:"id_token_signed_response_alg,omitempty" example:"RS256"`
	UserinfoAlg         *string  `json:"userinfo_signed_response_alg,omitempty"`
	IntrospectionAlg    *string  `json:"introspection_signed_response_alg,omitempty"`
	JWKS                KeySet   `json:"jwks,omitempty"`
	JWKSURI             *string  `json:"jwks_uri,omitempty"`
	SubjectType         *string  `json:"subject_type,omitempty" example:"pairwise"`
	SectorIdentifierURI *string  `json:"sector_identifier_uri,omitempty"`
	RequestAlg          *string  `json:"request_object_signing_alg,omitempty"`
	RequestURIs         []string `json:"request_uris,omitempty" nullable:"false"`
	SignedRequest       *bool    `json:"require_signed_request_object,omitempty"`
	PushedRequest       *bool    `json:"require_pushed_authorization_requests,omitempty"`
	DPoPTokens          *bool    `json:"dpop_bound_access_tokens,omitempty"`
	DefaultMaxAge       *Seconds `json:"default_max_age,omitempty" minimum:"-1" maximum:"315360000" doc:"Seconds; -1 unsets it"`
	DefaultACR          []string `json:"default_acr_values,omitempty" nullable:"false"`
	BackChannelURI      *string  `json:"backchannel_logout_uri,omitempty"`
	BackChannelSession  *bool    `json:"backchannel_logout_session_required,omitempty"`
	FrontChannelURI     *string  `json:"frontchannel_logout_uri,omitempty"`
	FrontChannelSession *bool    `json:"frontchannel_logout_session_required,omitempty"`
	InitiateLoginURI    *string  `json:"initiate_login_uri,omitempty"`
	Contacts            []string `json:"contacts,omitempty" nullable:"false"`
	SoftwareID          *string  `json:"software_id,omitempty"`
	SoftwareVersion     *string  `json:"software_version,omitempty"`
}

// Granted is the options that only those who manage a client choose for it, in the
// manner of [Metadata].
type Granted struct {
	LeanIDToken  *bool    `json:"lean_id_token,omitempty" doc:"Whether the claims of scopes are at userinfo alone"`
	TokenFormat  *string  `json:"access_token_format,omitempty" enum:"jwt,opaque"`
	Resources    []string `json:"resources,omitempty" nullable:"false" doc:"What its tokens may be for (RFC 8707)"`
	Exchange     []string `json:"exchange,omitempty" nullable:"false" doc:"How it may exchange tokens: impersonation, delegation or both; administrators of the server alone change it"`
	ExchangeFor  []string `json:"exchange_for,omitempty" nullable:"false" doc:"The client_ids, or resources, whose tokens it may exchange beside its own"`
	CodeLifetime *Seconds `json:"code_lifetime,omitempty" minimum:"0" maximum:"600" doc:"Seconds, for the profile legacy alone; 0 is the server's"`
}

// The formats of access tokens.
const (
	FormatJWT    = "jwt"
	FormatOpaque = "opaque"
)

// KeySet is a JWK Set as it was sent; null stands for none.
type KeySet []byte

// MarshalJSON implements [json.Marshaler].
func (k KeySet) MarshalJSON() ([]byte, error) { return k, nil }

// UnmarshalJSON implements [json.Unmarshaler].
func (k *KeySet) UnmarshalJSON(data []byte) error {
	*k = slices.Clone(data)
	return nil
}

// MetadataOf returns the metadata of a client.
func MetadataOf(c *Client) (m Metadata) {
	in := Describe(c)
	for _, l := range m.links(&in) {
		l.show()
	}
	return m
}

// WriteTo writes what is set to a registration.
func (m Metadata) WriteTo(in *Registration) {
	for _, l := range m.links(in) {
		l.take()
	}
}

// GrantedTo returns what a client is granted.
func GrantedTo(c *Client) (g Granted) {
	in := Describe(c)
	for _, l := range g.links(&in) {
		l.show()
	}
	return g
}

// WriteTo writes what is set to a registration.
func (g Granted) WriteTo(in *Registration) {
	for _, l := range g.links(in) {
		l.take()
	}
}

// A link is between the member of a document and the field of a registration that it
// stands for.
type link struct {
	take func() // has the field be what the member says, if it is there
	show func() // has the member say what the field is
}

func (m *Metadata) links(in *Registration) []link {
	o := &in.Options
	return []link{
		value(&m.AuthMethod, &in.AuthMethod),
		value(&m.AuthAlg, &o.AuthAlg),
		value(&m.IDTokenAlg, &in.IDTokenAlg),
		value(&m.UserinfoAlg, &o.UserinfoAlg),
		value(&m.IntrospectionAlg, &o.IntrospectionAlg),
		keys(&m.JWKS, &o.JWKS),
		value(&m.JWKSURI, &o.JWKSURI),
		value(&m.SubjectType, &o.SubjectType),
		value(&m.SectorIdentifierURI, &o.SectorIdentifierURI),
		value(&m.RequestAlg, &o.RequestAlg),
		list(&m.RequestURIs, &o.RequestURIs),
		value(&m.SignedRequest, &o.SignedRequest),
		value(&m.PushedRequest, &o.PushedRequest),
		value(&m.DPoPTokens, &o.DPoPTokens),
		maxAge(&m.DefaultMaxAge, &o.DefaultMaxAge),
		list(&m.DefaultACR, &o.DefaultACR),
		value(&m.BackChannelURI, &o.BackChannelURI),
		value(&m.BackChannelSession, &o.BackChannelSession),
		value(&m.FrontChannelURI, &o.FrontChannelURI),
		value(&m.FrontChannelSession, &o.FrontChannelSession),
		value(&m.InitiateLoginURI, &o.InitiateLoginURI),
		list(&m.Contacts, &o.Contacts),
		value(&m.SoftwareID, &o.SoftwareID),
		value(&m.SoftwareVersion, &o.SoftwareVersion),
	}
}

func (g *Granted) links(in *Registration) []link {
	o := &in.Options
	return []link{
		value(&g.LeanIDToken, &o.LeanIDToken),
		format(&g.TokenFormat, &o.OpaqueTokens),
		list(&g.Resources, &o.Resources),
		list(&g.Exchange, &o.Exchange),
		list(&g.ExchangeFor, &o.ExchangeFor),
		value(&g.CodeLifetime, &o.CodeLifetime),
	}
}

// value links a member to a field that is the zero value unless it is set.
func value[T comparable](member **T, field *T) link {
	return link{
		take: func() {
			if *member != nil {
				*field = **member
			}
		},
		show: func() {
			if *field != *new(T) {
				*member = field
			}
		},
	}
}

// list links lists; an empty one is set, too.
func list(member, field *[]string) link {
	return link{
		take: func() {
			if *member != nil {
				*field = *member
			}
		},
		show: func() { *member = *field },
	}
}

func keys(member *KeySet, field *string) link {
	return link{
		take: func() {
			if len(*member) > 0 {
				*field = string(bytes.TrimPrefix(*member, []byte("null")))
			}
		},
		show: func() { *member = KeySet(*field) },
	}
}

func maxAge(member, field **Seconds) link {
	return link{
		take: func() {
			if *member != nil {
				*field = MaxAge(int64(**member))
			}
		},
		show: func() { *member = *field },
	}
}

func format(member **string, opaque *bool) link {
	return link{
		take: func() {
			if *member != nil {
				*opaque = **member == FormatOpaque
			}
		},
		show: func() {
			if *opaque {
				name := FormatOpaque
				*member = &name
			}
		},
	}
}
