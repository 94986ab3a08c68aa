package provider

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/fault"
	"authy/server/org"
	"authy/server/outbound"
	"authy/storage"
	"authy/storage/storagetest"
)

// world is a database with two organizations and people in them.
type world struct {
	t  *testing.T
	s  *Service
	db *storage.DB
	// acme and evil are the ids of organizations.
	acme, evil string
	// alice owns acme, carol is its admin, bob its member; mallory owns evil; root
	// administers the server.
	alice, carol, bob, mallory, root audit.Actor
}

func newWorld(t *testing.T, db *storage.DB) *world {
	t.Helper()
	w := &world{t: t, s: New(db), db: db}
	w.s.PublicURL = "https://id.example"
	w.acme, w.evil = w.org("acme"), w.org("evil")
	w.alice = w.user("alice", w.acme, storage.RoleOwner)
	w.carol = w.user("carol", w.acme, storage.RoleAdmin)
	w.bob = w.user("bob", w.acme, storage.RoleMember)
	w.mallory = w.user("mallory", w.evil, storage.RoleOwner)
	w.root = w.user("root", "", "")
	return w
}

func (w *world) update(fn func(ctx context.Context, tx *storage.Tx) error) {
	w.t.Helper()
	if err := w.db.Update(w.t.Context(), func(tx *storage.Tx) error { return fn(w.t.Context(), tx) }); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) org(slug string) string {
	w.t.Helper()
	now := storage.At(time.Now())
	o := &storage.Organization{ID: storage.NewID(), Slug: slug, Name: slug, IsActive: true, CreatedAt: now, UpdatedAt: now}
	w.update(func(ctx context.Context, tx *storage.Tx) error { return tx.InsertOrganization(ctx, o) })
	return o.ID
}

// user makes a user; one in no organization administers the server.
func (w *world) user(name, orgID string, role storage.Role) audit.Actor {
	w.t.Helper()
	now := storage.At(time.Now())
	u := &storage.User{
		ID: storage.NewID(), Email: name + "@example.com", Status: storage.Active, IsAdmin: orgID == "", CreatedAt: now, UpdatedAt: now,
	}
	w.update(func(ctx context.Context, tx *storage.Tx) error {
		if err := tx.InsertUser(ctx, u); err != nil || orgID == "" {
			return err
		}
		return tx.InsertMember(ctx, &storage.Member{
			ID: storage.NewID(), OrganizationID: orgID, UserID: u.ID, Role: role, CreatedAt: now, UpdatedAt: now,
		})
	})
	return audit.Actor{Kind: audit.User, ID: u.ID}
}

func (w *world) create(by audit.Actor, d Description) *Provider {
	w.t.Helper()
	p, err := w.s.Create(w.t.Context(), by, d)
	if err != nil {
		w.t.Fatalf("create %s: %v", d.Slug, err)
	}
	return p
}

func google() Description { return Description{Kind: Google, ClientID: "id", Secret: "the secret"} }

func (w *world) sso(slug string) Description {
	return Description{
		Kind: OIDC, Slug: slug, Name: "SSO", OrganizationID: w.acme, Issuer: "https://sso.example.com", ClientID: "id", Secret: "the secret",
	}
}

// details are those of the newest event of an action.
func (w *world) details(action string) string {
	w.t.Helper()
	events, err := w.db.Events(w.t.Context(), 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range events {
		if e.Action == action {
			return e.Details
		}
	}
	w.t.Fatalf("there is no event %s", action)
	return ""
}

func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) { fn(t, newWorld(t, db)) })
}

// wantField wants an error that names a field.
func wantField(t *testing.T, what string, err error, field string) {
	t.Helper()
	f, ok := fault.As(err)
	if !ok || f.Fields[field] == nil {
		t.Errorf("%s: %v, want a problem of %s", what, err, field)
	}
}

