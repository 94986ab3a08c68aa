package registry

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wholeMetadata and wholeGrants have every member.
const (
	wholeMetadata = `{"token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_signing_alg":"ES256",
"id_token_signed_response_alg":"ES256","userinfo_signed_response_alg":"RS256","jwks":{"keys":[]},"introspection_signed_response_alg":"ES256",
"jwks_uri":"https://a.example/jwks","subject_type":"pairwise","sector_identifier_uri":"https://a.example/sector",
"request_object_signing_alg":"PS256","request_uris":["https://a.example/request"],"require_signed_request_object":true,
"require_pushed_authorization_requests":true,"dpop_bound_access_tokens":true,"default_max_age":0,"default_acr_values":["acr"],
"backchannel_logout_uri":"https://a.example/back","backchannel_logout_session_required":true,
"frontchannel_logout_uri":"https://a.example/front","frontchannel_logout_session_required":true,
"initiate_login_uri":"https://a.example/begin","contacts":["ops@a.example"],"software_id":"id","software_version":"1"}`
	wholeGrants = `{"lean_id_token":true,"access_token_format":"opaque","resources":["https://b.example"],
"exchange":["delegation"],"exchange_for":["web"],"code_lifetime":60}`
)

// members decodes JSON, and complains of a field of into that is not in it.
func members(t *testing.T, text string, into any) map[string]any {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatal(err)
	}
	filled := reflect.ValueOf(into).Elem()
	for i := range filled.NumField() {
		if filled.Field(i).IsZero() {
			t.Errorf("the test leaves %s out", filled.Type().Field(i).Name)
		}
	}
	all := map[string]any{}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// encoded is what a document says.
func encoded(t *testing.T, document any) map[string]any {
	t.Helper()
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEveryMemberIsKeptAndShown(t *testing.T) {
	t.Parallel()
	var metadata Metadata
	var granted Granted
	chosen, grants := members(t, wholeMetadata, &metadata), members(t, wholeGrants, &granted)
	var in Registration
	metadata.WriteTo(&in)
	granted.WriteTo(&in)
	kept := reflect.ValueOf(in.Options)
	for i := range kept.NumField() {
		if name := kept.Type().Field(i).Name; name != "Profile" && kept.Field(i).IsZero() {
			t.Errorf("%s has no member", name)
		}
	}
	c := &Client{AuthMethod: in.AuthMethod, IDTokenAlg: in.IDTokenAlg, Options: in.Options}
	if diff := cmp.Diff(chosen, encoded(t, MetadataOf(c))); diff != "" {
		t.Errorf("MetadataOf (-sent +got):\n%s", diff)
	}
	if diff := cmp.Diff(grants, encoded(t, GrantedTo(c))); diff != "" {
		t.Errorf("GrantedTo (-sent +got):\n%s", diff)
	}
}

func TestWhatIsNotSetIsNeitherShownNorWritten(t *testing.T) {
	t.Parallel()
	if m, g := MetadataOf(&Client{}), GrantedTo(&Client{}); len(encoded(t, m))+len(encoded(t, g)) > 0 {
		t.Errorf("of a client without options: %+v %+v, want nothing", m, g)
	}
	var in Registration
	for text, document := range map[string]any{wholeMetadata: new(Metadata), wholeGrants: new(Granted)} {
		members(t, text, document)
		document.(interface{ WriteTo(*Registration) }).WriteTo(&in)
	}
	before := in
	Metadata{}.WriteTo(&in)
	Granted{}.WriteTo(&in)
	if diff := cmp.Diff(before, in); diff != "" {
		t.Errorf("an empty document changes (-before +after):\n%s", diff)
	}
}

func TestOptionsAreUnset(t *testing.T) {
	t.Parallel()
	age := Seconds(5)
	in := Registration{AuthMethod: AuthPrivateKey, Options: Options{
		JWKS: `{"keys":[]}`, JWKSURI: "https://a.example/jwks", DefaultMaxAge: &age, Contacts: []string{"a"},
		SignedRequest: true, OpaqueTokens: true, Resources: []string{"urn:a"}, CodeLifetime: 9,
	}}
	var m Metadata
	var g Granted
	const unset = `{"token_endpoint_auth_method":"","jwks":null,"jwks_uri":"","default_max_age":-1,"contacts":[],
"require_signed_request_object":false,"access_token_format":"jwt","resources":[],"code_lifetime":0}`
	if json.Unmarshal([]byte(unset), &m) != nil || json.Unmarshal([]byte(unset), &g) != nil {
		t.Fatal("not JSON")
	}
	m.WriteTo(&in)
	g.WriteTo(&in)
	want := Registration{Options: Options{Contacts: []string{}, Resources: []string{}}}
	if diff := cmp.Diff(want, in); diff != "" {
		t.Errorf("WriteTo (-want +got):\n%s", diff)
	}
}
