package storagetest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// endVariable makes the test binary a process that ends without a word, as a killed one does.
const endVariable = "AUTHY_TEST_END"

func TestEachGivesBothEnginesAnEmptyDatabase(t *testing.T) {
	t.Parallel()
	var ran atomic.Int64
	t.Run("engines", func(t *testing.T) {
		for range 2 { // the second finds nothing of the first
			storagetest.Each(t, func(t *testing.T, db *storage.DB) {
				ran.Add(1)
				if users, err := db.Users(t.Context(), storage.UserFilter{}, "", 1); len(users) > 0 || err != nil {
					t.Errorf("Users() = %v, %v, want none", users, err)
				}
				err := db.Update(t.Context(), func(tx *storage.Tx) error {
					return tx.InsertUser(t.Context(), &storage.User{
						ID: storage.NewID(), Email: "a@example.com", Status: storage.Active,
						CreatedAt: storage.At(time.Now()), UpdatedAt: storage.At(time.Now()),
					})
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	})
	if n := ran.Load(); n < 2 {
		t.Errorf("%d tests ran, want at least those on SQLite", n)
	}
}

func TestURLIsOfADatabaseThatIsNotMigrated(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			o := storage.Options{URL: storagetest.URL(t, engine), Secret: storagetest.Secret}
			db, err := storage.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close() //nolint:errcheck // only read from
			steps, err := db.Migrations(t.Context(), storagetest.Files(t))
			if err != nil || len(steps) == 0 || !steps[0].AppliedAt.IsZero() {
				t.Errorf("Migrations() = %v, %v, want steps that wait", steps, err)
			}
		})
	}
}

func TestTheServerEndsWithItsTests(t *testing.T) {
	t.Parallel()
	if os.Getenv(endVariable) != "" {
		if _, err := os.Stdout.WriteString("URL " + storagetest.URL(t, "postgres") + "\n"); err != nil {
			t.Fatal(err)
		}
		os.Exit(3)
	}
	storagetest.URL(t, "postgres") // or skip
	cmd := exec.Command(os.Args[0], "-test.run=^TestTheServerEndsWithItsTests$")
	cmd.Env = append(os.Environ(), endVariable+"=1")
	out, err := cmd.Output()
	_, url, found := strings.Cut(string(out), "URL ")
	if !found {
		t.Fatalf("the process said %q, %v", out, err)
	}
	_, host, _ := strings.Cut(strings.TrimSpace(url), "?host=")
	dir := strings.ReplaceAll(host, "%2F", "/")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		if _, err := os.Stat(dir); os.IsNotExist(err) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is still there", dir)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
