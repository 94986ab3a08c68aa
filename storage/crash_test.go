package storage_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// crashVariable makes the test binary a process that writes until it is killed; it holds the URL of
// the database.
const crashVariable = "AUTHY_TEST_CRASH"

// patientVariable is the same for one that goes on after a refusal.
const patientVariable = "AUTHY_TEST_PATIENT"

func TestMain(m *testing.M) {
	if work := os.Getenv(upgradeVariable); work != "" {
		if err := upgradeOrCopy(context.Background(), work); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	for variable, write := range map[string]func(ctx context.Context, url string) error{
		crashVariable: writeForever, patientVariable: writePatiently,
	} {
		if url := os.Getenv(variable); url != "" {
			if err := write(context.Background(), url); err != nil {
				fmt.Fprintln(os.Stderr, err)
			}
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// writeForever inserts users with passwords, eight at a time, and prints the id of each that was
// acknowledged.
func writeForever(ctx context.Context, url string) error {
	db, err := storage.Open(ctx, storage.Options{URL: url, Secret: storagetest.Secret})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				u := newUser()
				u.Email = u.ID + "@example.com"
				err := db.Update(ctx, func(tx *storage.Tx) error {
					return first(tx.InsertUser(ctx, u), tx.SavePassword(ctx, &storage.Password{
						UserID: u.ID, Hash: "hash", ChangedAt: storage.At(noon),
					}))
				})
				if err == nil {
					_, err = os.Stdout.WriteString(u.ID + "\n")
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	return <-failed
}

// crash runs writeForever, kills it after a while, and returns what it had acknowledged.
func crash(t *testing.T, url string, after time.Duration) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crashVariable+"="+url)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var ids []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		ids = append(ids, lines.Text())
		if len(ids) == 1 { // it is at work
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // Wait tells what came of it
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
		t.Fatalf("the process ended by itself: %v", err)
	}
	return ids
}

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	t.Parallel()
	url := sqliteURL(filepath.Join(t.TempDir(), "authy.db"))
	db := again(t, url)
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	for round := range 5 {
		ids := crash(t, url, 50*time.Millisecond+rand.N(250*time.Millisecond))
		acknowledged = append(acknowledged, ids...)
		checkAfterCrash(t, url, round, acknowledged)
	}
	t.Logf("%d transactions were acknowledged before 5 kills", len(acknowledged))
}

func checkAfterCrash(t *testing.T, url string, round int, acknowledged []string) {
	t.Helper()
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
	if err != nil {
		t.Fatalf("round %d: open: %v", round, err)
	}
	defer db.Close() //nolint:errcheck // only read from
	if got := texts(t, db, "PRAGMA integrity_check"); got[0] != "ok" {
		t.Errorf("round %d: integrity_check = %q", round, got)
	}
	users := texts(t, db, "SELECT id FROM users ORDER BY id")
	if passwords := texts(t, db, "SELECT user_id FROM passwords ORDER BY user_id"); !slices.Equal(users, passwords) {
		t.Errorf("round %d: %d users but %d passwords: a transaction was cut in half",
			round, len(users), len(passwords))
	}
	for _, id := range acknowledged {
		if _, ok := slices.BinarySearch(users, id); !ok {
			t.Errorf("round %d: user %s was acknowledged and is lost", round, id)
		}
	}
}
