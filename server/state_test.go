package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/brand"
	"authy/server/config"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/org"
	"authy/server/provider"
	"authy/server/registry"
	"authy/server/saml2"
	"authy/server/state"
	"authy/server/webhook"
	"authy/storage"
	"authy/storage/storagetest"
)

// each runs fn on both engines, each time over an empty server.
func each(t *testing.T, fn func(t *testing.T, s *Services)) {
	t.Helper()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			fn(t, on(t, storagetest.Migrated(t, engine)))
		})
	}
}

func on(t *testing.T, url string) *Services {
	t.Helper()
	return open(t, func(c *config.Config) { c.Database.URL = config.Secret(url) })
}

// parse reads a state file, which must be well formed.
func parse(t *testing.T, text string) *state.Document {
	t.Helper()
	d, err := state.Parse(filepath.Join(t.TempDir(), "state.toml"), []byte("name = \"test\"\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// apply applies a text, and returns what that changed, in lines.
func apply(t *testing.T, s *Services, o state.Options, text string) string {
	t.Helper()
	plan, err := s.State.Apply(t.Context(), audit.Shell(), parse(t, text), o)
	if err != nil {
		t.Fatal(err)
	}
	return changes(plan)
}

func changes(plan *state.Plan) string {
	var lines []string
	for _, c := range plan.Changes {
		lines = append(lines, c.String())
	}
	return strings.Join(lines, "\n")
}

// refuses wants a text to be refused with an error that has all the words, and to change
// nothing at all.
func refuses(t *testing.T, s *Services, o state.Options, text string, words ...string) {
	t.Helper()
	before, events := export(t, s), countEvents(t, s)
	d, err := state.Parse(filepath.Join(t.TempDir(), "state.toml"), []byte("name = \"test\"\n"+text))
	if err == nil {
		_, err = s.State.Apply(t.Context(), audit.Shell(), d, o)
	}
	if err == nil {
		t.Fatalf("it is applied, want an error with %q:\n%s", words, text)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q, want %q in it", err, word)
		}
	}
	if diff := cmp.Diff(before, export(t, s)); diff != "" {
		t.Errorf("what is refused has changed something (-before +after):\n%s", diff)
	}
	if now := countEvents(t, s); now != events {
		t.Errorf("what is refused has recorded %d events", now-events)
	}
}

func export(t *testing.T, s *Services) string {
	t.Helper()
	text, err := s.State.Export(t.Context(), audit.Shell())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func countEvents(t *testing.T, s *Services) int {
	t.Helper()
	events, err := s.DB.Events(t.Context(), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range events {
		if e.Action != "key.create" {
			n++
		}
	}
	return n
}

// enrich adds to the sample data something of everything that a file can say.
func enrich(t *testing.T, s *Services) {
	t.Helper()
	ctx, by := t.Context(), audit.Shell()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	find := func(email string) string {
		u, err := s.Accounts.Find(ctx, email)
		must(err)
		return u.ID
	}
	yes := true
	_, err := s.Accounts.Correct(ctx, by, find("admin@acme-corp.com"), account.Correction{Admin: &yes})
	must(err)
	_, err = s.Accounts.Correct(ctx, by, find("eve@acme-corp.com"), account.Correction{Profile: map[string]string{
		"locale": "de-CH", "zoneinfo": "Europe/Zurich", "nickname": "E\u202e \"ve\" \\ ü", "website": "https://eve.example.com",
	}})
	must(err)
	must(s.Accounts.Suspend(ctx, by, find("jack@data-systems.com")))
	acme, err := s.Orgs.BySlug(ctx, "acme-corp")
	must(err)
	mode, days := org.RequireEither, int64(3)
	_, err = s.Orgs.SetPolicy(ctx, by, acme.ID, org.PolicyChange{Mode: &mode, GraceDays: &days})
	must(err)
	text, no := "Several lines\nof text, with \"\"\" and\ttabs", false
	_, err = s.Orgs.Update(ctx, by, acme.ID, org.Change{Description: &text})
	must(err)
	data, err := s.Orgs.BySlug(ctx, "data-systems")
	must(err)
	_, err = s.Orgs.Update(ctx, by, data.ID, org.Change{Active: &no})
	must(err)
	_, err = s.Providers.AddDomain(ctx, by, acme.ID, "acme-corp.com")
	must(err)
	_, err = s.Providers.Create(ctx, by, provider.Description{
		Slug: "google", Kind: provider.Google, ClientID: "id", Secret: "sesame-of-google",
		Options: provider.Options{Groups: "groups", Roles: []provider.Role{{Group: "staff=a", OrganizationID: acme.ID, Role: "member"}}},
	})
	must(err)
	_, err = s.Providers.Create(ctx, by, provider.Description{
		Slug: "acme-corp-sso", Kind: provider.OIDC, OrganizationID: acme.ID, Name: "Acme SSO", Issuer: "https://sso.acme-corp.com",
		ClientID: "authy", Disabled: true, Options: provider.Options{Domains: []string{"acme-corp.com"}, Registration: "domains"},
	})
	must(err)
	c := registry.Defaults()
	c.ClientID, c.Secret, c.Name, c.OrganizationID = "rich-001", "sesame-of-rich-001", "Rich", acme.ID
	c.RedirectURIs, c.Allowed = []string{"https://rich.example.com/cb", "https://rich.example.com/other"}, []string{"role:owner", "role:admin"}
	c.SkipConsent, c.AuthMethod = true, registry.AuthBasic
	c.Options.BackChannelURI, c.Options.Contacts = "https://rich.example.com/out", []string{"ops@example.com"}
	c.Options.DefaultMaxAge, c.Options.OpaqueTokens, c.Options.PushedRequest = registry.MaxAge(0), true, true
	_, err = s.Clients.Create(ctx, by, c)
	must(err)
	_, err = s.SAMLServices.Create(ctx, by, saml2.Description{
		Slug: "wiki", OrganizationID: acme.ID, Name: "Wiki", Allowed: []string{"organization"},
		Typed:   saml2.Typed{EntityID: "https://wiki.example.com/saml", ACS: "https://wiki.example.com/saml/acs"},
		Options: storage.ServiceOptions{Attributes: map[string]string{"urn:oid:2.5.4.4": "family_name", "mail": "email"}, Unsolicited: true},
	})
	must(err)
	name, accent := "Acme ID", "#7a1f5c"
	_, err = s.Brand.Change(ctx, by, brand.Change{Name: &name, AccentLight: &accent, Logo: logoOf(t)})
	must(err)
}

func TestAnExportAppliedToAnEmptyServerExportsTheSame(t *testing.T) {
	t.Parallel()
	eachSeeded(t, func(t *testing.T, s *Services, _ []Seeded) {
		enrich(t, s)
		text := export(t, s)
		for _, secret := range []string{"sesame", "acme_secret_portal_2024", "UserPass123!", "bcrypt", "$2a$"} {
			if strings.Contains(text, secret) {
				t.Errorf("the export has the secret %q in it", secret)
			}
		}
		if got := export(t, s); got != text {
			t.Error("two exports of one server differ")
		}
		for _, engine := range storagetest.Engines {
			empty := on(t, storagetest.Migrated(t, engine))
			apply(t, empty, state.Options{}, text)
			if diff := cmp.Diff(text, export(t, empty)); diff != "" {
				t.Errorf("%s: (-exported +exported again):\n%s", engine, diff)
			}
			events := countEvents(t, empty)
			if again := apply(t, empty, state.Options{Prune: true}, text); again != "" {
				t.Errorf("%s: the second time it changes\n%s", engine, again)
			}
			if now := countEvents(t, empty); now != events {
				t.Errorf("%s: the second time records %d events", engine, now-events)
			}
		}
	})
}

// people is a file of an organization, its people and a client.
const people = `
[[user]]
email = "ann@example.com"
full_name = "Ann"
is_admin = true

[[user]]
email = "bea@example.com"

[[organization]]
slug = "acme"
name = "Acme"

[organization.members]
"ann@example.com" = "owner"
"bea@example.com" = "member"

[[client]]
client_id = "portal"
organization = "acme"
name = "Portal"
redirect_uris = ["https://portal.example.com/cb"]
token_endpoint_auth_method = "none"
`

func TestAFileIsAppliedAndToldInLines(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		want := `+ user "ann@example.com"
+ user "bea@example.com"
+ organization "acme"
+ member "ann@example.com of acme"
+ member "bea@example.com of acme"
+ client "portal"`
		if got := apply(t, s, state.Options{Only: true}, people); got != want {
			t.Errorf("plan:\n%s\nwant\n%s", got, want)
		}
		if strings.Contains(export(t, s), "ann@example.com") || countEvents(t, s) != 0 {
			t.Error("a plan has changed something")
		}
		if got := apply(t, s, state.Options{}, people); got != want {
			t.Errorf("changes:\n%s\nwant\n%s", got, want)
		}
		events := countEvents(t, s)
		if got := apply(t, s, state.Options{}, people); got != "" || countEvents(t, s) != events {
			t.Errorf("the second time it changes %q and records %d events", got, countEvents(t, s)-events)
		}
		changed := strings.NewReplacer(`"Acme"`, `"ACME"`, `"member"`, `"admin"`, `"none"`, "\"none\"\nscopes = [\"openid\"]").Replace(people)
		want = `~ organization "acme": name "Acme" → "ACME"
~ member "bea@example.com of acme": role "member" → "admin"
~ client "portal": scopes ["openid", "profile", "email", "offline_access"] → ["openid"]`
		if got := apply(t, s, state.Options{}, changed); got != want {
			t.Errorf("changes:\n%s\nwant\n%s", got, want)
		}
	})
}

func TestPruneRemovesWhatTheFileHadSetAndNothingElse(t *testing.T) {
	t.Parallel()
	eachSeeded(t, func(t *testing.T, s *Services, _ []Seeded) {
		apply(t, s, state.Options{}, people)
		before := export(t, s)
		less, _, _ := strings.Cut(people, "[[client]]")
		plan, err := s.State.Apply(t.Context(), audit.Shell(), parse(t, less), state.Options{})
		if err != nil || changes(plan) != "" || !slices.Equal(plan.Left, []string{`client "portal"`}) {
			t.Fatalf("without --prune: changes %q, left %q, err %v", changes(plan), plan.Left, err)
		}
		if got := apply(t, s, state.Options{Prune: true}, less); got != `- client "portal"` {
			t.Errorf("with --prune: %s", got)
		}
		_, gone, _ := strings.Cut(before, "[[client]]\nclient_id = \"portal\"")
		gone, _, _ = strings.Cut(gone, "[[client]]")
		one := "[[client]]\nclient_id = \"portal\"" + gone
		if diff := cmp.Diff(strings.Replace(before, one, "", 1), export(t, s)); diff != "" {
			t.Errorf("not just the one client is gone (-want +got):\n%s", diff)
		}
		want := `- organization "acme"
- user "ann@example.com"
- user "bea@example.com"`
		refuses(t, s, state.Options{Prune: true}, "", "only administrator")
		other := "[[user]]\nemail = \"root@example.com\"\nis_admin = true\n"
		if got := apply(t, s, state.Options{Prune: true}, other); got != "+ user \"root@example.com\"\n"+want {
			t.Errorf("with all gone:\n%s\nwant\n%s", got, want)
		}
	})
}

func TestAMistakeChangesNothingAndIsNamed(t *testing.T) {
	t.Parallel()
	s := on(t, storagetest.Migrated(t, "sqlite"))
	apply(t, s, state.Options{}, people)
	const more = people + "\n[[user]]\nemail = \"new@example.com\"\n" // what must not be made
	for _, c := range []struct {
		name, text string
		words      []string
	}{
		{"no TOML", "[[user]\n", []string{"state.toml:2:"}},
		{"an unknown key", people + "redirect_uri = []\n", []string{"state.toml:25:1: client.redirect_uri: unknown key; did you mean \"redirect_uris\"?"}},
		{"an unknown table", people + "[[clients]]\n", []string{`clients: unknown key; did you mean "client"?`}},
		{"another type", more + "is_admin = \"yes\"\n", []string{"state.toml:28:1: user.is_admin: expected true or false"}},
		{"a word in a list", people + "scopes = [\"openid\", 1]\n", []string{"state.toml:25:1: client.scopes: expected a string"}},
		{"a duration", people + "id_token_lifetime = \"1 hour\"\n", []string{":25:1: client.id_token_lifetime: expected a duration"}},
		{"a secret in plain", people + "client_secret = \"x\"\n", []string{"client.client_secret: a secret does not stand in this file"}},
		{"a password in plain", more + "password = \"x\"\n", []string{"user.password: a secret does not stand in this file"}},
		{"no address", people + "[[user]]\nfull_name = \"X\"\n", []string{"state.toml:25:3: user.email: missing"}},
		{"an address that is none", people + "[[user]]\nemail = \"bea@\"\n", []string{":26:1: user.email: \"bea@\" is not a valid address"}},
		{"an address twice", people + "[[user]]\nemail = \" Be\u0061@EXAMPLE.com\"\n", []string{
			":26:1: user.email: the user with this address, bea@example.com, is also in line 9",
		}},
		{"an id twice", "[[user]]\nid = \"A\"\nemail = \"a@b.cc\"\n[[user]]\nid = \"a\"\nemail = \"b@b.cc\"\n", []string{
			":6:1: user.id: the user with this id, a, is also in line 3",
		}},
		{"a client twice", people + "[[client]]\nclient_id = \"portal\"\nname = \"x\"\ntoken_endpoint_auth_method = \"none\"\n", []string{
			":26:1: client.client_id: the client with this client_id, portal, is also in line 20",
		}},
		{"a status", more + "status = \"suspnded\"\n", []string{`did you mean "suspended"?`}},
		{"a role", strings.Replace(people, `"member"`, `"membr"`, 1), []string{"state.toml:17:1: organization.members.\"bea@example.com\"", `did you mean "member"?`}},
		{"a member twice", strings.Replace(people, "[[client]]", "\"Bea@example.com\" = \"guest\"\n\n[[client]]", 1), []string{"is also in line"}},
		{"a member who is nobody", strings.Replace(more, "[[client]]", "\"x@example.com\" = \"guest\"\n\n[[client]]", 1), []string{
			":19:1: organization.members.\"x@example.com\": there is no user with this address; add one under [[user]]",
		}},
		{"a member who is misspelt", strings.Replace(more, `"bea@example.com" =`, `"bae@example.com" =`, 1), []string{
			"there is no user with this address; add one under [[user]]; did you mean \"bea@example.com\"?",
		}},
		{"a member of another domain", strings.Replace(more, `"bea@example.com" =`, `"bea@exmple.com" =`, 1), []string{
			"there is no user with this address; add one under [[user]]; did you mean \"bea@example.com\"?",
		}},
		{"no owner", people + "[[organization]]\nslug = \"b\"\nname = \"B\"\n", []string{":25:3: organization.members: a new organization needs an owner"}},
		{"the last owner", strings.Replace(more, `"owner"`, `"admin"`, 1), []string{":16:1: organization.members.\"ann@example.com\": The organization would be left"}},
		{"the last administrator", strings.Replace(more, "is_admin = true", "is_admin = false", 1), []string{":3:3: user: This is the only administrator"}},
		{"the last administrator suspended", strings.Replace(more, "is_admin = true", "is_admin = true\nstatus = \"suspended\"", 1), []string{
			":3:3: user: This is the only administrator",
		}},
		{"a redirect URI", strings.Replace(more, "https://portal.example.com/cb", "https://portal.example.com/*", 1), []string{":23:1: client.redirect_uris: "}},
		{"a client without a word of its secret", strings.Replace(more, "token_endpoint_auth_method = \"none\"", "", 1), []string{
			"client.token_endpoint_auth_method: missing; write \"none\"",
		}},
		{"a client of nobody", strings.Replace(more, "organization = \"acme\"", "organization = \"acm\"", 1), []string{":21:1: client.organization: there is no organization \"acm\"; add one under [[organization]]; did you mean \"acme\"?"}},
		{"a client that moves", strings.Replace(more, "organization = \"acme\"", "", 1), []string{"client.organization: it belongs to another organization here"}},
		{"another slug", "[[organization]]\nid = \"ID\"\nslug = \"other\"\nname = \"x\"\n", []string{":4:1: organization.slug: the organization with this id is called acme here"}},
		{"another id", people + "[[user]]\nid = \"01900001-0000-7000-8000-000000000001\"\nemail = \"ANN@example.com\"\n", []string{"is also in line 4"}},
		{"a variable that is not set", people + "[[client]]\nclient_id = \"abc\"\nname = \"x\"\nclient_secret_env = \"NO_SUCH_THING\"\n", []string{
			":28:1: client.client_secret_env: the environment variable NO_SUCH_THING is not set",
		}},
		{"a variable that stops the start", people + "[[client]]\nclient_id = \"abc\"\nname = \"x\"\nclient_secret_env = \"AUTHY_ABC\"\n", []string{"client.client_secret_env: AUTHY_ABC has the form of a setting"}},
		{"a file that is not there", people + "[[client]]\nclient_id = \"abc\"\nname = \"x\"\nclient_secret_file = \"none\"\n", []string{":28:1: client.client_secret_file: ", "none"}},
		{"two sources", people + "[[client]]\nclient_id = \"abc\"\nname = \"x\"\nclient_secret_file = \"a\"\nclient_secret_env = \"B\"\n", []string{
			":29:1: client.client_secret_env: both client_secret_file and client_secret_env are there",
		}},
		{"a policy", strings.Replace(more, "[organization.members]", "[organization.policy]\nmode = \"all\"\n[organization.members]", 1), []string{":16:1: organization.policy.mode: Must be one of"}},
		{"a domain", strings.Replace(more, "slug = \"acme\"", "slug = \"acme\"\ndomains = [\"gmail.com\"]", 1), []string{":13:1: organization.domains: Anybody gets an address at gmail.com"}},
		{"a provider", people + "[[provider]]\nslug = \"x\"\nkind = \"oidc\"\nname = \"X\"\nissuer = \"ftp://x\"\nclient_id = \"a\"\n", []string{":29:1: provider.issuer: "}},
		{"a profile", people + "[[user]]\nemail = \"x@example.com\"\nprofile = { local = \"de\" }\n", []string{":27:13: user.profile.local: unknown key; did you mean \"locale\"?"}},
		{"a SAML service", people + "[[saml_service]]\nslug = \"x\"\nmetadata = \"<x/>\"\n", []string{":27:1: saml_service.metadata: "}},
		{"a colour", people + "[branding]\naccent_light = \"#ffffff\"\n", []string{":26:1: branding.accent_light: "}},
	} {
		acme, err := s.Orgs.BySlug(t.Context(), "acme")
		if err != nil {
			t.Fatal(err)
		}
		t.Run(c.name, func(t *testing.T) {
			refuses(t, s, state.Options{}, strings.ReplaceAll(c.text, `"ID"`, `"`+acme.ID+`"`), c.words...)
		})
	}
}

func TestAUserWithAnIDKeepsItUnderAnotherAddress(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		const id = "01900001-0000-7000-8000-000000000007"
		one := "[[user]]\nid = \"" + id + "\"\nemail = \"old@example.com\"\n"
		apply(t, s, state.Options{}, one)
		got := apply(t, s, state.Options{Prune: true}, strings.Replace(one, "old@", "new@", 1))
		if want := `~ user "new@example.com": email "old@example.com" → "new@example.com"`; got != want {
			t.Errorf("changes %s, want %s", got, want)
		}
		u, err := s.Accounts.Find(t.Context(), "new@example.com")
		if err != nil || u.ID != id {
			t.Errorf("the user is %+v, %v", u, err)
		}
		refuses(t, s, state.Options{}, "[[user]]\nid = \"01900001-0000-7000-8000-000000000008\"\nemail = \"new@example.com\"\n",
			"user.email: the user with this address has the id "+id+" here")
		if err := s.Accounts.Delete(t.Context(), audit.Shell(), id); !errors.Is(err, managed.ErrManaged) {
			t.Errorf("deleting what a file sets: %v", err)
		}
		if _, err := s.State.Release(t.Context(), audit.Shell(), managed.User, "new@example.com"); err != nil {
			t.Fatal(err)
		}
		if err := s.Accounts.Delete(t.Context(), audit.Shell(), id); err != nil {
			t.Fatal(err)
		}
		if got := apply(t, s, state.Options{}, one); got != `+ user "old@example.com"` {
			t.Errorf("who was deleted: %s", got)
		}
	})
}

