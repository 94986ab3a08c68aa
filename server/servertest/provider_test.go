package servertest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/config"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

const providersPath = "/api/v1/admin/providers"

// issuer is somebody else's OpenID provider, as far as it can be looked at
// without a person.
type issuer struct {
	*httptest.Server
	mu       sync.Mutex
	document object
	keys     string
	token    string    // what its token endpoint answers
	secrets  []string  // that it was sent
	date     time.Time // what it says that the time is
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		if !i.date.IsZero() {
			w.Header().Set("Date", i.date.UTC().Format(http.TimeFormat))
		}
		json.NewEncoder(w).Encode(i.document) //nolint:errcheck // the client has gone
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.secrets = append(i.secrets, r.PostFormValue("client_secret"))
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, i.token)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, i.keys) })
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	i.document = object{
		"issuer": i.URL, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "jwks_uri": i.URL + "/keys",
		"token_endpoint_auth_methods_supported": []string{"client_secret_post"},
	}
	i.token = `{"error":"invalid_grant"}`
	i.keys = `{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}`
	return i
}

// withLocalIssuers starts a server that may ask this machine.
func withLocalIssuers(t *testing.T, engine string, configure ...func(*config.Config)) *servertest.Server {
	t.Helper()
	return servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine), Configure: func(c *config.Config) {
		c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
		for _, fn := range configure {
			fn(c)
		}
	}})
}

func TestAProviderComesBackAsItWasDescribedButForItsSecret(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		makeAdmin(t, s, root)
		p := in(t, s, root)
		home := strings.TrimSuffix(clientsOf(t, s, "acme-corp"), "/clients")
		p.call("POST", "/api/v1/admin"+strings.TrimPrefix(home, "/api/v1")+"/domains", object{"domain": "Acme-Corp.com"}).
			succeeded(201, "Domain added successfully")
		settings := object{
			"name": "SSO", "issuer": "https://sso.example.com", "client_id": "authy", "is_active": true,
			"scopes": []any{"openid", "email"}, "tenants": []any{}, "domains": []any{"acme-corp.com"}, "registration": "domains",
			"trusted_methods": []any{"mfa"}, "trusted_contexts": []any{}, "groups": "groups", "keep_profile": true, "logout": true,
			"roles": []any{map[string]any{"group": "staff", "role": "member"}},
		}
		sent := object{"kind": "oidc", "client_secret": "the client's secret", "organization_id": orgOf(home), "slug": "acme-sso"}
		for name, value := range settings {
			sent[name] = value
		}
		made := p.call("POST", providersPath, sent).succeeded(201, "Provider created successfully")
		settings["roles"] = []any{map[string]any{"group": "staff", "role": "member", "organization_id": orgOf(home)}}
		got, _ := made.at("provider").(map[string]any)
		for name, want := range settings {
			if diff := cmp.Diff(want, got[name]); diff != "" {
				t.Errorf("%s (-sent +answered):\n%s", name, diff)
			}
		}
		if got["redirect_uri"] != s.URL+"/external/acme-sso/callback" || got["has_secret"] != true || got["is_managed"] != false {
			t.Errorf("the provider is %v", got)
		}
		read := in(t, s, carol).call("GET", home+"/providers/acme-sso", nil).succeeded(200, "Provider retrieved successfully")
		again, _ := read.at("provider").(map[string]any)
		if again["identities"] != 0.0 {
			t.Errorf("%v accounts came from it, want none", again["identities"])
		}
		delete(again, "identities") // only what is read says it
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("made and read differ (-made +read):\n%s", diff)
		}
		for _, text := range []string{made.Raw, read.Raw, p.call("GET", providersPath, nil).Raw, in(t, s, carol).call("GET", home+"/providers", nil).Raw} {
			if strings.Contains(text, "the client's secret") {
				t.Errorf("FE-22: the secret is in %s", text)
			}
		}
		changed := p.call("PATCH", providersPath+"/acme-sso", object{"domains": []string{}, "registration": "", "roles": []any{}}).
			succeeded(200, "Provider updated successfully")
		if n := len(changed.at("provider", "domains").([]any)); n != 0 {
			t.Errorf("%d domains are left", n)
		}
		kept, err := s.Providers.Find(t.Context(), "acme-sso")
		if err != nil || kept.Secret != "the client's secret" {
			t.Errorf("the secret is lost: %v", err)
		}
	})
}

