package provider

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/storage/storagetest"
)

func TestADescriptionIsRefusedFieldByField(t *testing.T) {
	t.Parallel()
	s := New(storagetest.New(t))
	good := map[string]Description{
		Google:    {Kind: Google, ClientID: "id", Secret: "secret"},
		GitHub:    {Kind: GitHub, ClientID: "id", Secret: "secret"},
		Microsoft: {Kind: Microsoft, ClientID: "id", Secret: "secret"},
		OIDC:      {Kind: OIDC, Name: "SSO", ClientID: "id", Issuer: "https://sso.example.com/"},
		SAML:      {Kind: SAML, Name: "SAML", Issuer: "urn:idp", Options: Options{Metadata: "<x/>"}},
	}
	for kind, d := range good {
		if problems := s.problems(d.normal()); len(problems) > 0 {
			t.Errorf("%s: %v, want no problem", kind, problems)
		}
	}
	many := strings.Split(strings.Repeat("a,", 100)+"a", ",")
	for _, c := range []struct {
		name, kind string
		spoil      func(*Description)
		want       string // the fields
	}{
		{"no kind", OIDC, func(d *Description) { d.Kind = "" }, "kind slug"},
		{"another kind", OIDC, func(d *Description) { d.Kind = "ldap" }, "kind"},
		{"a slug for another place", OIDC, func(d *Description) { d.Slug = "../x" }, "slug"},
		{"a slug with capitals", OIDC, func(d *Description) { d.Slug = "Google" }, "slug"},
		{"a long slug", OIDC, func(d *Description) { d.Slug = strings.Repeat("a", 64) }, "slug"},
		{"no name", OIDC, func(d *Description) { d.Name = " " }, "name"},
		{"a name of two lines", OIDC, func(d *Description) { d.Name = "a\nb" }, "name"},
		{"no issuer", OIDC, func(d *Description) { d.Issuer = "" }, "issuer"},
		{"plain http", OIDC, func(d *Description) { d.Issuer = "http://sso.example.com" }, "issuer"},
		{"a file", OIDC, func(d *Description) { d.Issuer = "file:///etc/passwd" }, "issuer"},
		{"an issuer with a user", OIDC, func(d *Description) { d.Issuer = "https://a:b@sso.example.com" }, "issuer"},
		{"an issuer with a query", OIDC, func(d *Description) { d.Issuer = "https://sso.example.com?a" }, "issuer"},
		{"an issuer with a fragment", OIDC, func(d *Description) { d.Issuer = "https://sso.example.com#" }, "issuer"},
		{"an issuer with control characters", OIDC, func(d *Description) { d.Issuer = "https://sso.example.com/\x00" }, "issuer"},
		{"the discovery document", OIDC, func(d *Description) {
			d.Issuer = "https://sso.example.com/.well-known/openid-configuration"
		}, "issuer"},
		{"a tenant with spaces", Microsoft, func(d *Description) { d.Issuer = "my tenant" }, "issuer"},
		{"no client", Google, func(d *Description) { d.ClientID = "" }, "client_id"},
		{"no secret", Google, func(d *Description) { d.Secret = "" }, "client_secret"},
		{"a secret with a line end", Google, func(d *Description) { d.Secret = "a\n" }, "client_secret"},
		{"no openid", OIDC, func(d *Description) { d.Options.Scopes = []string{"email"} }, "scopes"},
		{"a scope with a space", GitHub, func(d *Description) { d.Options.Scopes = []string{"a b"} }, "scopes"},
		{"tenants of Google", Google, func(d *Description) { d.Options.Tenants = []string{"a"} }, "tenants"},
		{"a tenant that is none", Microsoft, func(d *Description) { d.Options.Tenants = []string{"a/b"} }, "tenants"},
		{"metadata of Google", Google, func(d *Description) { d.Options.Metadata = "<x/>" }, "metadata"},
		{"attributes of Google", Google, func(d *Description) { d.Options.Attributes = map[string]string{"a": "b"} }, "attributes"},
		{"trust in GitHub", GitHub, func(d *Description) { d.Options.TrustedMethods = []string{"mfa"} }, "trusted_methods"},
		{"logout of GitHub", GitHub, func(d *Description) { d.Options.Logout = true }, "logout"},
		{"an address for a domain", OIDC, func(d *Description) { d.Options.Domains = []string{"a@example.com"} }, "domains"},
		{"every domain", OIDC, func(d *Description) { d.Options.Domains = []string{"*"} }, "domains"},
		{"a top-level domain", OIDC, func(d *Description) { d.Options.Domains = []string{"com"} }, "domains"},
		{"a domain beyond ASCII", OIDC, func(d *Description) { d.Options.Domains = []string{"bücher.example"} }, "domains"},
		{"registration of domains without one", OIDC, func(d *Description) { d.Options.Registration = "domains" }, "domains"},
		{"another registration", OIDC, func(d *Description) { d.Options.Registration = "all" }, "registration"},
		{"a method with a space", OIDC, func(d *Description) { d.Options.TrustedMethods = []string{"a b"} }, "trusted_methods"},
		{"too many contexts", OIDC, func(d *Description) {
			for i := range many {
				d.Options.TrustedContexts = append(d.Options.TrustedContexts, strings.Repeat("a", i+1))
			}
		}, "trusted_contexts"},
		{"a role without groups", OIDC, func(d *Description) { d.Options.Roles = []Role{{Group: "g", Role: "member"}} }, "roles"},
		{"another role", OIDC, func(d *Description) { d.Options.Roles = []Role{{Group: "*", Role: "root"}} }, "roles"},
		{"no group", OIDC, func(d *Description) { d.Options.Roles = []Role{{Role: "member"}} }, "roles"},
		{"a SAML client", SAML, func(d *Description) { d.ClientID, d.Secret = "id", "x" }, "client_id client_secret"},
		{"SAML scopes", SAML, func(d *Description) { d.Options.Scopes = []string{"openid"} }, "scopes"},
		{"no SAML metadata", SAML, func(d *Description) { d.Options.Metadata = "" }, "metadata"},
		{"much SAML metadata", SAML, func(d *Description) { d.Options.Metadata = strings.Repeat("a", 1<<20+1) }, "metadata"},
		{"a URL of metadata within", SAML, func(d *Description) { d.Options.MetadataURL = "http://169.254.169.254/" }, "metadata_url"},
	} {
		d := good[c.kind]
		c.spoil(&d)
		got := strings.Join(slices.Sorted(maps.Keys(s.problems(d.normal()))), " ")
		if got != c.want {
			t.Errorf("%s: problems of %q, want of %q", c.name, got, c.want)
		}
	}
}

