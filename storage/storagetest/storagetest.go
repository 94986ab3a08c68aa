// Package storagetest gives a test a database of its own: empty, migrated, and gone with the
// test. It knows how to get SQLite files and PostgreSQL databases; but for fill.go, which
// fills them with a million users, it refuses to know what is in them.
//
// Read this file first ([New], [Each], [URL]), then blank.go, which migrates one database
// and copies it, and postgres.go, which runs the one PostgreSQL server that the tests of a
// package share.
package storagetest

import (
	"io/fs"
	"net/url"
	"path/filepath"
	"testing"

	"authy/embed"
	"authy/storage"
	"authy/storage/kv"
)

// Secret is the secret key of test databases.
var Secret = []byte("a secret key of thirty-two bytes")

// Engines are the names of the databases that authy runs on.
var Engines = []string{"sqlite", "postgres"}

// New returns an empty, migrated SQLite database, which is closed when the test ends.
func New(t testing.TB) *storage.DB {
	t.Helper()
	return open(t, Migrated(t, "sqlite"))
}

// Memory returns a key-value store that is of this process alone.
func Memory(t testing.TB) kv.Store {
	t.Helper()
	store, err := kv.Open(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// Shared returns the key-value store of one more node on a PostgreSQL database, which is migrated.
func Shared(t testing.TB, url string) kv.Store {
	t.Helper()
	return open(t, url).Shared()
}

// Each runs fn once per engine, in parallel, each time with an empty, migrated database. Without
// PostgreSQL's programs that half is skipped, unless AUTHY_TEST_REQUIRE lists "postgres".
func Each(t *testing.T, fn func(t *testing.T, db *storage.DB)) {
	t.Helper()
	for _, engine := range Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			fn(t, open(t, Migrated(t, engine)))
		})
	}
}

// URL returns the URL of an empty database of an engine, not migrated, for a test that opens it
// itself. The database goes with the test; PostgreSQL is skipped as in [Each].
func URL(t testing.TB, engine string) string {
	t.Helper()
	switch engine {
	case "sqlite":
		return sqliteURL(filepath.Join(t.TempDir(), "authy.db"))
	case "postgres":
		return postgresURL(t, "template1")
	}
	t.Fatalf("there is no engine %q", engine)
	return ""
}

func sqliteURL(path string) string { return (&url.URL{Scheme: "sqlite", Path: path}).String() }

// Files are the migrations of authy's schema.
func Files(t testing.TB) fs.FS {
	t.Helper()
	files, err := fs.Sub(embed.Migrations, "migrations")
	if err != nil {
		t.Fatalf("find migrations: %v", err)
	}
	return files
}

func open(t testing.TB, url string) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: Secret})
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close %s: %v", url, err)
		}
	})
	if _, err := db.Migrate(t.Context(), Files(t)); err != nil {
		t.Fatalf("migrate %s: %v", url, err)
	}
	return db
}
