package servertest_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

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

// Z-20: the library advertises what is not there.
func TestDiscoveryListsExactlyWhatWorks(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	ad := advertised(raw(t, http.MethodGet, s.URL+"/.well-known/openid-configuration", "", nil).fields)
	lists := map[string][]string{
		"scopes_supported":                              {"openid", "profile", "email", "phone", "address", "offline_access", "groups", "roles"},
		"response_types_supported":                      {"code"},
		"response_modes_supported":                      {"query", "fragment", "form_post"},
		"subject_types_supported":                       {"public", "pairwise"},
		"claim_types_supported":                         {"normal"},
		"userinfo_signing_alg_values_supported":         {"RS256", "ES256", "EdDSA", "PS256"},
		"introspection_signing_alg_values_supported":    {"RS256", "ES256", "EdDSA", "PS256"},
		"ui_locales_supported":                          {"en", "de", "es"},
		"id_token_signing_alg_values_supported":         {"RS256", "ES256", "EdDSA", "PS256"},
		"grant_types_supported":                         {"authorization_code", "refresh_token", "client_credentials", deviceGrant, exchangeGrant},
		"dpop_signing_alg_values_supported":             {"ES256", "EdDSA", "Ed25519", "PS256", "RS256"},
		"token_endpoint_auth_methods_supported":         authMethods,
		"revocation_endpoint_auth_methods_supported":    authMethods,
		"introspection_endpoint_auth_methods_supported": authMethods[1:],
		"request_object_signing_alg_values_supported":   append(slices.Clone(signatures), "none"),

		"token_endpoint_auth_signing_alg_values_supported":         append(slices.Clone(signatures), "HS256", "HS384", "HS512"),
		"revocation_endpoint_auth_signing_alg_values_supported":    append(slices.Clone(signatures), "HS256", "HS384", "HS512"),
		"introspection_endpoint_auth_signing_alg_values_supported": append(slices.Clone(signatures), "HS256", "HS384", "HS512"),
		"code_challenge_methods_supported":                         {"S256"},
		"prompt_values_supported":                                  {"none", "login", "consent", "select_account", "create"},
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
		ad["request_parameter_supported"] != true || ad["request_uri_parameter_supported"] != true ||
		ad["require_request_uri_registration"] != true || ad["require_signed_request_object"] != false ||
		ad["require_pushed_authorization_requests"] != false {
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
	all := register(t, s, registry.Registration{
		ClientID: "all-scopes", Secret: "a secret of its own", Name: "All", Scopes: append(ad.list("scopes_supported"), "api"),
		GrantTypes: ad.list("grant_types_supported"), Options: registry.Options{Exchange: []string{registry.Impersonation}},
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
		}
	}
	for _, prompt := range ad.list("prompt_values_supported") {
		all.code(t, s, browser, "prompt", prompt)
	}
	for _, acr := range ad.list("acr_values_supported") {
		_, claims := claimsOf(t, all.tokens(t, s, browser, "acr_values", acr).ID)
		if said, _ := claims["acr"].(string); !slices.Contains(ad.list("acr_values_supported"), said) {
			t.Errorf("acr_values %s: the ID token says %q, which is not advertised", acr, said)
		}
	}
	for _, alg := range ad.list("id_token_signing_alg_values_supported") {
		signedBy(t, s, browser, alg)
	}
	for _, alg := range ad.list("userinfo_signing_alg_values_supported") {
		userinfoSignedBy(t, s, browser, alg)
	}
	for _, alg := range ad.list("introspection_signing_alg_values_supported") {
		introspectionSignedBy(t, s, browser, alg)
	}
	for _, kind := range ad.list("subject_types_supported") {
		knows(t, s, browser, kind)
	}
	for _, alg := range ad.list("dpop_signing_alg_values_supported") {
		boundBy(t, s, all, alg)
	}
	deviceSignsIn(t, s, all, browser)
	all.exchange(t, s, got.Access).tokens(t)
	checkClaims(t, s, ad, got)
	triesAssertions(t, s, ad)
	for endpoint, path := range map[string]string{"token": tokenPath, "revocation": revokePath, "introspection": introspectPath} {
		for _, method := range ad.list(endpoint + "_endpoint_auth_methods_supported") {
			form := url.Values{"token": {"x"}, "grant_type": {"refresh_token"}, "refresh_token": {"x"}}
			if strings.HasSuffix(method, "_jwt") {
				continue // triesAssertions has
			}
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
	"middle_name": "A.", "profile_url": "https://bob.example.com/me", "street_address": "Bahnhofstrasse 1",
	"locality": "Zürich", "region": "ZH", "postal_code": "8001", "country": "Schweiz",
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

// userinfoSignedBy gets userinfo for a client that wants it signed by alg.
func userinfoSignedBy(t *testing.T, s *servertest.Server, browser *http.Client, alg string) {
	t.Helper()
	a := register(t, s, registry.Registration{
		ClientID: "wants-userinfo-" + alg, Name: alg, Options: registry.Options{UserinfoAlg: alg},
	})
	got := a.tokens(t, s, browser)
	r := userinfo(t, s, got.Access)
	if kind := r.header.Get("Content-Type"); kind != "application/jwt" {
		t.Errorf("userinfo signed by %s is %s", alg, kind)
	}
	header, payload := claimsOf(t, r.body)
	if header["alg"] != alg || payload["iss"] != s.URL || payload["aud"] != a.id || payload["sub"] != userID(t, s, bob) {
		t.Errorf("userinfo signed by %v says %v", header["alg"], payload)
	}
	set, _ := keysOf(t, s)
	signed, err := jose.ParseSignedCompact(r.body, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signed.Verify(set); err != nil {
		t.Errorf("userinfo signed by %s: %v", alg, err)
	}
	// It has no exp: it is no ID token.
	page := servertest.Get(t, browser, authorizeURL(s, a.request(oauth2.GenerateVerifier(), "id_token_hint", r.body)))
	refusedThere(t, s, page, a, "invalid_request")
}

// knows gets the subject of bob to a client of a subject type.
func knows(t *testing.T, s *servertest.Server, browser *http.Client, kind string) {
	t.Helper()
	a := register(t, s, registry.Registration{ClientID: "knows-" + kind, Name: kind, Options: registry.Options{SubjectType: kind}})
	_, payload := claimsOf(t, a.tokens(t, s, browser).ID)
	if public := payload["sub"] == userID(t, s, bob); public != (kind == "public") {
		t.Errorf("the subject to a client of type %s is %v", kind, payload["sub"])
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

func TestAPublicDocumentSaysHowLongItIs(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, path := range []string{"/.well-known/openid-configuration", "/oidc/jwks"} {
		page := servertest.Get(t, servertest.Browser(t), s.URL+path)
		if got, want := page.Response.ContentLength, int64(len(page.Body)); got != want {
			t.Errorf("%s: Content-Length %d, want %d", path, got, want)
		}
	}
}
