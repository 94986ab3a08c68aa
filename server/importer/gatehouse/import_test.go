package gatehouse_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/bcrypt"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/importer"
	"authy/server/importer/gatehouse/gatehousetest"
	"authy/server/org"
	"authy/server/registry"
	"authy/storage"
	"authy/storage/storagetest"
)

// target is an authy to import into.
type target struct {
	*importer.Importer
	t        *testing.T
	db       *storage.DB
	url      string
	accounts *account.Service
	orgs     *org.Service
	clients  *registry.Service
}

// targets runs fn for an empty authy on each engine.
func targets(t *testing.T, fn func(t *testing.T, to target)) {
	t.Helper()
	for _, engine := range []string{"sqlite", "postgres"} {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.Migrated(t, engine)
			db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
			accounts, orgs, clients := account.New(db, account.NewHasher(4)), org.New(db), registry.New(db)
			fn(t, target{importer.New(db, accounts, orgs, clients), t, db, url, accounts, orgs, clients})
		})
	}
}

func (to target) bring(records *importer.Records, o importer.Options) *importer.Report {
	to.t.Helper()
	report, err := to.Import(to.t.Context(), audit.Shell(), records, o)
	if err != nil {
		to.t.Fatal(err)
	}
	return report
}

// counts are how many records came, were there and were left out, by kind.
func counts(r *importer.Report) map[string][3]int {
	out := map[string][3]int{}
	for _, kind := range importer.Kinds {
		out[kind] = [3]int{
			r.Count(kind, importer.Came), r.Count(kind, importer.WasThere), r.Count(kind, importer.LeftOut),
		}
	}
	return out
}

// said is what a report says of a record.
func said(r *importer.Report, kind, name string) string {
	for _, i := range r.Items {
		if i.Kind == kind && i.Name == name {
			return string(i.State) + ": " + i.Reason + strings.Join(i.Notes, "; ")
		}
	}
	return "nothing"
}

func TestEverythingComesOnceAndADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, to target) {
		records := read(t, gatehousetest.New(t, "sqlite"))
		empty := storagetest.Dump(t, to.url)
		tried := to.bring(records, importer.Options{DryRun: true})
		if diff := cmp.Diff(empty, storagetest.Dump(t, to.url)); diff != "" {
			t.Fatalf("a dry run has changed:\n%s", diff)
		}
		done := to.bring(records, importer.Options{})
		if diff := cmp.Diff(tried.Items, done.Items); diff != "" || !tried.DryRun || done.DryRun {
			t.Errorf("the dry run said otherwise (-tried +done):\n%s", diff)
		}
		want := map[string][3]int{
			"user": {12, 0, 1}, "password": {12, 0, 1}, "authenticator": {1, 0, 1}, "passkey": {1, 0, 0}, "link": {0, 0, 4},
			"organization": {3, 0, 0}, "membership": {11, 0, 1}, "client": {4, 0, 0},
		}
		if diff := cmp.Diff(want, counts(done)); diff != "" {
			t.Errorf("what came (-want +got):\n%s", diff)
		}
		to.recorded(map[string]int{
			"user.register": 12, "totp.enroll.completed": 1, "webauthn.register.completed": 1,
			"org.create": 3, "org.member.add": 11, "client.created": 4,
		})
		before := storagetest.Dump(t, to.url)
		again := to.bring(records, importer.Options{})
		if diff := cmp.Diff(before, storagetest.Dump(t, to.url)); diff != "" {
			t.Errorf("a second run has changed:\n%s", diff)
		}
		for kind, n := range counts(again) {
			if n != [3]int{0, want[kind][0], want[kind][2]} {
				t.Errorf("the second run says of %s: %v, after %v", kind, n, want[kind])
			}
		}
	})
}

