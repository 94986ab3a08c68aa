package servertest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/config"
	"authy/server/servertest"
)

// everyOption is a value for each further setting of a client.
func everyOption() map[string]any {
	return map[string]any{
		"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "ES256",
		"id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "RS256",
		"introspection_signed_response_alg": "PS256",
		"jwks": map[string]any{"keys": []any{map[string]any{
			"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
		}}},
		"subject_type": "pairwise", "request_object_signing_alg": "RS256", "request_uris": []any{"https://new.example/r"},
		"require_signed_request_object": true, "require_pushed_authorization_requests": true, "access_token_format": "opaque",
		"dpop_bound_access_tokens": true, "resources": []any{"https://api.example"}, "code_lifetime": 300., "default_max_age": 60.,
		"default_acr_values": []any{"a"}, "backchannel_logout_uri": "https://new.example/back", "backchannel_logout_session_required": true,
		"frontchannel_logout_uri": "https://new.example/front", "frontchannel_logout_session_required": true,
		"initiate_login_uri": "https://new.example/begin", "contacts": []any{"ops@new.example"}, "software_id": "4NRB1", "software_version": "2",
	}
}

func TestEverySettingOfAClientComesBackAndCanBeUnset(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		all, p := clientsOf(t, s, "acme-corp"), in(t, s, carol)
		sent := described("New")
		for name, value := range everyOption() {
			sent[name] = value
		}
		sent["profile"], sent["require_pkce"] = "legacy", false
		made := p.call("POST", all, sent).succeeded(201, "Client created successfully")
		if made.at("client_secret") != nil {
			t.Errorf("a client that signs with a key has a secret: %s", made.Raw)
		}
		one := all + "/" + made.text("client", "client_id")
		read := p.call("GET", one, nil).succeeded(200, "Client retrieved successfully")
		for name, want := range everyOption() {
			if diff := cmp.Diff(want, read.at("client", name)); diff != "" {
				t.Errorf("%s (-sent +read):\n%s", name, diff)
			}
		}
		if diff := cmp.Diff([]any{"pkce", "nonce", "code_lifetime"}, read.at("client", "relaxed")); diff != "" {
			t.Errorf("relaxed (-want +got):\n%s", diff)
		}
		unset := object{
			"token_endpoint_auth_signing_alg": "", "userinfo_signed_response_alg": "", "introspection_signed_response_alg": "", "subject_type": "public", "request_object_signing_alg": "",
			"request_uris": []string{}, "require_signed_request_object": false, "require_pushed_authorization_requests": false,
			"access_token_format": "jwt", "dpop_bound_access_tokens": false, "resources": []string{}, "code_lifetime": 0, "default_max_age": -1,
			"default_acr_values": []string{}, "backchannel_logout_uri": "", "backchannel_logout_session_required": false,
			"frontchannel_logout_uri": "", "frontchannel_logout_session_required": false, "initiate_login_uri": "", "contacts": []string{},
			"software_id": "", "software_version": "", "jwks": nil, "jwks_uri": "https://new.example/jwks", "profile": "oauth2.1", "require_pkce": true,
		}
		got := p.call("PATCH", one, unset).succeeded(200, "Client updated successfully")
		for name := range everyOption() {
			if value := got.at("client", name); value != nil && name != "token_endpoint_auth_method" && name != "id_token_signed_response_alg" {
				t.Errorf("%s is still %v", name, value)
			}
		}
		if got.at("client", "jwks_uri") != "https://new.example/jwks" || len(got.at("client", "relaxed").([]any)) != 0 {
			t.Errorf("after the change: %s", got.Raw)
		}
		for field, bad := range map[string]any{
			"jwks": object{"keys": []any{object{"kty": "oct", "k": "AAAA"}}}, "subject_type": "x", "code_lifetime": 300, "resources": []string{"/x"},
			"token_endpoint_auth_method": "client_secret_basic", "access_token_format": "xml", "frontchannel_logout_uri": "https://evil.example/",
			"backchannel_logout_uri": "https://new.example/#x", "initiate_login_uri": "javascript:alert(1)", "default_max_age": -2,
			"sector_identifier_uri": "https://169.254.169.254/", "id_token_signed_response_alg": "none", "contacts": []string{"a\u0007"},
		} {
			o := p.call("PATCH", one, object{field: bad}).failed(400, "VALIDATION_ERROR", "")
			if !strings.Contains(o.Raw, `"`+field+`":`) {
				t.Errorf("a bad %s: %s", field, o.Raw)
			}
		}
		// Only where it is said in one way that there is no secret.
		p.call("POST", all, object{"name": "X", "redirect_uris": []string{"https://x.example/cb"}, "public": true, "token_endpoint_auth_method": "client_secret_post"}).
			failed(400, "VALIDATION_ERROR", "")
	})
}

func TestAnAdministratorsTokenRegistersClientsThatAreShownAsSuch(t *testing.T) {
	t.Parallel()
	bothEngines(t, func(t *testing.T, engine string) {
		s := registering(t, engine, "token", func(c *config.Config) { c.OpenID.RegistrationProfile = "legacy" })
		const path = "/api/v1/admin/registration-tokens"
		p := rooted(t, s)
		home := strings.Split(clientsOf(t, s, "acme-corp"), "/")[4]
		made := p.call("POST", path, object{"organization_id": home, "profile": "oauth2.1"}).succeeded(201, "Registration token created successfully")
		p.call("POST", path, object{"uses": 2, "lifetime": 60}).succeeded(201, "Registration token created successfully")
		a, _ := registeredOf(t, enroll(t, s, made.text("token"), honestClient))
		enroll(t, s, made.text("token"), honestClient).refused(t, http.StatusUnauthorized, "invalid_token")
		list := p.call("GET", path+"?limit=1", nil).succeeded(200, "Registration tokens retrieved successfully")
		if strings.Contains(list.Raw, made.text("token")) || !strings.Contains(list.Raw, `"uses_left":0`) || !strings.Contains(list.Raw, `"next"`) {
			t.Errorf("the list = %s", list.Raw)
		}
		for _, client := range []string{clientsOf(t, s, "acme-corp") + "/" + a.id, "/api/v1/admin/clients/" + a.id} {
			who := p
			if strings.Contains(client, "organizations") {
				who = in(t, s, carol)
			}
			got := who.call("GET", client, nil).succeeded(200, "Client retrieved successfully")
			if got.at("client", "dynamic") != true || got.text("client", "organization_id") != home || got.text("client", "profile") != "oauth2.1" ||
				got.at("client", "skip_consent") != false {
				t.Errorf("the client = %s", got.Raw)
			}
		}
		one := path + "/" + made.text("registration_token", "id")
		p.call("DELETE", one, nil).succeeded(200, "Registration token deleted successfully")
		p.call("DELETE", one, nil).failed(404, "NOT_FOUND", "There is no such registration token.")
		p.call("POST", path, object{"organization_id": "nowhere"}).failed(400, "VALIDATION_ERROR", "")
		p.call("POST", path, object{"uses": 0}).failed(400, "VALIDATION_ERROR", "")
	})
}