func TestWhoMayConfigureProviders(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.create(w.root, google())
		w.create(w.alice, w.sso("acme-sso"))
		for _, c := range []struct {
			name           string
			by             audit.Actor
			server, inAcme error // what they are told of the server's, and of acme's
		}{
			{"nobody", audit.Actor{Kind: audit.Anonymous}, ErrForbidden, ErrForbidden},
			{"a service of acme", audit.Actor{Kind: audit.Service, ID: "x", OrgID: w.acme}, ErrForbidden, ErrForbidden},
			{"a client", audit.Actor{Kind: audit.Client, ID: "x"}, ErrForbidden, ErrForbidden},
			{"a member", w.bob, ErrForbidden, org.ErrRole},
			{"an admin", w.carol, ErrForbidden, nil},
			{"the owner", w.alice, ErrForbidden, nil},
			{"another owner", w.mallory, ErrForbidden, org.ErrNoOrg},
			{"an administrator", w.root, nil, nil},
			{"the shell", audit.Shell(), nil, nil},
		} {
			for orgID, want := range map[string]error{"": c.server, w.acme: c.inAcme} {
				slug := map[string]string{"": "google", w.acme: "acme-sso"}[orgID]
				_, list := w.s.List(t.Context(), c.by, orgID)
				_, show := w.s.Show(t.Context(), c.by, orgID, slug)
				_, update := w.s.Update(t.Context(), c.by, orgID, slug, func(d *Description) { d.Name = c.name })
				_, test := w.s.Test(t.Context(), audit.Actor{Kind: audit.Anonymous}, orgID, slug)
				d := google()
				d.Slug, d.OrganizationID = "acme-"+strings.ReplaceAll(c.name, " ", "-"), orgID
				if orgID == "" {
					d.Slug = "server" + d.Slug
				}
				_, create := w.s.Create(t.Context(), c.by, d)
				remove := create
				if create == nil {
					remove = w.s.Remove(t.Context(), c.by, orgID, d.Slug)
				}
				for what, err := range map[string]error{
					"list": list, "show": show, "update": update, "create": create, "remove": remove,
				} {
					if !errors.Is(err, want) {
						t.Errorf("FE-22: %s by %s in %q: %v, want %v", what, c.name, orgID, err, want)
					}
				}
				if !errors.Is(test, ErrForbidden) {
					t.Errorf("FE-22: test by nobody: %v", test)
				}
			}
		}
		// Another organization's, or the server's, is not there.
		for _, slug := range []string{"acme-sso", "google", "nothing", "\x00"} {
			_, show := w.s.Show(t.Context(), w.mallory, w.evil, slug)
			_, update := w.s.Update(t.Context(), w.mallory, w.evil, slug, func(d *Description) { d.Name = "Mine" })
			remove := w.s.Remove(t.Context(), w.mallory, w.evil, slug)
			for _, err := range []error{show, update, remove} {
				if !errors.Is(err, ErrNoProvider) {
					t.Errorf("FE-22: %q through another organization: %v, want %v", slug, err, ErrNoProvider)
				}
			}
		}
	})
}