// orgOf is the id in the path of an organization.
func orgOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func TestProvidersThatCannotBeAreRefusedByField(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	makeAdmin(t, s, root)
	p := in(t, s, root)
	for field, body := range map[string]object{
		"issuer":          {"kind": "oidc", "name": "X", "client_id": "x", "issuer": "http://169.254.169.254/latest"},
		"client_secret":   {"kind": "google", "client_id": "x"},
		"domains":         {"kind": "google", "client_id": "x", "client_secret": "x", "domains": []string{"*"}},
		"kind":            {"kind": "ldap", "client_id": "x"},
		"registration":    {"kind": "google", "client_id": "x", "client_secret": "x", "registration": "maybe"},
		"roles":           {"kind": "google", "client_id": "x", "client_secret": "x", "roles": []object{{"group": "*", "role": "member"}}},
		"metadata":        {"kind": "saml", "name": "X", "issuer": "urn:x"},
		"metadata_url":    {"kind": "saml", "name": "X", "issuer": "urn:x", "metadata_url": "https://127.0.0.1:1/metadata"},
		"slug":            {"kind": "google", "client_id": "x", "client_secret": "x", "slug": "a/b"},
		"organization_id": {"kind": "google", "client_id": "x", "client_secret": "x", "organization_id": strings.Repeat("x", 37)},
		"roles[0].role":   {"kind": "google", "client_id": "x", "client_secret": "x", "roles": []object{{"group": "*", "role": "root"}}},
	} {
		got := p.call("POST", providersPath, body)
		if got.Code != 400 || got.Problem.Details[field] == nil {
			t.Errorf("%v: %s, want a problem of %s", body, got.Raw, field)
		}
	}
	honest := object{"kind": "google", "client_id": "x", "client_secret": "x"}
	p.call("POST", providersPath, honest).succeeded(201, "Provider created successfully")
	p.call("POST", providersPath, honest).failed(409, "CONFLICT", "There is an identity provider with this slug already.")
	p.call("GET", providersPath+"/nothing", nil).failed(404, "NOT_FOUND", "There is no such identity provider.")
	p.call("POST", providersPath, object{"kind": "google", "client_id": "x", "client_secret": "x", "is_managed": true}).failed(400, "VALIDATION_ERROR", "")
}

func TestProvidersAreListedPageByPage(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	makeAdmin(t, s, root)
	p := in(t, s, root)
	for _, slug := range []string{"c", "a-b", "ab", "a"} {
		p.call("POST", providersPath, object{"kind": "google", "slug": slug, "client_id": "x", "client_secret": "x"}).
			succeeded(201, "Provider created successfully")
	}
	var got []string
	for next := ""; ; {
		page := p.call("GET", providersPath+"?limit=1&cursor="+next, nil).succeeded(200, "Providers retrieved successfully")
		got = append(got, page.at("providers").([]any)[0].(map[string]any)["slug"].(string))
		var meta struct {
			Meta struct{ Next string }
		}
		if err := json.Unmarshal([]byte(page.Raw), &meta); err != nil {
			t.Fatal(err)
		}
		if next = meta.Meta.Next; next == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"a", "a-b", "ab", "c"}, got); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
}

