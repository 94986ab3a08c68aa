package api

import (
	"bytes"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"authy/server/registry"
)

// ClientOptions are the further settings of a client, by the names of RFC 7591
// and its kin; one that is not set is left out. It is the same type coming in
// and going out, since each type costs room. The framework sees only embedded
// types that are exported.
type ClientOptions struct {
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
	LeanIDToken         *bool    `json:"lean_id_token,omitempty" doc:"Whether the claims of scopes are at userinfo alone"`
	TokenFormat         *string  `json:"access_token_format,omitempty" enum:"jwt,opaque"`
	DPoPTokens          *bool    `json:"dpop_bound_access_tokens,omitempty"`
	Resources           []string `json:"resources,omitempty" nullable:"false" doc:"What its tokens may be for (RFC 8707)"`
	Exchange            []string `json:"exchange,omitempty" nullable:"false" doc:"How it may exchange tokens: impersonation, delegation or both; administrators of the server alone change it"`
	ExchangeFor         []string `json:"exchange_for,omitempty" nullable:"false" doc:"The client_ids, or resources, whose tokens it may exchange beside its own"`
	CodeLifetime        *int64   `json:"code_lifetime,omitempty" minimum:"0" maximum:"600" doc:"Seconds, for the profile legacy alone; 0 is the server's"`
	DefaultMaxAge       *int64   `json:"default_max_age,omitempty" minimum:"-1" maximum:"315360000" doc:"Seconds; -1 unsets it"`
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

// KeySet is a JWK Set as it was sent; null stands for none.
type KeySet []byte

// MarshalJSON implements [json.Marshaler].
func (k KeySet) MarshalJSON() ([]byte, error) { return k, nil }

// UnmarshalJSON implements [json.Unmarshaler].
func (k *KeySet) UnmarshalJSON(data []byte) error {
	*k = slices.Clone(data)
	return nil
}

// Schema implements [huma.SchemaProvider].
func (*KeySet) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Nullable: true, AdditionalProperties: true,
		Description: "A JWK Set of public keys (RFC 7517, section 5); null unsets it",
	}
}

// writeOptions writes what was sent to the description of a client.
func (o *ClientOptions) writeOptions(c *registry.Registration) {
	to := &c.Options
	set(&c.AuthMethod, o.AuthMethod)
	set(&c.IDTokenAlg, o.IDTokenAlg)
	for _, text := range []struct{ field, sent *string }{
		{&to.AuthAlg, o.AuthAlg},
		{&to.UserinfoAlg, o.UserinfoAlg},
		{&to.IntrospectionAlg, o.IntrospectionAlg},
		{&to.JWKSURI, o.JWKSURI},
		{&to.SubjectType, o.SubjectType},
		{&to.SectorIdentifierURI, o.SectorIdentifierURI},
		{&to.RequestAlg, o.RequestAlg},
		{&to.BackChannelURI, o.BackChannelURI},
		{&to.FrontChannelURI, o.FrontChannelURI},
		{&to.InitiateLoginURI, o.InitiateLoginURI},
		{&to.SoftwareID, o.SoftwareID},
		{&to.SoftwareVersion, o.SoftwareVersion},
	} {
		set(text.field, text.sent)
	}
	set(&to.SignedRequest, o.SignedRequest)
	set(&to.PushedRequest, o.PushedRequest)
	set(&to.DPoPTokens, o.DPoPTokens)
	set(&to.LeanIDToken, o.LeanIDToken)
	set(&to.BackChannelSession, o.BackChannelSession)
	set(&to.FrontChannelSession, o.FrontChannelSession)
	setList(&to.RequestURIs, o.RequestURIs)
	setList(&to.Resources, o.Resources)
	setList(&to.DefaultACR, o.DefaultACR)
	setList(&to.Contacts, o.Contacts)
	setList(&to.Exchange, o.Exchange)
	setList(&to.ExchangeFor, o.ExchangeFor)
	if o.TokenFormat != nil {
		to.OpaqueTokens = *o.TokenFormat == "opaque"
	}
	if o.CodeLifetime != nil {
		to.CodeLifetime = registry.Seconds(*o.CodeLifetime)
	}
	if o.DefaultMaxAge != nil {
		to.DefaultMaxAge = registry.MaxAge(*o.DefaultMaxAge)
	}
	if len(o.JWKS) > 0 {
		to.JWKS = string(bytes.TrimPrefix(o.JWKS, []byte("null")))
	}
}

// optionsOf returns the further settings of a client.
func optionsOf(c *registry.Client) ClientOptions {
	o := c.Options
	out := ClientOptions{
		AuthMethod: orNull(c.AuthMethod), AuthAlg: orNull(o.AuthAlg), IDTokenAlg: orNull(c.IDTokenAlg), UserinfoAlg: orNull(o.UserinfoAlg),
		IntrospectionAlg: orNull(o.IntrospectionAlg),
		JWKS:             KeySet(o.JWKS), JWKSURI: orNull(o.JWKSURI),
		SubjectType: orNull(o.SubjectType), SectorIdentifierURI: orNull(o.SectorIdentifierURI),
		RequestAlg: orNull(o.RequestAlg), RequestURIs: o.RequestURIs,
		SignedRequest: ifTrue(o.SignedRequest), PushedRequest: ifTrue(o.PushedRequest), DPoPTokens: ifTrue(o.DPoPTokens),
		LeanIDToken: ifTrue(o.LeanIDToken),
		Resources:   o.Resources, Exchange: o.Exchange, ExchangeFor: o.ExchangeFor,
		DefaultMaxAge: (*int64)(o.DefaultMaxAge), DefaultACR: o.DefaultACR,
		BackChannelURI: orNull(o.BackChannelURI), BackChannelSession: ifTrue(o.BackChannelSession),
		FrontChannelURI: orNull(o.FrontChannelURI), FrontChannelSession: ifTrue(o.FrontChannelSession),
		InitiateLoginURI: orNull(o.InitiateLoginURI), Contacts: o.Contacts,
		SoftwareID: orNull(o.SoftwareID), SoftwareVersion: orNull(o.SoftwareVersion),
	}
	if o.OpaqueTokens {
		out.TokenFormat = orNull("opaque")
	}
	if o.CodeLifetime > 0 {
		out.CodeLifetime = (*int64)(&o.CodeLifetime)
	}
	return out
}

// ifTrue returns a flag that is set, and nil for one that is not.
func ifTrue(flag bool) *bool {
	if !flag {
		return nil
	}
	return &flag
}