// recorded checks how many events of each action the shell has, and that no other came.
func (to target) recorded(want map[string]int) {
	to.t.Helper()
	events, err := to.db.Events(to.t.Context(), 10_000)
	if err != nil {
		to.t.Fatal(err)
	}
	got := map[string]int{}
	for _, e := range events {
		got[e.Action]++
		if e.ActorKind != "operator" || e.ActorID != "cli" || e.Reason != "imported" ||
			!strings.Contains(e.Details, `"source":"gatehouse"`) {
			to.t.Errorf("%s is recorded as %+v", e.Action, e)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		to.t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestOnlyAnOperatorImports(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, to target) {
		records := read(t, gatehousetest.New(t, "sqlite"))
		by := audit.Actor{Kind: audit.User, ID: gatehousetest.ID(1)}
		if _, err := to.Import(t.Context(), by, records, importer.Options{}); err == nil {
			t.Error("a user may import")
		}
	})
}

func TestWhatIsHereIsNeverOverwritten(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, to target) {
		ctx := t.Context()
		bob, err := to.accounts.Create(ctx, audit.Shell(), account.NewUser{
			Email: "bob@acme-corp.com", FullName: "Another Bob", Password: "orchid lantern",
		})
		if err != nil {
			t.Fatal(err)
		}
		taken, err := to.orgs.Create(ctx, audit.Shell(), org.NewOrg{Slug: "tech-startup", Name: "Another", OwnerID: bob.ID})
		if err != nil {
			t.Fatal(err)
		}
		portal := registry.Defaults()
		portal.ClientID, portal.Name, portal.Secret = "acme-portal-001", "Another Portal", "another secret"
		portal.RedirectURIs = []string{"https://another.example/cb"}
		if _, err := to.clients.Create(ctx, audit.Shell(), portal); err != nil {
			t.Fatal(err)
		}
		report := to.bring(read(t, gatehousetest.New(t, "postgres")), importer.Options{})
		for of, want := range map[[2]string]string{
			{"user", "bob@acme-corp.com"}:                            "left out: the address is here already, of the user " + bob.ID,
			{"password", "bob@acme-corp.com"}:                        "left out: its user was left out",
			{"membership", "bob@acme-corp.com in acme-corp"}:         "left out: its user was left out",
			{"organization", "tech-startup"}:                         "left out: the slug tech-startup is here already, of the organization " + taken.ID,
			{"membership", "frank@tech-startup.com in tech-startup"}: "left out: its organization was left out",
			{"client", "tech-dashboard-001"}:                         "left out: its organization was left out",
			{"client", "acme-portal-001"}:                            "left out: a client of another origin has this client_id",
			{"client", "acme-mobile-001"}:                            "came: ",
			{"membership", "carol@acme-corp.com in acme-corp"}:       "came: ",
		} {
			if got := said(report, of[0], of[1]); !strings.HasPrefix(got, want) {
				t.Errorf("%v: %q, want %q", of, got, want)
			}
		}
		if u, err := to.accounts.Find(ctx, "bob@acme-corp.com"); err != nil || u.ID != bob.ID || u.FullName != "Another Bob" {
			t.Errorf("Bob is %+v, %v", u, err)
		}
		if c, err := to.db.Client(ctx, "acme-portal-001"); err != nil || c.Name != "Another Portal" {
			t.Errorf("the portal is %+v, %v", c, err)
		}
	})
}

