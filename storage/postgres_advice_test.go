package storage_test

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"authy/storage"
	"authy/storage/storagetest"
)

// What PostgreSQL refuses at the start is told with what to do about it.
func TestWhatPostgreSQLRefusesIsToldWithWhatToDo(t *testing.T) {
	t.Parallel()
	base := storagetest.URL(t, "postgres")
	// other returns the URL with some of its parts replaced.
	other := func(change func(u *url.URL, q url.Values)) string {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		change(u, q)
		u.RawQuery = q.Encode()
		return u.String()
	}
	name := "other_" + strings.ToLower(rand.Text())
	storagetest.Exec(t, base,
		"CREATE DATABASE "+name+" ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0", "CREATE ROLE "+name+" LOGIN")
	// A table that is being made keeps a migration waiting that makes it, too.
	maker, err := pgx.Connect(t.Context(), base)
	if err != nil {
		t.Fatal(err)
	}
	defer maker.Close(context.WithoutCancel(t.Context())) //nolint:errcheck // a test's
	if _, err := maker.Exec(t.Context(), "BEGIN; CREATE TABLE users (id int)"); err != nil {
		t.Fatal(err)
	}
	for database, want := range map[string]string{
		other(func(u *url.URL, _ url.Values) { u.Path = "/" + name }):                          "encoding is SQL_ASCII, and authy needs UTF8; make another",
		other(func(u *url.URL, _ url.Values) { u.Path = "/nowhere" }):                          "make the database: CREATE DATABASE",
		other(func(u *url.URL, _ url.Values) { u.User = url.User(name) }):                      "GRANT USAGE, CREATE ON SCHEMA public TO role",
		other(func(_ *url.URL, q url.Values) { q.Set("default_transaction_read_only", "on") }): "name the primary in database.url",
		other(func(_ *url.URL, q url.Values) { q.Set("statement_timeout", "200") }):            "raise statement_timeout for the role",
	} {
		if err := startOn(t, database); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("starting on %s: %v, want %q", database, err, want)
		}
	}
}

// startOn does with a database what a server does that starts on it.
func startOn(t *testing.T, database string) error {
	t.Helper()
	db, err := storage.Open(t.Context(), storage.Options{URL: database})
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // a test's
	_, err = db.Migrate(t.Context(), storagetest.Files(t))
	return err
}