func TestWhatAFileSetsIsChangedThereAlone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		ctx, by := t.Context(), audit.Shell()
		text := people + "\n[branding]\nname = \"Acme\"\n\n[[provider]]\nslug = \"sso\"\nkind = \"oidc\"\nname = \"SSO\"\nissuer = \"https://sso.example.com\"\nclient_id = \"a\"\n"
		text += "\n[[saml_service]]\nslug = \"wiki\"\nmetadata = '''" + wiki + "'''\n"
		apply(t, s, state.Options{}, text)
		ann, err := s.Accounts.Find(ctx, "ann@example.com")
		if err != nil {
			t.Fatal(err)
		}
		bea, err := s.Accounts.Find(ctx, "bea@example.com")
		if err != nil {
			t.Fatal(err)
		}
		acme, err := s.Orgs.BySlug(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		other := "Other"
		acts := map[string]func() error{
			"user suspend": func() error { return s.Accounts.Suspend(ctx, by, bea.ID) },
			"user email":   func() error { return s.Accounts.SetEmail(ctx, by, bea.ID, "other@example.com") },
			"user admin": func() error {
				_, err := s.Accounts.Correct(ctx, by, bea.ID, account.Correction{Admin: ptr(true)})
				return err
			},
			"user name": func() error {
				_, err := s.Accounts.ChangeProfile(ctx, by.As(ann.ID), ann.ID, map[string]string{"full_name": "A"})
				return err
			},
			"user delete":   func() error { return s.Accounts.Delete(ctx, by, bea.ID) },
			"own delete":    func() error { return s.Accounts.DeleteSelf(ctx, by.As(bea.ID)) },
			"org name":      func() error { _, err := s.Orgs.Update(ctx, by, acme.ID, org.Change{Name: &other}); return err },
			"org delete":    func() error { return s.Orgs.Delete(ctx, by, acme.ID) },
			"member role":   func() error { _, err := s.Orgs.SetRole(ctx, by, acme.ID, bea.ID, org.Admin); return err },
			"member remove": func() error { return s.Orgs.Remove(ctx, by, acme.ID, bea.ID) },
			"member leave":  func() error { return s.Orgs.Leave(ctx, by.As(bea.ID), acme.ID) },
			"client name": func() error {
				_, err := s.Clients.Update(ctx, by, "", "portal", func(r *registry.Registration) { r.Name = other })
				return err
			},
			"client delete": func() error { return s.Clients.Delete(ctx, by, "", "portal") },
			"provider name": func() error {
				_, err := s.Providers.Update(ctx, by, "", "sso", func(d *provider.Description) { d.Name = other })
				return err
			},
			"provider delete": func() error { return s.Providers.Remove(ctx, by, "", "sso") },
			"service": func() error {
				_, err := s.SAMLServices.Update(ctx, by, "", "wiki", false, func(d *saml2.Description) { d.Disabled = true })
				return err
			},
			"service delete": func() error { return s.SAMLServices.Remove(ctx, by, "", "wiki") },
			"brand":          func() error { _, err := s.Brand.Change(ctx, by, brand.Change{Name: &other}); return err },
			"brand reset":    func() error { return s.Brand.Reset(ctx, by) },
		}
		before := export(t, s)
		for name, act := range acts {
			err := act()
			f, _ := fault.As(err)
			if !errors.Is(err, managed.ErrManaged) || !strings.Contains(f.Message, "The file test sets this") {
				t.Errorf("%s: %v, want an error that names the file", name, err)
			}
		}
		if diff := cmp.Diff(before, export(t, s)); diff != "" {
			t.Errorf("something has changed (-before +after):\n%s", diff)
		}
		// What the file does not say is whose it was before.
		if _, err := s.Accounts.ChangeProfile(ctx, by.As(bea.ID), bea.ID, map[string]string{"full_name": "Bea", "locale": "de"}); err != nil {
			t.Errorf("a name that the file does not say: %v", err)
		}
		if err := s.Accounts.SetPassword(ctx, by, bea.ID, "correct horse battery"); err != nil {
			t.Errorf("a password: %v", err)
		}
		if _, err := s.Brand.Change(ctx, by, brand.Change{AccentLight: ptr("#7a1f5c")}); err != nil {
			t.Errorf("a colour that the file does not say: %v", err)
		}
		if got := apply(t, s, state.Options{}, text); got != "" {
			t.Errorf("what the file does not say is changed back: %s", got)
		}
		file, err := s.State.Release(ctx, by, managed.Client, "portal")
		if err != nil || file != "test" {
			t.Fatalf("Release = %q, %v", file, err)
		}
		if err := acts["client name"](); err != nil {
			t.Errorf("what was let go of: %v", err)
		}
		want := `~ client "portal": name "Other" → "Portal", managed_by set to test`
		if got := apply(t, s, state.Options{}, text); got != want {
			t.Errorf("after that: %s, want %s", got, want)
		}
		if _, err := s.State.Release(ctx, by, managed.Client, "none-001"); !errors.Is(err, state.ErrNotManaged) {
			t.Errorf("Release of what is not there: %v", err)
		}
	})
}

