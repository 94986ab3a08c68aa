package storagetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"authy/embed"
	"authy/storage"
)

// Migrated is [URL] for a database whose steps have been applied; who opens it migrates it all the
// same, by which it gets its secret key. The schema is made once in a process and copied, because
// making it takes longer than most tests.
func Migrated(t testing.TB, engine string) string {
	t.Helper()
	if engine == "postgres" {
		running(t) // or skip
		template, err := blankPostgres()
		if err != nil {
			t.Fatal(err)
		}
		return postgresURL(t, template)
	}
	blank, err := blankSQLite()
	if err != nil {
		t.Fatal(err)
	}
	return Copy(t, blank)
}

// Copy returns the URL of a SQLite database whose file has this content. It goes with the test.
func Copy(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "authy.db")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatalf("copy a database: %v", err)
	}
	return sqliteURL(path)
}

// Content returns what the file of a SQLite database has in it after fill has filled, and closed,
// the database with the URL that it gets.
func Content(fill func(url string) error) (content []byte, err error) {
	dir, err := os.MkdirTemp("", "authy-database-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "authy.db")
	if err := fill(sqliteURL(path)); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path + "-wal"); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s-wal is left, and what is in it would be lost", path)
	}
	return os.ReadFile(path)
}

// blankSQLite is the content of a SQLite database, blankPostgres the name of a PostgreSQL one, that
// is migrated and has nothing else in it.
var (
	blankSQLite   = sync.OnceValues(func() ([]byte, error) { return Content(migrate) })
	blankPostgres = sync.OnceValues(func() (string, error) {
		s, err := shared()
		if err != nil {
			return "", err
		}
		name, err := s.create(context.Background(), "template1")
		if err != nil {
			return "", err
		}
		return name, migrate(s.url(name))
	})
)

// migrate migrates the database that url names, and has it forget its secret key.
func migrate(url string) error {
	ctx := context.Background()
	files, err := fs.Sub(embed.Migrations, "migrations")
	if err != nil {
		return err
	}
	db, err := storage.Open(ctx, storage.Options{URL: url, Secret: Secret})
	if err != nil {
		return err
	}
	_, err = db.Migrate(ctx, files)
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	pool, err := sql.Open(engineOf(url).driver, strings.Replace(url, "sqlite:", "file:", 1))
	if err != nil {
		return err
	}
	_, err = pool.ExecContext(ctx, "DELETE FROM meta WHERE name = 'secret_key_mark'")
	return errors.Join(err, pool.Close())
}