func TestAnOrganizationsProviderReachesNoFurtherThanTheOrganization(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		if _, err := w.s.AddDomain(t.Context(), w.root, w.acme, "acme.example"); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name, field string
			byCarol     bool // whether an admin may, too, what an owner may
			spoil       func(*Description)
		}{
			{"a slug of the whole server", "slug", false, func(d *Description) { d.Slug = "google" }},
			{"a slug of another organization", "slug", false, func(d *Description) { d.Slug = "evil-sso" }},
			{"a domain that was not granted", "domains", false, func(d *Description) { d.Options.Domains = []string{"evil.example"} }},
			{"registration of anybody", "registration", false, func(d *Description) { d.Options.Registration = RegistrationOpen }},
			{"a trusted method", "trusted_methods", false, func(d *Description) { d.Options.TrustedMethods = []string{"mfa"} }},
			{"a trusted context", "trusted_contexts", false, func(d *Description) { d.Options.TrustedContexts = []string{"mfa"} }},
			{"a role elsewhere", "roles", false, func(d *Description) {
				d.Options.Roles = []Role{{Group: "*", OrganizationID: w.evil, Role: "member"}}
			}},
			{"owners by a group", "roles", false, func(d *Description) { d.Options.Roles = []Role{{Group: "*", Role: "owner"}} }},
			{"an address within", "issuer", false, func(d *Description) { d.Issuer = "http://127.0.0.1:8080" }},
		} {
			d := w.sso("acme-new")
			c.spoil(&d)
			_, err := w.s.Create(t.Context(), w.alice, d)
			wantField(t, "FE-22: "+c.name, err, c.field)
		}
		admins := w.sso("acme-roles")
		admins.Options.Roles = []Role{{Group: "*", Role: "admin"}}
		_, err := w.s.Create(t.Context(), w.carol, admins)
		wantField(t, "admins by a group, by an admin", err, "roles")
		w.create(w.alice, admins)
		// What was given stays when somebody with less changes the rest.
		if _, err := w.s.Update(t.Context(), w.carol, w.acme, "acme-roles", func(d *Description) { d.Name = "Other" }); err != nil {
			t.Errorf("an admin changes the name: %v", err)
		}
		all := w.sso("acme-all")
		all.Options = Options{
			Domains: []string{"ACME.example"}, Registration: RegistrationOpen, TrustedMethods: []string{"mfa"},
			Roles: []Role{{Group: "*", Role: "owner"}},
		}
		p := w.create(w.root, all)
		if got := p.Options.Roles[0].OrganizationID; got != w.acme {
			t.Errorf("the role is in %q, want %q", got, w.acme)
		}
		p, err = w.s.Update(t.Context(), w.carol, w.acme, "acme-all", func(d *Description) {
			d.Slug, d.Kind, d.OrganizationID, d.Name = "google", Google, "", "Other"
		})
		if err != nil || p.Slug != "acme-all" || p.Kind != OIDC || string(p.OrganizationID) != w.acme {
			t.Errorf("an admin changes what stays: %+v, %v", p, err)
		}
	})
}

func TestASecretIsSealedAndNotSentElsewhere(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		w.create(w.alice, w.sso("acme-sso"))
		list, err := w.s.List(t.Context(), w.alice, w.acme)
		if err != nil || len(list) != 1 || list[0].Secret != "" || strings.Contains(list[0].SealedSecret, "the secret") {
			t.Fatalf("FE-22: the list has %+v, %v", list, err)
		}
		if got := w.details("provider.create"); strings.Contains(got, "the secret") || !strings.Contains(got, `"client_secret":"changed"`) {
			t.Errorf("the event says %s", got)
		}
		change := func(fn func(*Description)) error {
			_, err := w.s.Update(t.Context(), w.carol, w.acme, "acme-sso", fn)
			return err
		}
		wantField(t, "another issuer", change(func(d *Description) { d.Issuer = "https://evil.example" }), "client_secret")
		if err := change(func(d *Description) { d.Name = "New" }); err != nil {
			t.Fatal(err)
		}
		if p, err := w.s.Find(t.Context(), "acme-sso"); err != nil || p.Secret != "the secret" || p.Name != "New" {
			t.Errorf("after a change of the name: %+v, %v", p, err)
		}
		if got := w.details("provider.update"); got != `{"name":"New","slug":"acme-sso"}` {
			t.Errorf("the event says %s", got)
		}
		if err := change(func(d *Description) { d.Issuer, d.Secret = "https://new.example", "the secret" }); err != nil {
			t.Errorf("another issuer with the secret: %v", err)
		}
		if err := change(func(d *Description) { d.Secret = "" }); err != nil {
			t.Errorf("a public client: %v", err)
		}
		if p, err := w.s.Find(t.Context(), "acme-sso"); err != nil || p.Secret != "" || p.SealedSecret != "" {
			t.Errorf("without the secret: %+v, %v", p, err)
		}
	})
}