func TestTwoFilesDoNotSetTheSame(t *testing.T) {
	t.Parallel()
	s := on(t, storagetest.Migrated(t, "sqlite"))
	apply(t, s, state.Options{}, people)
	d, err := state.Parse("/etc/authy/other.toml", []byte("[[user]]\nemail = \"bea@example.com\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.State.Apply(t.Context(), audit.Shell(), d, state.Options{})
	if err == nil || !strings.Contains(err.Error(), "/etc/authy/other.toml:1:3: user: test sets this here") {
		t.Errorf("error %v", err)
	}
	plan, err := s.State.Apply(t.Context(), audit.Shell(), d, state.Options{Take: true})
	if want := `~ user "bea@example.com": managed_by test → /etc/authy/other.toml`; err != nil || changes(plan) != want {
		t.Errorf("taken: %q, %v, want %s", changes(plan), err, want)
	}
}

// someHash is of some password.
const someHash = "$2a$04$Xz0rsCf2Y5OZlTgP3ExQJeUuPkbMm7bP2G9EyEGhDcDXTwoMIOQ66"

func TestSecretsComeFromFilesAndAreReplaced(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		ctx, dir := t.Context(), t.TempDir()
		write := func(name, text string) {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("first", "a first secret")
		write("second", "a second secret")
		write("hash", someHash)
		write("bad", "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA")
		text := "[[user]]\nemail = \"ann@example.com\"\npassword_hash_file = \"hash\"\n[[client]]\nclient_id = \"app\"\nname = \"App\"\n" +
			"redirect_uris = [\"https://app.example.com/\"]\nclient_secret_file = \"first\"\n"
		applied := func(text string) (string, error) {
			d, err := state.Parse(filepath.Join(dir, "state.toml"), []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			plan, err := s.State.Apply(ctx, audit.Shell(), d, state.Options{})
			if err != nil {
				return "", err
			}
			return changes(plan), nil
		}
		for range 2 {
			if _, err := applied(text); err != nil {
				t.Fatal(err)
			}
		}
		c, err := s.Clients.Client(ctx, "app")
		if err != nil || !s.Clients.HasSecret(c, "a first secret") {
			t.Errorf("the secret is another, %v", err)
		}
		got, err := applied(strings.Replace(text, "first", "second", 1))
		if err != nil || got != `~ client "app": client_secret replaced` {
			t.Errorf("another secret: %s, %v", got, err)
		}
		if c, err = s.Clients.Client(ctx, "app"); err != nil || !s.Clients.HasSecret(c, "a second secret") {
			t.Errorf("the secret is not the second, %v", err)
		}
		ann, err := s.Accounts.Find(ctx, "ann@example.com")
		if err != nil {
			t.Fatal(err)
		}
		kept, err := s.DB.Password(ctx, ann.ID)
		if err != nil || kept.Hash != someHash {
			t.Errorf("the hash is %+v, %v", kept, err)
		}
		if err := s.Accounts.SetPassword(ctx, audit.Shell(), ann.ID, "correct horse battery"); err != nil {
			t.Fatal(err)
		}
		if got, err := applied(strings.Replace(text, "first", "second", 1)); err != nil || got != "" {
			t.Errorf("a password that was changed: %s, %v", got, err)
		}
		_, err = applied("[[user]]\nemail = \"x@example.com\"\npassword_hash_file = \"bad\"\n")
		if err == nil || !strings.Contains(err.Error(), "state.toml:3:1: user.password_hash_file: Must be a hash of bcrypt") {
			t.Errorf("a hash that is none of bcrypt: %v", err)
		}
	})
}

func TestExceptionsOfSingleMembersGoRound(t *testing.T) {
	t.Parallel()
	const exceptions = `
[organization.exceptions]
"Ann@example.com" = "exempt"
"bea@example.com" = "required+totp"
`
	text := strings.Replace(people, "\n[[client]]", exceptions+"\n[[client]]", 1)
	each(t, func(t *testing.T, s *Services) {
		ctx, by := t.Context(), audit.Shell()
		apply(t, s, state.Options{}, people)
		want := `~ organization "acme": exceptions."ann@example.com" set to "exempt", exceptions."bea@example.com" set to "required+totp"`
		if got := apply(t, s, state.Options{}, text); got != want {
			t.Errorf("it changes %s, want %s", got, want)
		}
		if got := apply(t, s, state.Options{Prune: true}, text); got != "" {
			t.Errorf("the second time it changes %s", got)
		}
		acme, err := s.Orgs.BySlug(ctx, "acme")
		if err != nil {
			t.Fatal(err)
		}
		bea, err := s.Accounts.Find(ctx, "bea@example.com")
		if err != nil {
			t.Fatal(err)
		}
		if o, err := s.DB.MFAOverride(ctx, acme.ID, bea.ID); err != nil || o.Mode != org.OverrideRequired || !o.ForceTOTP || o.ForceWebAuthn {
			t.Errorf("what is asked of Bea is %+v, %v", o, err)
		}
		// By hand only what the file does not say.
		exempt := org.Override{Mode: org.OverrideExempt}
		if err := s.Orgs.SetOverride(ctx, by, acme.ID, bea.ID, exempt); !errors.Is(err, managed.ErrManaged) {
			t.Errorf("an exception that the file sets is changed by hand: %v", err)
		}
		empty := on(t, storagetest.Migrated(t, "sqlite"))
		exported := export(t, s)
		apply(t, empty, state.Options{}, exported)
		if diff := cmp.Diff(exported, export(t, empty)); diff != "" {
			t.Errorf("(-exported +exported again):\n%s", diff)
		}
		back := strings.Replace(text, `"required+totp"`, `"inherit"`, 1)
		if got := apply(t, s, state.Options{}, back); got != `~ organization "acme": exceptions."bea@example.com" no longer "required+totp"` {
			t.Errorf("taking it back changes %s", got)
		}
		apply(t, s, state.Options{}, people)
		if err := s.Orgs.SetOverride(ctx, by, acme.ID, bea.ID, exempt); err != nil {
			t.Errorf("an exception that the file says no more: %v", err)
		}
		for words, said := range map[string]string{
			`"totp+exempt"`: "is not an exception", `"requird"`: `did you mean "required"`, `"totp+totp"`: "is not an exception",
		} {
			refuses(t, s, state.Options{}, strings.Replace(text, `"exempt"`, words, 1), "organization.exceptions", said)
		}
		stranger := strings.Replace(text, `"bea@example.com" = "member"`+"\n", "", 1) + "\n"
		fresh := on(t, storagetest.Migrated(t, "sqlite"))
		refuses(t, fresh, state.Options{}, stranger, "nobody with this address is a member of acme")
	})
}

func TestAnObjectIsLetGoOfByItsID(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		ctx, by := t.Context(), audit.Shell()
		apply(t, s, state.Options{}, people)
		bea, err := s.Accounts.Find(ctx, "bea@example.com")
		if err != nil {
			t.Fatal(err)
		}
		held, err := s.State.Held(ctx, by, managed.User, bea.ID)
		if err != nil || held.File != "test" || held.Name != "bea@example.com" {
			t.Fatalf("Held() = %+v, %v", held, err)
		}
		if _, err := s.State.ReleaseID(ctx, by.As(bea.ID), managed.User, bea.ID); !errors.Is(err, state.ErrForbidden) {
			t.Errorf("somebody else lets go of it: %v", err)
		}
		if _, err := s.State.ReleaseID(ctx, by, managed.User, bea.ID); err != nil {
			t.Fatal(err)
		}
		if err := s.Accounts.Suspend(ctx, by, bea.ID); err != nil {
			t.Errorf("what was let go of: %v", err)
		}
		for _, kind := range []string{managed.User, "nothing"} {
			if _, err := s.State.ReleaseID(ctx, by, kind, bea.ID); !errors.Is(err, state.ErrNotManaged) {
				t.Errorf("once more, as a %s: %v, want ErrNotManaged", kind, err)
			}
		}
		events, err := s.DB.Events(ctx, 1000)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range events {
			if e.Action == "state.release" && e.TargetID == bea.ID && strings.Contains(e.Details, "bea@example.com") {
				n++
			}
		}
		if n != 1 {
			t.Errorf("it is recorded %d times", n)
		}
	})
}