func TestWhatIsNotSaidIsTheDefaultOfTheKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in                 Description
		slug, name, issuer string
	}{
		{Description{Kind: Google}, "google", "Google", "https://accounts.google.com"},
		{Description{Kind: GitHub}, "github", "GitHub", "https://github.com"},
		{Description{Kind: GitHub, Issuer: "https://ghe.example.com/"}, "github", "GitHub", "https://ghe.example.com"},
		{Description{Kind: Microsoft}, "microsoft", "Microsoft", "https://login.microsoftonline.com/common/v2.0"},
		{Description{Kind: Microsoft, Issuer: "Contoso.onmicrosoft.com"}, "microsoft", "Microsoft", "https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0"},
		{Description{Kind: OIDC, Slug: "sso", Name: " SSO ", Issuer: "https://sso.example.com/"}, "sso", "SSO", "https://sso.example.com/"},
	} {
		d := c.in.normal()
		if d.Slug != c.slug || d.Name != c.name || d.Issuer != c.issuer {
			t.Errorf("%+v becomes %q, %q, %q, want %q, %q, %q", c.in, d.Slug, d.Name, d.Issuer, c.slug, c.name, c.issuer)
		}
	}
}

func TestRolesAndAttributesAreReadAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][3]string{
		"staff=acme:member":         {"staff", "acme", "member"},
		"staff=member":              {"staff", "", "member"},
		"*=acme:guest":              {"*", "acme", "guest"},
		"CN=A,DC=b=acme:admin":      {"CN=A,DC=b", "acme", "admin"},
		"urn:group:x=acme-corp:own": {"urn:group:x", "acme-corp", "own"},
	} {
		role, home, err := ParseRole(text)
		if got := [3]string{role.Group, home, role.Role}; err != nil || got != want {
			t.Errorf("ParseRole(%q) = %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "staff", "=acme:member", "staff="} {
		if _, _, err := ParseRole(text); err == nil {
			t.Errorf("ParseRole(%q) is no error", text)
		}
	}
	got, err := ParseAttributes([]string{"email=urn:oid:0.9.2342", "name=a=b"})
	if diff := cmp.Diff(map[string]string{"email": "urn:oid:0.9.2342", "name": "a=b"}, got); err != nil || diff != "" {
		t.Errorf("ParseAttributes: %v, (-want +got):\n%s", err, diff)
	}
	for _, list := range [][]string{{"email"}, {"=x"}, {"email="}, {"a=b", "a=c"}} {
		if _, err := ParseAttributes(list); err == nil {
			t.Errorf("ParseAttributes(%q) is no error", list)
		}
	}
}

func TestTheIssuerOfMicrosoftMayStandForMany(t *testing.T) {
	t.Parallel()
	const base = "https://login.microsoftonline.com/"
	const id = "11111111-2222-3333-4444-555555555555"
	for _, c := range []struct {
		tenant, found string
		want          bool
	}{
		{"common", base + "{tenantid}/v2.0", true},
		{"organizations", base + "{tenantid}/v2.0", true},
		{"consumers", base + personal + "/v2.0", true},
		{id, base + id + "/v2.0", true},
		{"contoso.com", base + id + "/v2.0", true},
		{id, base + personal + "/v2.0", false},
		{id, base + "{tenantid}/v2.0", false},
		{"common", base + id + "/v2.0", false},
		{"common", "https://evil.example/{tenantid}/v2.0", false},
		{"contoso.com", base + "a/b/v2.0", false},
		{"common", base + "{tenantid}", false},
	} {
		p := &Provider{Kind: Microsoft, Issuer: microsoftIssuer(c.tenant)}
		if got := isIssuer(p, c.found); got != c.want {
			t.Errorf("isIssuer(%s, %s) = %v, want %v", c.tenant, c.found, got, c.want)
		}
	}
	for _, found := range []string{"https://sso.example.com", "https://SSO.example.com/", ""} {
		if isIssuer(&Provider{Kind: OIDC, Issuer: "https://sso.example.com/"}, found) {
			t.Errorf("FE-13: %q passes for https://sso.example.com/", found)
		}
	}
}

func TestTheDomainOfAnAddressIsWhatFollowsTheLastAt(t *testing.T) {
	t.Parallel()
	for email, want := range map[string]string{
		"bob@Example.COM": "example.com", `"a@b"@example.com`: "example.com", "bob@sub.example.com": "sub.example.com",
		"bob": "", "bob@": "", "@": "", "bob@com": "", "bob@example.com.": "", "bob@exa mple.com": "", "bob@b\x00.com": "",
	} {
		if got := domainOf(email); got != want {
			t.Errorf("domainOf(%q) = %q, want %q", email, got, want)
		}
	}
}
