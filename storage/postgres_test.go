package storage_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// killListeners ends the connections on which nodes hear of changes.
func killListeners(t *testing.T, db *storage.DB) {
	t.Helper()
	killed := texts(t, db, `SELECT CAST(pg_terminate_backend(pid) AS TEXT) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'authy news'`)
	if len(killed) == 0 {
		t.Fatal("nobody listens")
	}
}

func TestWithoutNewsNothingIsCachedUntilTheyAreBack(t *testing.T) {
	t.Parallel()
	here, there := pair(t, "postgres")
	u := newWorld(t, here).user
	rename := func(name string) {
		next := *u
		next.FullName = name
		update(t, there, func(ctx context.Context, tx *storage.Tx) error { return tx.SaveUser(ctx, &next) })
	}
	sees := func(name string) bool {
		got, err := here.User(t.Context(), u.ID)
		return err == nil && got.FullName == name
	}
	if !sees(u.FullName) || !here.Holds(storage.UserKey+u.ID) {
		t.Fatal("the user is not cached")
	}
	killListeners(t, there)
	eventually(t, 5*time.Second, "the end of caching", func() bool { return !here.IsCaching() })
	unheard := 0
	for n := 0; !here.IsCaching(); n++ {
		rename(fmt.Sprint("unheard ", n))
		if !sees(fmt.Sprint("unheard ", n)) && !here.IsCaching() {
			t.Fatal("a change was not seen while no news could arrive")
		}
		unheard++
	}
	if unheard == 0 { // how many depends on the machine
		t.Error("no change was made while no news could arrive")
	}
	rename("heard again")
	eventually(t, time.Second, "a change after the news are back", func() bool { return sees("heard again") })
	eventually(t, time.Second, "caching after the news are back", func() bool {
		return sees("heard again") && here.Holds(storage.UserKey+u.ID)
	})
}

func TestALostConnectionIsUnavailableAndGetsWell(t *testing.T) {
	t.Parallel()
	url := storagetest.URL(t, "postgres")
	db, other := again(t, url), again(t, url)
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	err := db.Update(t.Context(), func(tx *storage.Tx) error {
		pids, err := tx.Texts(t.Context(), "SELECT CAST(pg_backend_pid() AS TEXT)")
		if err != nil {
			return err
		}
		texts(t, other, "SELECT CAST(pg_terminate_backend("+pids[0]+") AS TEXT)")
		return tx.InsertUser(t.Context(), newUser())
	})
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("a transaction whose connection was cut: %v, want ErrUnavailable", err)
	}
	u := newUser()
	update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, u) })
	if n := count(t, db, "users"); n != "1" {
		t.Errorf("%s users, want 1", n)
	}
}

func TestIdleConnectionsThatWereCutAreReplaced(t *testing.T) {
	t.Parallel()
	url := storagetest.URL(t, "postgres")
	db, other := again(t, url), again(t, url)
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	parallel(8, func(int) { count(t, db, "users") }) // so that there are several
	texts(t, other, `SELECT CAST(pg_terminate_backend(pid) AS TEXT) FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`)
	for range 10 {
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertUser(ctx, newUser()) })
		if _, err := db.UserByEmail(t.Context(), "nobody"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("a lookup after every connection was cut: %v", err)
		}
	}
}