func TestATestSaysWhatIsWrongWithAProvider(t *testing.T) {
	t.Parallel()
	s := withLocalIssuers(t, "sqlite")
	makeAdmin(t, s, root)
	p := in(t, s, root)
	for _, c := range []struct {
		name  string
		spoil func(*issuer)
		bad   string // the checks that fail
		text  string // in what they say
	}{
		{"all is well", func(*issuer) {}, "", "/callback"},
		{"FE-13: another issuer", func(i *issuer) { i.document["issuer"] = "https://other.example" }, "issuer", "https://other.example"},
		{"FE-13: a slash more", func(i *issuer) { i.document["issuer"] = i.URL + "/" }, "issuer", "letter by letter"},
		{"FE-13: plain endpoints", func(i *issuer) { i.document["token_endpoint"] = "http://example.com/token" }, "endpoints", "token_endpoint (http://example.com/token)"},
		{"no authorization endpoint", func(i *issuer) { delete(i.document, "authorization_endpoint") }, "endpoints", "authorization_endpoint is missing"},
		{"no usable key", func(i *issuer) { i.keys = `{"keys":[]}` }, "keys", "no key"},
		{"private keys", func(i *issuer) { i.keys = `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}` }, "keys", "not a public key"},
		{"no keys there", func(i *issuer) { i.document["jwks_uri"] = i.URL + "/nothing" }, "keys", "it answered 404"},
		{"a slow clock", func(i *issuer) { i.date = time.Now().Add(-2 * time.Minute) }, "clock", "NTP"},
		{"a fast clock", func(i *issuer) { i.date = time.Now().Add(2 * time.Minute) }, "clock", "NTP"},
		{"nobody there", func(i *issuer) { i.Close() }, "discovery", "Is the issuer right"},
		{"a huge document", func(i *issuer) { i.document["x"] = strings.Repeat("x", 300<<10) }, "discovery", "bytes"},
		{"a secret that is known", func(*issuer) {}, "", "The provider knows the client ID and the secret."},
		{"a secret that is not", func(i *issuer) { i.token = `{"error":"invalid_client"}` }, "secret", "(invalid_client)"},
		{"a secret that is not, at GitHub", func(i *issuer) { i.token = "error=incorrect_client_credentials&x=y" }, "secret", "(incorrect_client_credentials)"},
		{"an answer that says nothing", func(i *issuer) { i.token = "oops" }, "", "when somebody signs in"},
		{"a secret that goes in a header", func(i *issuer) { delete(i.document, "token_endpoint_auth_methods_supported") }, "", "when somebody signs in"},
	} {
		i := newIssuer(t)
		c.spoil(i)
		made := p.call("POST", providersPath, object{
			"kind": "oidc", "slug": strings.ToLower(letters(20)), "name": c.name, "issuer": i.URL, "client_id": "authy", "client_secret": "x",
		}).succeeded(201, "Provider created successfully")
		got := p.call("POST", providersPath+"/"+made.text("provider", "slug")+"/test", nil).succeeded(200, "Provider tested successfully")
		var bad []string
		for _, check := range got.at("checks").([]any) {
			check := check.(map[string]any)
			if check["ok"] != true {
				bad = append(bad, check["name"].(string))
			}
		}
		if strings.Join(bad, " ") != c.bad || got.at("ok") != (c.bad == "") || !strings.Contains(got.Raw, c.text) {
			t.Errorf("%s: %s, want %q bad and %q said", c.name, got.Raw, c.bad, c.text)
		}
		if suspect := strings.Contains(c.bad, "issuer") || strings.Contains(c.bad, "endpoints"); suspect && len(i.secrets) > 0 {
			t.Errorf("%s: the secret was sent to who may not be the provider", c.name)
		}
	}
}

func TestTheConfigurationsProvidersAreThereAfterTheStart(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := withLocalIssuers(t, engine, func(c *config.Config) {
				c.Providers = map[string]*config.Provider{"google": {Kind: "google", ClientID: "id", ClientSecret: "the secret"}}
			})
			makeAdmin(t, s, root)
			p := in(t, s, root)
			got := p.call("GET", providersPath+"/google", nil).succeeded(200, "Provider retrieved successfully")
			if got.at("provider", "is_managed") != true || strings.Contains(got.Raw, "the secret") {
				t.Errorf("the provider is %s", got.Raw)
			}
			const set = "This identity provider is set by the configuration file: change it there."
			p.call("PATCH", providersPath+"/google", object{"name": "X"}).failed(409, "CONFLICT", set)
			p.call("DELETE", providersPath+"/google", nil).failed(409, "CONFLICT", set)
		})
	}
}