func TestTwoProcessesApplyOneFileOnce(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.Migrated(t, engine)
			nodes := []*Services{on(t, url), on(t, url), on(t, url)}
			var all sync.WaitGroup
			done := make([]string, len(nodes))
			for i, s := range nodes {
				d := parse(t, people)
				all.Go(func() {
					plan, err := s.State.Apply(context.Background(), audit.Shell(), d, state.Options{})
					if err != nil {
						t.Errorf("node %d: %v", i, err)
						return
					}
					done[i] = fmt.Sprint(len(plan.Changes))
				})
			}
			all.Wait()
			if slices.Sort(done); !slices.Equal(done, []string{"0", "0", "6"}) {
				t.Errorf("the nodes have changed %q objects, want one of them all six", done)
			}
			c, err := nodes[0].Clients.Client(t.Context(), "portal")
			if err != nil || c.Name != "Portal" {
				t.Fatalf("%+v, %v", c, err)
			}
			// Whoever has it in memory hears of a change.
			apply(t, nodes[1], state.Options{}, strings.Replace(people, `"Portal"`, `"Gate"`, 1))
			deadline := time.Now().Add(5 * time.Second)
			for c.Name != "Gate" && time.Now().Before(deadline) {
				if c, err = nodes[0].Clients.Client(t.Context(), "portal"); err != nil {
					t.Fatal(err)
				}
			}
			if c.Name != "Gate" {
				t.Error("another node does not see the change")
			}
		})
	}
}