// What is odd there, in statements, and what is said of it.
var odd = []struct {
	statement, kind, name, want string
}{
	{
		"UPDATE users SET email = 'Bob@Acme-Corp.com ' WHERE email LIKE 'bob@%'",
		"user", "bob@acme-corp.com", "came: the address is bob@acme-corp.com here",
	},
	{
		"UPDATE users SET email = 'david at acme' WHERE email LIKE 'david@%'",
		"user", "david at acme", "left out: the address cannot be one: email: Not a valid email address.",
	},
	{
		"UPDATE users SET status = 'COMPLIANCE_SUSPENDED' WHERE email LIKE 'eve@%'",
		"user", "eve@acme-corp.com", "came: was suspended for want of a second factor",
	},
	{
		"UPDATE users SET avatar_url = 'javascript:alert(1)' WHERE email LIKE 'frank@%'",
		"user", "frank@tech-startup.com", "came: the address of the picture was left out",
	},
	{
		"UPDATE authentication_methods SET password_hash = 'pbkdf2:sha256:600000$x$y' WHERE user_id LIKE '%008'",
		"password", "grace@tech-startup.com", "left out: the hash is of a scheme that authy does not know",
	},
	{
		`UPDATE authentication_methods SET provider_data = '{"secret": "short", "backup_codes": []}' WHERE method_type = 'TOTP'`,
		"authenticator", "carol@acme-corp.com", "left out: the secret is not base32",
	},
	{
		`UPDATE authentication_methods SET provider_data = '{"credential_id": "eA", "public_key_cose": "eA", "name": "Key"}'
			WHERE method_type = 'WEBAUTHN'`,
		"passkey", "grace@tech-startup.com · Key", "left out: the public key cannot be read",
	},
	{
		"UPDATE organizations SET slug = 'Data Systems!' WHERE slug = 'data-systems'",
		"organization", "Data Systems!", "came: is called data-systems here",
	},
	{
		"UPDATE organization_members SET organization_id = '00000000-0000-4000-8000-000000000000' WHERE id LIKE '%002'",
		"membership", "admin@acme-corp.com in 00000000-0000-4000-8000-000000000000", "left out: its organization is not there",
	},
	{
		"UPDATE organization_members SET role = 'ADMIN' WHERE id LIKE '%003'",
		"organization", "tech-startup", "came: has no owner: give it one",
	},
	{
		"UPDATE organization_members SET role = 'WIZARD' WHERE id LIKE '%011'",
		"membership", "charlie@cross-org.com in tech-startup", "left out: there is no role wizard here",
	},
	{
		`UPDATE oidc_clients SET redirect_uris = '["https://portal.acme-corp.com/auth/callback", "http://portal.acme-corp.com/x"]',
			grant_types = '["authorization_code", "password"]', access_token_lifetime = 0 WHERE client_id = 'acme-portal-001'`,
		"client", "acme-portal-001", "came: its access token lives 1h0m0s, as is usual: its own lifetime cannot be; " +
			"left out grant type password: Must be one of",
	},
	{
		`UPDATE oidc_clients SET redirect_uris = '["http://dashboard.tech-startup.com/x"]' WHERE client_id = 'tech-dashboard-001'`,
		"client", "tech-dashboard-001", "left out: redirect_uris: The code flow needs one at least.",
	},
	{
		"UPDATE oidc_clients SET client_secret_hash = 'plain' WHERE client_id = 'data-api-001'",
		"client", "data-api-001", "left out: its secret cannot be kept: the hash is of a scheme that authy does not know",
	},
	{
		`INSERT INTO authentication_methods (id, created_at, updated_at, user_id, method_type, is_primary, verified)
			VALUES ('30000000-0000-4000-8000-000000000099', '2026-01-16', '2026-01-16', '10000000-0000-4000-8000-000000000001',
			'SAML', FALSE, TRUE)`,
		"data", "admin@acme-corp.com · saml", "no place: Gatehouse has no code for this",
	},
}

func TestWhatIsOddIsNamedAndTheRestComes(t *testing.T) {
	t.Parallel()
	statements := make([]string, len(odd))
	for i, o := range odd {
		statements[i] = o.statement
	}
	statements = append(statements, "PRAGMA foreign_keys = off")
	slices.Reverse(statements)
	targets(t, func(t *testing.T, to target) {
		report := to.bring(read(t, gatehousetest.New(t, "sqlite", statements...)), importer.Options{})
		for _, o := range odd {
			if got := said(report, o.kind, o.name); !strings.HasPrefix(got, o.want) {
				t.Errorf("%s %s: %q, want %q", o.kind, o.name, got, o.want)
			}
		}
	})
}