func TestDomainsLeadToTheProviderOfTheOrganizationThatHasThem(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for domain, field := range map[string]string{"gmail.com": "domain", "com": "domain", "@acme.example": "domain", "": "domain"} {
			_, err := w.s.AddDomain(ctx, w.root, w.acme, domain)
			wantField(t, domain, err, field)
		}
		if _, err := w.s.AddDomain(ctx, w.alice, w.acme, "acme.example"); !errors.Is(err, ErrForbidden) {
			t.Errorf("an owner grants a domain: %v", err)
		}
		if _, err := w.s.AddDomain(ctx, w.root, storage.NewID(), "acme.example"); !errors.Is(err, org.ErrNoOrg) {
			t.Errorf("a domain for no organization: %v", err)
		}
		if _, err := w.s.AddDomain(ctx, w.root, w.acme, " ACME.example "); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.AddDomain(ctx, w.root, w.evil, "acme.example"); !errors.Is(err, ErrGranted) {
			t.Errorf("a domain that is taken: %v", err)
		}
		leads := func(email, want string) {
			t.Helper()
			p, err := w.s.ForAddress(ctx, email)
			got := ""
			if p != nil {
				got = p.Slug
			}
			if err != nil || got != want {
				t.Errorf("ForAddress(%q) = %q, %v, want %q", email, got, err, want)
			}
		}
		leads("bob@acme.example", "")
		w.create(w.alice, w.sso("acme-a"))
		leads("bob@acme.example", "acme-a")
		believed := w.sso("acme-b")
		believed.Options.Domains, believed.Options.Registration = []string{"acme.example"}, RegistrationDomains
		p := w.create(w.alice, believed)
		leads("Bob@ACME.example", "acme-b")
		leads("bob@sub.acme.example", "")
		leads("bob", "")
		believes := func(email string, want bool) {
			t.Helper()
			if got, err := w.s.Believes(ctx, w.db.Reader, p, email); err != nil || got != want {
				t.Errorf("SA-20: Believes(%q) = %v, %v, want %v", email, got, err, want)
			}
		}
		believes("bob@acme.example", true)
		believes("bob@example.com", false)
		// FE-18: a provider that is disabled, an organization that is.
		w.activate(w.acme, false)
		leads("bob@acme.example", "")
		if usable, err := w.s.Usable(ctx, w.db.Reader, p); err != nil || usable {
			t.Errorf("FE-18: the provider of a disabled organization is usable: %v, %v", usable, err)
		}
		w.activate(w.acme, true)
		if _, err := w.s.Update(ctx, w.alice, w.acme, "acme-b", func(d *Description) { d.Disabled = true }); err != nil {
			t.Fatal(err)
		}
		leads("bob@acme.example", "acme-a")

		if err := w.s.RemoveDomain(ctx, w.root, w.evil, "acme.example"); !errors.Is(err, ErrNoDomain) {
			t.Errorf("take it from another: %v", err)
		}
		if err := w.s.RemoveDomain(ctx, w.alice, w.acme, "acme.example"); !errors.Is(err, ErrForbidden) {
			t.Errorf("an owner takes it: %v", err)
		}
		if err := w.s.RemoveDomain(ctx, w.root, w.acme, "ACME.example"); err != nil {
			t.Fatal(err)
		}
		leads("bob@acme.example", "")
		believes("bob@acme.example", false) // by the record of before, too
		after, err := w.s.Find(ctx, "acme-b")
		if err != nil || len(after.Options.Domains) > 0 || after.Options.Registration != RegistrationOff || after.Secret != "the secret" {
			t.Errorf("the provider is %+v, %v", after, err)
		}
		if got := w.details("org.domain_remove"); got != `{"domain":"acme.example"}` {
			t.Errorf("the event says %s", got)
		}
	})
}