func TestAThousandObjectsGoRoundInSeconds(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 500 {
		fmt.Fprintf(&b, "[[user]]\nemail = \"u%03d@example.com\"\nfull_name = \"User %d\"\n", i, i)
	}
	for i := range 50 {
		fmt.Fprintf(&b, "[[organization]]\nslug = \"org-%02d\"\nname = \"Org %d\"\n[organization.members]\n\"u%03d@example.com\" = \"owner\"\n", i, i, i)
		for j := range 4 {
			fmt.Fprintf(&b, "\"u%03d@example.com\" = \"member\"\n", 50+4*i+j)
		}
	}
	for i := range 250 {
		fmt.Fprintf(&b, "[[client]]\nclient_id = \"app-%03d\"\norganization = \"org-%02d\"\nname = \"App\"\ntoken_endpoint_auth_method = \"none\"\nredirect_uris = [\"https://a%d.example.com/cb\"]\n", i, i%50, i)
	}
	each(t, func(t *testing.T, s *Services) {
		begun := time.Now()
		if n := strings.Count(apply(t, s, state.Options{}, b.String()), "\n") + 1; n != 1050 {
			t.Errorf("%d objects, want 1050", n)
		}
		first := time.Since(begun)
		if got := apply(t, s, state.Options{Prune: true}, b.String()); got != "" {
			t.Errorf("the second time it changes\n%s", got)
		}
		again := time.Since(begun) - first
		text := export(t, s)
		empty := on(t, storagetest.Migrated(t, "sqlite"))
		apply(t, empty, state.Options{}, text)
		if export(t, empty) != text {
			t.Error("it does not go round")
		}
		t.Logf("made in %v, made again in %v, all in %v", first, again, time.Since(begun))
		if time.Since(begun) > time.Minute {
			t.Errorf("it takes %v", time.Since(begun))
		}
	})
}

