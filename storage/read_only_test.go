package storage_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestAServerThatTakesNoWritesIsUnavailableUntilItDoes(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	db := again(t, url)
	w := newWorld(t, db)
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(t.Context()) //nolint:errcheck // the test is over
	// A default is of connections that begin later, so those that there are have to go.
	set := func(value string) {
		t.Helper()
		for _, statement := range []string{
			"SET default_transaction_read_only = off",
			`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = ` + value +
				`', current_database()); END $$`,
			`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
				WHERE datname = current_database() AND pid <> pg_backend_pid()`,
		} {
			if _, err := admin.Exec(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	set("on")
	eventually(t, 5*time.Second, "a refusal", func() bool { return db.Ping(t.Context()) != nil })
	if err := db.Update(t.Context(), insertUser(newUser())); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a write is answered with %v, want ErrUnavailable", err)
	}
	if err := db.Ping(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Ping() = %v, want ErrUnavailable", err)
	}
	db.Forget()
	if _, err := db.User(t.Context(), w.user.ID); err != nil {
		t.Errorf("reading: %v", err)
	}
	set("off")
	eventually(t, 5*time.Second, "Ping", func() bool { return db.Ping(t.Context()) == nil })
	if err := db.Update(t.Context(), insertUser(newUser())); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
