package gatehouse_test

import (
	"crypto/sha256"
	"database/sql"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/importer"
	"authy/server/importer/gatehouse"
	"authy/server/importer/gatehouse/gatehousetest"
	"authy/storage/storagetest"
)

func read(t *testing.T, url string) *importer.Records {
	t.Helper()
	records, err := gatehouse.Read(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestBothDatabasesReadTheSame(t *testing.T) {
	t.Parallel()
	lite, post := read(t, gatehousetest.New(t, "sqlite")), read(t, gatehousetest.New(t, "postgres"))
	lite.From, post.From = "", ""
	if diff := cmp.Diff(lite, post); diff != "" {
		t.Errorf("SQLite and PostgreSQL differ (-SQLite +PostgreSQL):\n%s", diff)
	}
	if len(lite.Users) != 12 || len(lite.Organizations) != 3 || len(lite.Members) != 11 || len(lite.Clients) != 4 {
		t.Errorf("read %d users, %d organizations, %d members, %d clients",
			len(lite.Users), len(lite.Organizations), len(lite.Members), len(lite.Clients))
	}
	carol := lite.Users[3]
	if carol.TOTP == nil || carol.TOTP.Secret != gatehousetest.CarolsSecret || len(carol.TOTP.CodeHashes) != 10 ||
		carol.CreatedAt.Nanosecond() != 123456000 {
		t.Errorf("Carol is %+v", carol)
	}
}

// Columns that other versions have otherwise: native uuid, an array, jsonb, a timestamp with a
// zone; and those that are not there.
func TestOtherColumnsReadTheSame(t *testing.T) {
	t.Parallel()
	want := read(t, gatehousetest.New(t, "sqlite"))
	got := read(t, gatehousetest.New(t, "postgres",
		`ALTER TABLE organization_members ALTER COLUMN role TYPE TEXT USING lower(role::text),
			ALTER COLUMN id TYPE UUID USING id::uuid`,
		`ALTER TABLE authentication_methods ALTER COLUMN provider_data TYPE JSONB USING provider_data::jsonb`,
		`ALTER TABLE users ALTER COLUMN created_at TYPE TIMESTAMPTZ USING created_at AT TIME ZONE 'UTC'`,
		`ALTER TABLE oidc_clients DROP COLUMN response_types`,
		`ALTER TABLE oidc_clients ALTER COLUMN scopes TYPE TEXT
			USING trim(both '[]' from replace(replace(scopes::text, '"', ''), ',', ' '))`))
	if len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "oidc_clients has no column response_types") {
		t.Errorf("notes %q", got.Notes)
	}
	for i := range want.Clients {
		want.Clients[i].ResponseTypes = nil
	}
	want.From, got.From, got.Notes = "", "", nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the records differ (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBeReadIsSaidInASentence(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, content string) string {
		t.Helper()
		if err := os.WriteFile(path(name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return "sqlite://" + path(name)
	}
	whole, err := os.ReadFile(strings.TrimPrefix(gatehousetest.New(t, "sqlite"), "sqlite://"))
	if err != nil {
		t.Fatal(err)
	}
	torn := append(append([]byte{}, whole[:8192]...), make([]byte, len(whole)-8192)...)
	postgres := gatehousetest.New(t, "postgres", "DROP TABLE oidc_clients CASCADE")
	for name, c := range map[string]struct{ url, want string }{
		"no scheme":       {"/srv/db.db", "neither sqlite:///path nor postgres://user@host/name"},
		"another scheme":  {"mysql://db/authy2", "neither sqlite:///path nor postgres://user@host/name"},
		"no file":         {"sqlite://" + path("none.db"), "there is no file " + path("none.db")},
		"a directory":     {"sqlite://" + dir, dir + " is not a file"},
		"no database":     {write("text.db", strings.Repeat("hello ", 200)), "text.db is not a SQLite database"},
		"damaged":         {write("torn.db", string(torn)), "torn.db is damaged"},
		"empty":           {write("empty.db", ""), "is not a database of Gatehouse: it has no table users"},
		"authy's own":     {storagetest.Migrated(t, "sqlite"), "it has no table authentication_methods"},
		"a table missing": {postgres, "is not whole: the table oidc_clients is missing"},
		"a column missing": {
			gatehousetest.New(t, "postgres", "ALTER TABLE users DROP COLUMN email"),
			"the table users has no column email",
		},
		"no such database": {
			strings.Replace(postgres, "/test_", "/not_", 1), "PostgreSQL",
		},
		"nobody answers": {
			"postgres://u:hunter2@127.0.0.1:1/x?connect_timeout=2", "PostgreSQL does not answer for x on 127.0.0.1",
		},
		"unreadable": {"postgres://u:hunter2@host:port/x", "the postgres:// address cannot be read"},
	} {
		_, err := gatehouse.Read(t.Context(), c.url)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
			continue
		}
		if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v shows the password, or is more than a line", name, err)
		}
	}
}

// Instants that nobody can read are named, and an authenticator does not go with them.
func TestInstantsThatCannotBeReadAreSaid(t *testing.T) {
	t.Parallel()
	got := read(t, gatehousetest.New(t, "sqlite",
		`UPDATE users SET created_at = 'last spring' WHERE email LIKE 'bob@%' OR email LIKE 'eve@%'`,
		`UPDATE authentication_methods SET totp_verified_at = '16/01/26' WHERE method_type = 'TOTP'`,
		`UPDATE authentication_methods SET verified = FALSE WHERE method_type = 'TOTP'`))
	for _, want := range []string{
		`users.created_at could not be read as a date and time in 2 rows, first "last spring"`,
		`authentication_methods.totp_verified_at could not be read`,
	} {
		if !slices.ContainsFunc(got.Notes, func(note string) bool { return strings.HasPrefix(note, want) }) {
			t.Errorf("notes %q, want %q", got.Notes, want)
		}
	}
	if got.Users[3].TOTP == nil {
		t.Error("the authenticator was left out")
	}
}

func TestADatabaseThatIsHeldIsSaidToBe(t *testing.T) {
	t.Parallel()
	url := gatehousetest.New(t, "sqlite")
	writer, err := sql.Open("sqlite", strings.TrimPrefix(url, "sqlite://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { writer.Close() }) //nolint:errcheck // only holds a lock
	if _, err := writer.ExecContext(t.Context(), "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	if _, err := gatehouse.Read(t.Context(), url); err == nil || !strings.Contains(err.Error(), "is held by another program") {
		t.Errorf("it says %v", err)
	}
}

// An address as SQLAlchemy has it names its driver.
func TestTheAddressMayBeSQLAlchemys(t *testing.T) {
	t.Parallel()
	url := gatehousetest.New(t, "postgres")
	read(t, strings.Replace(url, "postgres:", "postgresql+psycopg2:", 1))
}

func TestTheSourceIsNeverWritten(t *testing.T) {
	t.Parallel()
	url := gatehousetest.New(t, "sqlite", "PRAGMA journal_mode = WAL")
	file := strings.TrimPrefix(url, "sqlite://")
	sum := func() [32]byte {
		t.Helper()
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return sha256.Sum256(content)
	}
	before := sum()
	read(t, url)
	if sum() != before {
		t.Error("reading has changed the file")
	}
}