func ptr[T any](v T) *T { return &v }

// wiki is the metadata of a SAML service.
const wiki = `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="https://wiki.example.com/saml">
<md:SPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://wiki.example.com/acs" index="0" isDefault="true"/>
</md:SPSSODescriptor></md:EntityDescriptor>`

// logoOf is a picture with colours that are seen through.
func logoOf(t *testing.T) []byte {
	t.Helper()
	p := image.NewNRGBA(image.Rect(0, 0, 600, 90))
	for i := range p.Pix {
		p.Pix[i] = byte(i * 7)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, p); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestTheFileOfTheDocumentationIsAppliedAndGoesRound(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/state.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(page), "```toml\n")
	text, _, _ = strings.Cut(text, "```\n")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{
		"ann.bcrypt": someHash, "google": "a secret of Google", "portal": "a secret of the portal",
		"siem": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	} {
		if err := os.WriteFile(filepath.Join(dir, "secrets", name), []byte(secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	each(t, func(t *testing.T, s *Services) {
		for i, want := range []int{12, 0} {
			d, err := state.Parse(filepath.Join(dir, "state.toml"), []byte(text))
			if err != nil {
				t.Fatal(err)
			}
			plan, err := s.State.Apply(t.Context(), audit.Shell(), d, state.Options{})
			if err != nil || len(plan.Changes) != want || plan.File != "production" {
				t.Fatalf("time %d: %v\n%s", i+1, err, changes(plan))
			}
		}
		for _, said := range []string{
			`locale = "de-CH"`, `grace_days = 7`, `"ann@acme.example" = "owner"`, `roles = ["*=acme:guest"]`,
			`redirect_uris = ["com.acme.app://callback"]`, `displayName = "name"`,
			`actions = ["user.*", "session.*"]`,
		} {
			if !strings.Contains(export(t, s), said) {
				t.Errorf("the export does not say %s", said)
			}
		}
	})
}

func TestAWebhookOfAFileHasTheSecretThatIsNamed(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s *Services) {
		dir := t.TempDir()
		for name, secret := range map[string]string{
			"first": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "second": "whsec_c2l4dHktZm91ciBieXRlcyBhcmUgZW5vdWdoIGZvciBhbGw=", "bad": "whsec_c2hvcnQ=",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(secret+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		apply := func(text string, o state.Options) (*state.Plan, error) {
			d, err := state.Parse(filepath.Join(dir, "state.toml"), []byte(text))
			if err != nil {
				return nil, err
			}
			return s.State.Apply(t.Context(), audit.Shell(), d, o)
		}
		const text = "[[webhook]]\nslug = \"siem\"\nurl = \"https://siem.example.com/\"\nsecret_file = \"first\"\n"
		for i, c := range []struct{ text, want string }{
			{text, `+ webhook "siem"`},
			{text, ""},
			{strings.Replace(text, "first", "second", 1), `~ webhook "siem": secret replaced`},
			{strings.Replace(text, "first", "second", 1) + "actions = [\"user.*\"]\n", `~ webhook "siem": actions ["*"] → ["user.*"]`},
		} {
			plan, err := apply(c.text, state.Options{})
			if err != nil || changes(plan) != c.want {
				t.Fatalf("time %d: %v, %v, want %s", i+1, plan, err, c.want)
			}
		}
		h, err := s.DB.WebhookBySlug(t.Context(), "siem")
		if err != nil || !strings.HasPrefix(h.Secret, "whsec_c2l4") || !strings.HasPrefix(h.Previous, "whsec_MfKQ") {
			t.Errorf("the secrets are not those of the files: %v", err)
		}
		if _, err := s.Webhooks.Update(t.Context(), audit.Shell(), "siem", false, func(d *webhook.Description) { d.Name = "x" }); !errors.Is(err, managed.ErrManaged) {
			t.Errorf("changed beside the file: %v", err)
		}
		if _, _, err := s.Webhooks.Rotate(t.Context(), audit.Shell(), "siem", 0); !errors.Is(err, managed.ErrManaged) {
			t.Errorf("rotated beside the file: %v", err)
		}
		for bad, want := range map[string]string{
			strings.Replace(text, "first", "bad", 1):                              "state.toml:4:1: webhook.secret_file: It is whsec_",
			strings.Replace(text, "https", "http", 1):                             "state.toml:3:1: webhook.url: It cannot be used",
			strings.Replace(text, "secret_file = \"first\"", "secret = \"x\"", 1): "webhook.secret: a secret does not stand in this file",
		} {
			if _, err := apply(bad, state.Options{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", bad, err, want)
			}
		}
		if plan, err := apply("", state.Options{Prune: true}); err != nil || changes(plan) != `- webhook "siem"` {
			t.Errorf("pruned: %v, %v", plan, err)
		}
	})
}
