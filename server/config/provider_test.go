package config_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/config"
)

func TestProvidersAreReadFromFileAndEnvironment(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, r := load(t, `
[provider.google]
client_id = "1234"
client_secret_file = "`+secret+`"
domains = ["example.com", "example.org"]

[provider.my-sso]
kind = "oidc"
issuer = "https://sso.example.com"
client_id = "file"
roles = ["CN=Staff,DC=example=acme-corp:member"]
logout = true
[provider.github]
`, nil, "AUTHY_PROVIDER_MY_SSO_CLIENT_ID=environment", "AUTHY_PROVIDER_MY_SSO_CLIENT_SECRET_FILE="+secret,
		"AUTHY_PROVIDER_MICROSOFT_TENANTS=a,b", "AUTHY_PROVIDER_MY_SSO_SCOPES=openid, email")
	want := map[string]*config.Provider{
		"google": {
			Kind: "google", ClientID: "1234", ClientSecret: "from a file", Domains: config.Words{"example.com", "example.org"},
		},
		"my-sso": {
			Kind: "oidc", Issuer: "https://sso.example.com", ClientID: "environment", ClientSecret: "from a file",
			Roles: config.Words{"CN=Staff,DC=example=acme-corp:member"}, Logout: true, Scopes: config.Words{"openid", "email"},
		},
		"github":    {Kind: "github"},
		"microsoft": {Kind: "microsoft", Tenants: config.Words{"a", "b"}},
	}
	if diff := cmp.Diff(want, c.Providers); diff != "" {
		t.Errorf("providers (-want +got):\n%s", diff)
	}
	shown := map[string]config.Setting{}
	for _, s := range r.Settings() {
		shown[s.Key] = s
	}
	for key, want := range map[string][2]string{
		"provider.google.client_secret": {"[set]", "authy.toml:4"},
		"provider.google.domains":       {"example.com,example.org", "authy.toml:5"},
		"provider.my-sso.client_id":     {"environment", "environment AUTHY_PROVIDER_MY_SSO_CLIENT_ID"},
		"provider.github.client_id":     {"", "default"},
	} {
		got := shown[key]
		if got.Value != want[0] || !strings.HasSuffix(got.Origin, want[1]) {
			t.Errorf("%s is shown as %q from %q, want %q from %q", key, got.Value, got.Origin, want[0], want[1])
		}
	}
}

func TestWhatProvidersGetWrongIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[provider.google]\nclientid = 'x'":                                 `authy.toml:2: unknown key "provider.google.clientid"; did you mean "provider.google.client_id"?`,
		"[provider.google]\nclient_id = 5":                                  `authy.toml:2: provider.google.client_id: expected a string`,
		"[provider.google]\ndomains = 'a'":                                  `authy.toml:2: provider.google.domains: expected a list of strings`,
		"[provider.sso]\nclient_id = 'x'":                                   `authy.toml:2: provider.sso.kind: "" is not known; write one of google, github, microsoft, oidc, saml`,
		"[provider.sso]\nkind = 'ldap'":                                     `authy.toml:2: provider.sso.kind: "ldap" is not known; write one of google, github, microsoft, oidc, saml`,
		"[provider.My_SSO]\nkind = 'oidc'":                                  `authy.toml:2: provider.My_SSO.kind: the name of a provider has 1 to 63 lower-case letters, digits and hyphens`,
		"[providr.google]\nclient_id = 'x'":                                 `authy.toml:2: unknown key "providr.google.client_id"`,
		"provider = 5":                                                      `authy.toml:1: provider: expected a section; write its keys under [provider]`,
		"[provider.google]\nclient_secret_file = 5":                         `authy.toml:2: provider.google.client_secret_file: expected the name of a file`,
		"[provider.google]\nclient_id_file = 'x'":                           `authy.toml:2: unknown key "provider.google.client_id_file"; did you mean "provider.google.client_id"?`,
		"[provider.google]\nclient_secret = 'x'\nclient_secret_file = '/x'": `authy.toml:3: both provider.google.client_secret and provider.google.client_secret_file are there; leave one out`,
		"[provider.google]\nclient_secret_file = '/nowhere'":                `authy.toml:2: provider.google.client_secret_file: stat /nowhere: no such file or directory`,
		"[[provider.google]]\nclient_id = 'x'":                              `authy.toml:1: unknown key "provider.google"`,
	} {
		if got := refuse(t, text, nil); !strings.HasPrefix(got, want) {
			t.Errorf("%q: the message is\n%s\nwant\n%s", text, got, want)
		}
	}
	got := refuse(t, "[provider.google]", nil, "AUTHY_PROVIDER_GOOGLE_CLIENTID=x")
	want := `environment: unknown variable AUTHY_PROVIDER_GOOGLE_CLIENTID; did you mean "AUTHY_PROVIDER_GOOGLE_CLIENT_ID"?`
	if got != want {
		t.Errorf("the message is\n%s\nwant\n%s", got, want)
	}
}

// The lines of the example that begin with # and no space are settings.
func TestTheExampleHasAProviderAndARuleWithEveryKey(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(reference)
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)^#([a-z\[])`).ReplaceAllString(string(data), "$1")
	// Rules need proxies.
	text = strings.Replace(text, "trusted_proxies = []", `trusted_proxies = ["127.0.0.1"]`, 1)
	c, r := load(t, text, nil)
	p := c.Providers["example"]
	if p == nil || p.Kind != "oidc" || p.ClientID != "authy" || len(c.Providers) != 1 {
		t.Fatalf("the example has the providers %v", c.Providers)
	}
	if len(c.ForwardAuth) != 1 {
		t.Errorf("the example has the rules %v", c.ForwardAuth)
	}
	for _, s := range r.Settings() {
		given := strings.HasPrefix(s.Key, "provider.") || strings.HasPrefix(s.Key, "forward_auth.")
		if given && s.Origin == "default" {
			t.Errorf("the example does not mention %s", s.Key)
		}
	}
}