func (w *world) activate(orgID string, active bool) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx *storage.Tx) error {
		o, err := tx.Organization(ctx, orgID)
		if err != nil {
			return err
		}
		o.IsActive = active
		return tx.SaveOrganization(ctx, o)
	})
}

func TestTheConfigurationIsTheOnlySourceOfItsProviders(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		by := w.create(w.root, google())
		sync := func(wanted map[string]*config.Provider) {
			t.Helper()
			if err := w.s.Sync(ctx, wanted); err != nil {
				t.Fatal(err)
			}
		}
		shown := func(slug string) Provider {
			t.Helper()
			p, err := w.s.Find(ctx, slug)
			if err != nil {
				t.Fatal(err)
			}
			return *p
		}
		wanted := map[string]*config.Provider{
			"google": {Kind: Google, ClientID: "new", ClientSecret: "newer"},
			"sso": {
				Kind: OIDC, Issuer: "https://sso.example.com", ClientID: "id", Groups: "groups",
				Roles: config.Words{"staff=acme:member", "*=nowhere:member"},
			},
		}
		sync(wanted)
		if p := shown("google"); p.ID != by.ID || !p.IsManaged || p.ClientID != "new" || p.Secret != "newer" {
			t.Errorf("the one that was there is %+v", p)
		}
		sso := shown("sso")
		if diff := cmp.Diff([]Role{{Group: "staff", OrganizationID: w.acme, Role: "member"}}, sso.Options.Roles); diff != "" {
			t.Errorf("roles (-want +got):\n%s", diff)
		}
		sync(wanted)
		if again := shown("sso"); again.UpdatedAt != sso.UpdatedAt {
			t.Error("a second start has written what was so already")
		}
		if _, err := w.s.Update(ctx, audit.Shell(), "", "google", func(d *Description) { d.Name = "X" }); !errors.Is(err, ErrManaged) {
			t.Errorf("a change by hand: %v", err)
		}
		if err := w.s.Remove(ctx, w.root, "", "google"); !errors.Is(err, ErrManaged) {
			t.Errorf("deletion by hand: %v", err)
		}
		delete(wanted, "google")
		sync(wanted)
		if p := shown("google"); p.IsActive || p.IsManaged || p.ID != by.ID {
			t.Errorf("taken out it is %+v", p)
		}
		offered, err := w.s.Offered(ctx)
		if err != nil || len(offered) != 1 || offered[0].Slug != "sso" {
			t.Errorf("offered are %v, %v", offered, err)
		}
		if err := w.s.Remove(ctx, w.root, "", "google"); err != nil {
			t.Errorf("deletion once it is let go: %v", err)
		}
		w.create(w.root, w.sso("taken"))
		for slug, field := range map[string]string{"taken": "slug", "bad": "client_id"} {
			err := w.s.Sync(ctx, map[string]*config.Provider{slug: {Kind: OIDC, Issuer: "https://sso.example.com", ClientID: map[string]string{"taken": "id"}[slug]}})
			wantField(t, slug, err, field)
			if err == nil || !strings.HasPrefix(err.Error(), "provider."+slug+": ") {
				t.Errorf("%s: the message is %v", slug, err)
			}
		}
	})
}

func TestSlugsAreUniqueAndOrganizationsHaveOnlySoMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storagetest.New(t))
	w.create(w.root, google())
	if _, err := w.s.Create(t.Context(), w.root, google()); !errors.Is(err, ErrTaken) {
		t.Errorf("the same slug: %v, want %v", err, ErrTaken)
	}
	for i := range maxProviders {
		w.create(w.alice, w.sso("acme-"+strings.Repeat("a", i+1)))
	}
	if _, err := w.s.Create(t.Context(), w.alice, w.sso("acme-one-more")); !errors.Is(err, ErrTooMany) {
		t.Errorf("one more: %v, want %v", err, ErrTooMany)
	}
	list, err := w.s.List(t.Context(), w.root, "")
	if err != nil || len(list) != maxProviders+1 {
		t.Errorf("there are %d, %v", len(list), err)
	}
	d := google()
	d.OrganizationID = w.evil
	if p := w.create(w.mallory, d); p.Slug != "evil-google" {
		t.Errorf("the slug is %q, want evil-google", p.Slug)
	}
}

