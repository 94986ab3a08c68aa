package servertest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// The tenants of [NewStubMicrosoft]: one of work, that of personal accounts.
const (
	StubTenant         = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	StubPersonalTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"
)

// NewStubMicrosoft starts a provider with the manners of Microsoft Entra ID: many
// tenants with an issuer each behind metadata whose issuer is a template, a subject
// that differs by application and an oid that does not, mail that may be missing or
// anybody's, never email_verified, and keys that name the issuer they are for and no algorithm.
func NewStubMicrosoft(t testing.TB) *StubOIDC {
	t.Helper()
	s := newStub(t, places{
		metadata: "/{tenant}/v2.0/.well-known/openid-configuration", authorize: "/{tenant}/oauth2/v2.0/authorize",
		token: "/{tenant}/oauth2/v2.0/token", keys: "/{tenant}/discovery/v2.0/keys",
		userinfo: "/oidc/userinfo", end: "/{tenant}/oauth2/v2.0/logout",
	})
	s.Issuer = s.URL + "/common/v2.0"
	s.Person = map[string]any{
		"sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "oid": "6467882c-fdfd-4354-a1ed-4e13f064be25",
		"tid": StubTenant, "ver": "2.0", "name": "Pat Doe", "preferred_username": "pat@contoso.example",
	}
	s.Announce = func(metadata map[string]any) {
		tenant, template := s.tenant(), "{tenantid}"
		if tenant == "consumers" {
			template = StubPersonalTenant
		} else if strings.Count(tenant, "-") == 4 {
			template = tenant
		}
		metadata["issuer"] = s.URL + "/" + template + "/v2.0"
		for name, value := range metadata {
			if text, is := value.(string); is {
				metadata[name] = strings.Replace(text, "/{tenant}/", "/"+tenant+"/", 1)
			}
		}
		delete(metadata, "authorization_response_iss_parameter_supported")
		delete(metadata, "backchannel_logout_supported")
		metadata["scopes_supported"] = []string{"openid", "profile", "email", "offline_access"}
		metadata["response_modes_supported"] = []string{"query", "fragment", "form_post"}
		metadata["token_endpoint_auth_methods_supported"] = []string{"client_secret_post", "private_key_jwt", "client_secret_basic"}
	}
	s.Respond = func(answer url.Values) {
		answer.Del("iss")
		answer.Set("session_state", "7b29111d-c220-4263-99ab-6f6e135d75ef")
	}
	s.Claim = func(claims map[string]any) {
		tenant, _ := claims["tid"].(string) // a hook may have taken it away
		claims["iss"] = s.URL + "/" + tenant + "/v2.0"
		delete(claims, "auth_time")
		delete(claims, "at_hash")
	}
	s.Before = s.keysOfMicrosoft
	return s
}

// tenant is whose metadata the issuer leads to.
func (s *StubOIDC) tenant() string {
	return strings.TrimSuffix(strings.TrimPrefix(s.Issuer, s.URL+"/"), "/v2.0")
}

// keysOfMicrosoft answers with keys as Microsoft has them, and with its errors.
func (s *StubOIDC) keysOfMicrosoft(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasSuffix(r.URL.Path, "/discovery/v2.0/keys") {
		return false
	}
	text, err := jose.JSONWebKey{Key: s.key.Public(), KeyID: s.kid, Use: "sig"}.MarshalJSON()
	if err != nil {
		s.t.Error(err)
	}
	issuer := slices.Concat([]byte(`,"issuer":"`), []byte(s.URL), []byte(`/{tenantid}/v2.0"}`))
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(slices.Concat([]byte(`{"keys":[`), text[:len(text)-1], issuer, []byte(`]}`))) // who asks sees it
	return true
}