// Nothing that proves who somebody is may be in what is printed.
func TestAReportHasNoSecrets(t *testing.T) {
	t.Parallel()
	records := read(t, gatehousetest.New(t, "sqlite"))
	records.Users[3].TOTP.CodeHashes[0] = "unknown$" + records.Users[3].TOTP.CodeHashes[0]
	records.Users[4].PasswordHash = "unknown$" + records.Users[4].PasswordHash
	records.Clients[0].SecretHash = "unknown$" + records.Clients[0].SecretHash
	targets(t, func(t *testing.T, to target) {
		report := to.bring(records, importer.Options{})
		text := fmt.Sprintf("%+v", *report)
		for _, secret := range []string{"$2b$", "unknown$", gatehousetest.CarolsSecret, "gAAAA", "token-in-clear"} {
			if strings.Contains(text, secret) {
				t.Errorf("the report shows %s", secret)
			}
		}
		for _, rows := range storagetest.Dump(t, to.url, "totps", "passwords", "clients", "recovery_codes") {
			for _, row := range rows {
				if strings.Contains(row, gatehousetest.CarolsSecret) || strings.Contains(row, "$2b$") {
					t.Errorf("a secret is kept in %s", row)
				}
			}
		}
	})
}

// What cannot be written whole is not there at all.
func TestAnImportThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	targets(t, func(t *testing.T, to target) {
		records := read(t, gatehousetest.New(t, "sqlite"))
		for i := range records.Users {
			if u := &records.Users[i]; len(u.Passkeys) > 0 {
				other := u.Passkeys[0] // with an id that the schema refuses
				other.CredentialID = "b3RoZXI"
				u.Passkeys = append(u.Passkeys, other)
			}
		}
		empty := storagetest.Dump(t, to.url)
		_, err := to.Import(t.Context(), audit.Shell(), records, importer.Options{})
		if err == nil || !strings.Contains(err.Error(), "which has changed nothing") {
			t.Errorf("it says %v", err)
		}
		if diff := cmp.Diff(empty, storagetest.Dump(t, to.url)); diff != "" {
			t.Errorf("something is left:\n%s", diff)
		}
	})
}

// A few thousand people come in seconds.
func TestManyPeopleComeInSeconds(t *testing.T) {
	t.Parallel()
	hash, err := bcrypt.GenerateFromPassword([]byte("UserPass123!"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	records := &importer.Records{Source: "gatehouse", From: "a test"}
	home := importer.Organization{ID: "20000000-0000-4000-8000-000000000001", Slug: "many", Name: "Many"}
	records.Organizations = append(records.Organizations, home)
	for i := range people {
		u := importer.User{
			ID: fmt.Sprintf("10000000-0000-4000-8000-%012d", i), Email: fmt.Sprintf("user-%d@example.com", i),
			FullName: fmt.Sprintf("User Number %d", i), Status: storage.Active, PasswordHash: string(hash),
		}
		records.Users = append(records.Users, u)
		records.Members = append(records.Members, importer.Member{
			ID: fmt.Sprintf("40000000-0000-4000-8000-%012d", i), UserID: u.ID, OrganizationID: home.ID, Role: "member",
		})
	}
	targets(t, func(t *testing.T, to target) {
		began := time.Now()
		report := to.bring(records, importer.Options{})
		took := time.Since(began)
		t.Logf("%d people in %v", people, took.Round(time.Millisecond))
		if n := report.Count("user", importer.Came); n != people || took > time.Minute {
			t.Errorf("%d of %d people came in %v", n, people, took)
		}
		kinds := slices.Sorted(maps.Keys(counts(report)))
		if len(kinds) != len(importer.Kinds) || report.Count("membership", importer.Came) != people {
			t.Errorf("counts %v", counts(report))
		}
	})
}
