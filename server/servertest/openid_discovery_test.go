package servertest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
)

// advertised is the server's own description of itself.
type advertised map[string]any

func (a advertised) list(name string) (values []string) {
	items, _ := a[name].([]any)
	for _, item := range items {
		text, _ := item.(string)
		values = append(values, text)
	}
	return values
}

func TestDiscoveryListsExactlyWhatWorks(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	ad := advertised(raw(t, http.MethodGet, s.URL+"/.well-known/openid-configuration", "", nil).fields)
	lists := map[string][]string{
		"scopes_supported":                              {"openid", "profile", "email", "phone", "offline_access", "roles"},
		"response_types_supported":                      {"code"},
		"response_modes_supported":                      {"query", "fragment", "form_post"},
		"grant_types_supported":                         {"authorization_code", "refresh_token", "client_credentials"},
		"subject_types_supported":                       {"public"},
		"id_token_signing_alg_values_supported":         {"RS256", "ES256"},
		"token_endpoint_auth_methods_supported":         {"none", "client_secret_basic", "client_secret_post"},
		"revocation_endpoint_auth_methods_supported":    {"none", "client_secret_basic", "client_secret_post"},
		"introspection_endpoint_auth_methods_supported": {"client_secret_basic", "client_secret_post"},
		"code_challenge_methods_supported":              {"S256"},
		"prompt_values_supported":                       {"none", "login", "consent", "select_account", "create"},
		"acr_values_supported": {
			"urn:authy:acr:password", "https://refeds.org/profile/sfa", "urn:authy:acr:mfa", "https://refeds.org/profile/mfa",
			"urn:authy:acr:passkey", "phr",
		},
	}
	for name, want := range lists {
		if diff := cmp.Diff(want, ad.list(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if ad["issuer"] != s.URL || ad["authorization_response_iss_parameter_supported"] != true ||
		ad["request_parameter_supported"] != false || ad["request_uri_parameter_supported"] != false {
		t.Errorf("discovery %v", ad)
	}
	for name, value := range ad {
		address, _ := value.(string)
		if !strings.HasSuffix(name, "_endpoint") && name != "jwks_uri" {
			if _, isList := lists[name]; strings.HasSuffix(name, "_supported") && !isList && name != "claims_supported" {
				if _, isFlag := value.(bool); !isFlag {
					t.Errorf("%s is advertised and not walked", name)
				}
			}
			continue
		}
		if r := raw(t, http.MethodOptions, address, "", nil); !strings.HasPrefix(address, s.URL+"/oidc/") || r.status == http.StatusNotFound {
			t.Errorf("%s = %s answers %d", name, address, r.status)
		}
	}
	walk(t, s, ad)
}

// walk tries every advertised value.
func walk(t *testing.T, s *servertest.Server, ad advertised) {
	browser := servertest.Browser(t)
	tried := 0
	all := register(t, s, registry.Registration{
		ClientID: "all-scopes", Secret: "a secret of its own", Name: "All", Scopes: append(ad.list("scopes_supported"), "api"),
		GrantTypes: ad.list("grant_types_supported"),
	})
	saysEverything(t, s)
	scope := strings.Join(ad.list("scopes_supported"), " ")
	got := all.tokens(t, s, browser, "scope", scope)
	if got.Scope != scope {
		t.Errorf("scope = %q, want %q", got.Scope, scope)
	}
	all.refresh(t, s, got.Refresh).tokens(t)
	all.post(t, s, tokenPath, url.Values{"grant_type": {"client_credentials"}}).tokens(t)
	for _, mode := range ad.list("response_modes_supported") {
		for _, kind := range ad.list("response_types_supported") {
			values := all.answered(t, s, browser, "response_mode", mode, "response_type", kind)
			if values.Get("code") == "" || values.Get("state") != "the state" || values.Get("iss") != s.URL {
				t.Errorf("response_mode %s: %v", mode, values)
			}
			tried++
		}
	}
	for _, prompt := range ad.list("prompt_values_supported") {
		all.code(t, s, browser, "prompt", prompt)
		tried++
	}
	for _, acr := range ad.list("acr_values_supported") {
		_, claims := claimsOf(t, all.tokens(t, s, browser, "acr_values", acr).ID)
		if said, _ := claims["acr"].(string); !slices.Contains(ad.list("acr_values_supported"), said) {
			t.Errorf("acr_values %s: the ID token says %q, which is not advertised", acr, said)
		}
		tried++
	}
	for _, alg := range ad.list("id_token_signing_alg_values_supported") {
		signedBy(t, s, browser, alg)
		tried++
	}
	if tried != 16 {
		t.Errorf("%d values were tried, want 16", tried)
	}
	checkClaims(t, s, ad, got)
	for endpoint, path := range map[string]string{"token": tokenPath, "revocation": revokePath, "introspection": introspectPath} {
		for _, method := range ad.list(endpoint + "_endpoint_auth_methods_supported") {
			form := url.Values{"token": {"x"}, "grant_type": {"refresh_token"}, "refresh_token": {"x"}}
			r := authenticated(t, s, path, method, form)
			if r.status == http.StatusUnauthorized {
				t.Errorf("%s by %s: %d %s", path, method, r.status, r.body)
			}
		}
	}
}

// fullProfile is a value for each field of a profile.
var fullProfile = map[string]string{
	"full_name": "Bob A. Builder", "avatar_url": "https://img.example.com/bob.png", "given_name": "Bob", "family_name": "Builder",
	"nickname": "Bobby", "preferred_username": "bob.builder", "website": "https://bob.example.com/", "gender": "male",
	"birthdate": "1980-02-29", "phone_number": "+41446681800", "locale": "de-CH", "zoneinfo": "Europe/Zurich",
}

// saysEverything fills bob's profile in.
func saysEverything(t *testing.T, s *servertest.Server) {
	t.Helper()
	if _, err := s.Accounts.ChangeProfile(t.Context(), audit.Shell(), userID(t, s, bob), fullProfile); err != nil {
		t.Fatal(err)
	}
}

// authenticated posts a form as a client that authenticates by method.
func authenticated(t *testing.T, s *servertest.Server, path, method string, form url.Values) reply {
	t.Helper()
	switch method {
	case "none":
		return acmeMobile.post(t, s, path, form)
	case "client_secret_basic":
		return acmePortal.post(t, s, path, form)
	case "client_secret_post":
		return send(t, s, path, with(form, "client_id", acmePortal.id, "client_secret", acmePortal.secret), nil)
	}
	t.Fatalf("nobody knows how to authenticate by %s", method)
	return reply{}
}

// signedBy gets an ID token for a client that wants one of alg.
func signedBy(t *testing.T, s *servertest.Server, browser *http.Client, alg string) {
	t.Helper()
	a := register(t, s, registry.Registration{ClientID: "wants-" + alg, Name: alg, IDTokenAlg: alg})
	if header, _ := claimsOf(t, a.tokens(t, s, browser).ID); header["alg"] != alg {
		t.Errorf("ID token signed by %v, want %s", header["alg"], alg)
	}
}

// checkClaims looks every advertised claim up in what a user of all scopes gets.
func checkClaims(t *testing.T, s *servertest.Server, ad advertised, got tokens) {
	t.Helper()
	_, claims := claimsOf(t, got.ID)
	info := userinfo(t, s, got.Access).fields
	names := ad.list("claims_supported")
	for _, name := range names {
		if claims[name] == nil {
			t.Errorf("the ID token does not say %s", name)
		}
	}
	for name := range info {
		if !slices.Contains(names, name) {
			t.Errorf("userinfo says %s, which is not advertised", name)
		}
	}
	for name := range claims {
		if !slices.Contains(names, name) {
			t.Errorf("the ID token says %s, which is not advertised", name)
		}
	}
}