func TestSAMLMetadataIsFetchedAndJudgedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, storagetest.New(t))
	w.s.Outbound = outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	asked := 0
	idp := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if asked++; r.URL.Path == "/huge" {
			rw.Write(make([]byte, 2<<20)) //nolint:errcheck // the client has gone
		}
		rw.Write([]byte("\ufeffmetadata of " + r.URL.Path)) //nolint:errcheck // as above
	}))
	t.Cleanup(idp.Close)
	w.s.ReadMetadata = func(metadata, entityID string) (string, error) {
		path, ok := strings.CutPrefix(metadata, "metadata of ")
		if !ok || path == "/bad" {
			return "", errors.New("it has no key")
		}
		if entityID != "" {
			return entityID, nil
		}
		return "urn:idp:" + path[1:], nil
	}
	d := Description{Kind: SAML, Name: "IdP", Slug: "idp", Options: Options{MetadataURL: idp.URL + "/one"}}
	p := w.create(w.root, d)
	if p.Issuer != "urn:idp:one" || p.Options.Metadata != "metadata of /one" || asked != 1 {
		t.Fatalf("the provider is %+v, after %d requests", p, asked)
	}
	if got := w.details("provider.create"); strings.Contains(got, "metadata of") {
		t.Errorf("the event says %s", got)
	}
	update := func(fn func(*Description)) error {
		var err error
		p, err = w.s.Update(t.Context(), w.root, "", "idp", fn)
		return err
	}
	if err := update(func(d *Description) { d.Name = "New" }); err != nil || asked != 1 {
		t.Errorf("another name: %v, after %d requests", err, asked)
	}
	if err := update(func(d *Description) { d.Options.MetadataURL = idp.URL + "/two" }); err != nil || p.Issuer != "urn:idp:two" {
		t.Errorf("another URL: %+v, %v", p, err)
	}
	if err := update(func(d *Description) { d.Options.Metadata, d.Issuer = "metadata of /three", "urn:chosen" }); err != nil ||
		p.Issuer != "urn:chosen" || p.Options.Metadata != "metadata of /three" || asked != 2 {
		t.Errorf("metadata by value: %+v, %v, after %d requests", p, err, asked)
	}
	wantField(t, "bad metadata", update(func(d *Description) { d.Options.Metadata = "metadata of /bad" }), "metadata")
	wantField(t, "huge metadata", update(func(d *Description) { d.Options.MetadataURL = idp.URL + "/huge" }), "metadata_url")
	wantField(t, "metadata within", update(func(d *Description) { d.Options.MetadataURL = "http://10.0.0.1/" }), "metadata_url")

	wanted := map[string]*config.Provider{"idp": {Kind: SAML, Name: "IdP", MetadataURL: idp.URL + "/four"}}
	if err := w.s.Sync(t.Context(), wanted); err != nil {
		t.Fatal(err)
	}
	idp.Close()
	wanted["other"] = &config.Provider{Kind: SAML, MetadataURL: idp.URL + "/five"}
	if err := w.s.Sync(t.Context(), wanted); err != nil {
		t.Errorf("a start without the provider: %v", err)
	}
	if p, err := w.s.Find(t.Context(), "idp"); err != nil || p.Issuer != "urn:idp:four" || !p.IsManaged || !p.IsActive {
		t.Errorf("after a start without it: %+v, %v", p, err)
	}
	if _, err := w.s.Find(t.Context(), "other"); !errors.Is(err, ErrNoProvider) {
		t.Errorf("one whose metadata nobody has seen: %v", err)
	}
}
