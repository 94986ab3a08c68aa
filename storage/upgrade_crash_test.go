package storage_test

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/embed"
	"authy/storage"
	"authy/storage/storagetest"
)

// upgradeVariable makes the test binary a process that migrates a database, or copies it to
// another; it holds the URL, and after a space that of the other.
const upgradeVariable = "AUTHY_TEST_UPGRADE"

// upgradeOrCopy says when it begins, so that it can be killed in the middle.
func upgradeOrCopy(ctx context.Context, work string) error {
	from, to, isCopy := strings.Cut(work, " ")
	files, err := fs.Sub(embed.Migrations, "migrations")
	if err != nil {
		return err
	}
	db, err := storage.Open(ctx, storage.Options{URL: from, Secret: storagetest.Secret})
	if err != nil {
		return err
	}
	fmt.Println("begun")
	if !isCopy {
		_, err = db.Migrate(ctx, files)
		return err
	}
	target, err := storage.Open(ctx, storage.Options{URL: to, Secret: storagetest.Secret})
	if err != nil {
		return err
	}
	_, err = db.CopyTo(ctx, target, files, time.Now(), nil, nil)
	return err
}

// killed runs upgradeOrCopy, kills it so long after it began, and says whether that came in time
// and how long it ran.
func killed(t *testing.T, work string, after time.Duration) (inTime bool, ran time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), upgradeVariable+"="+work)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if !bufio.NewScanner(out).Scan() {
		t.Fatalf("it did not begin: %v\n%s", cmd.Wait(), said.String())
	}
	began := time.Now()
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() }) // Wait tells what came of it
	defer timer.Stop()
	err = cmd.Wait()
	if err != nil && cmd.ProcessState.Exited() {
		t.Fatalf("it failed by itself: %v\n%s", err, said.String())
	}
	return err != nil, time.Since(began)
}

// kills is how many processes are killed on each engine.
func kills() int {
	if long {
		return 50
	}
	return 5
}

// A migration that is killed leaves the schema of one of the steps, which it names, and is done
// by the next.
func TestAMigrationThatIsKilledEndsBeforeAStepOrAfterIt(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			all := steps(t)
			first := all[len(all)-8] // where the short form begins
			if long {
				first = all[0]
			}
			schemas := schemasFrom(t, engine, first)
			_, whole := killed(t, oldDatabase(t, engine, first), time.Hour)
			inTime := 0
			for range kills() {
				url := oldDatabase(t, engine, first)
				if early, _ := killed(t, url, rand.N(whole)); early {
					inTime++
				}
				checkKilled(t, url, schemas)
			}
			t.Logf("%d of %d were killed before they had ended; one takes %v", inTime, kills(), whole)
		})
	}
}

// oldDatabase is the URL of a database with rows whose newest step is named, and that nobody has
// open.
func oldDatabase(t *testing.T, engine, newest string) string {
	t.Helper()
	url := storagetest.URL(t, engine)
	db := again(t, url)
	if _, err := db.Migrate(t.Context(), filesUntil(t, newest)); err != nil {
		t.Fatal(err)
	}
	fillAny(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return url
}

// schemasFrom are the schemas after each step from first on, by its name.
func schemasFrom(t *testing.T, engine, first string) map[string][]string {
	t.Helper()
	all, schemas := steps(t), map[string][]string{}
	db := again(t, storagetest.URL(t, engine))
	for _, step := range all[slices.Index(all, first):] {
		if _, err := db.Migrate(t.Context(), filesUntil(t, step)); err != nil {
			t.Fatal(err)
		}
		schemas[step] = schema(t, db)
	}
	return schemas
}

func checkKilled(t *testing.T, url string, schemas map[string][]string) {
	t.Helper()
	db := again(t, url)
	recorded := texts(t, db, "SELECT MAX(name) FROM migrations")[0]
	if diff := cmp.Diff(schemas[recorded], schema(t, db)); diff != "" {
		t.Errorf("after a kill the newest step is %s, and the schema another (-want +got):\n%s", recorded, diff)
	}
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Errorf("migrate after a kill at %s: %v", recorded, err)
	}
	all := steps(t)
	if diff := cmp.Diff(schemas[all[len(all)-1]], schema(t, db)); diff != "" {
		t.Errorf("the schema in the end (-want +got):\n%s", diff)
	}
	for table, want := range map[string]string{"users": "2", "grants": "2", "events": "1"} {
		if got := count(t, db, table); got != want {
			t.Errorf("%s has %s rows after a kill, want %s", table, got, want)
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// filled is a database with rows in most tables, that nobody has open.
func filled(t *testing.T, engine string, users int) string {
	t.Helper()
	url := storagetest.URL(t, engine)
	storagetest.Fill(t, url, storagetest.Size{Users: users, Sessions: 2 * users, Events: 2 * users})
	db := again(t, url)
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	newWorld(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return url
}

func copyTo(t *testing.T, from, to string) *storage.Contents {
	t.Helper()
	contents, err := again(t, from).CopyTo(t.Context(), again(t, to), storagetest.Files(t), time.Now(), nil, nil)
	if err != nil {
		t.Fatalf("copy from %s to %s: %v", from, to, err)
	}
	return contents
}

func TestACopyThereAndBackIsTheSame(t *testing.T) {
	t.Parallel()
	first := filled(t, "sqlite", 50)
	there, back := storagetest.URL(t, "postgres"), storagetest.URL(t, "sqlite")
	contents := copyTo(t, first, there)
	if diff := cmp.Diff(contents, copyTo(t, there, back)); diff != "" {
		t.Errorf("what was copied there, and back (-there +back):\n%s", diff)
	}
	if diff := cmp.Diff(storagetest.Dump(t, first), storagetest.Dump(t, back)); diff != "" {
		t.Errorf("rows after the way there and back (-before +after):\n%s", diff)
	}
	if diff := cmp.Diff(schema(t, again(t, first)), schema(t, again(t, back))); diff != "" {
		t.Errorf("the schema after the way there and back (-before +after):\n%s", diff)
	}
	_, err := again(t, first).CopyTo(t.Context(), again(t, back), storagetest.Files(t), time.Now(), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a copy over what is there: %v", err)
	}
}

func TestACopyThatIsKilledIsDoneAgain(t *testing.T) {
	t.Parallel()
	for from, to := range map[string]string{"sqlite": "postgres", "postgres": "sqlite"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			source := filled(t, from, 100)
			_, whole := killed(t, source+" "+storagetest.URL(t, to), time.Hour)
			target := storagetest.URL(t, to)
			inTime := 0
			for range kills() {
				if early, _ := killed(t, source+" "+target, rand.N(whole)); !early {
					target = storagetest.URL(t, to) // it was whole
					continue
				}
				inTime++
				db := again(t, target)
				tables, err := db.Tables(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if slices.Contains(tables, "users") { // it had been put in its place already
					target = storagetest.URL(t, to)
				}
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
			copyTo(t, source, target)
			t.Logf("%d of %d were killed before they had ended; one takes %v", inTime, kills(), whole)
			if from == "sqlite" {
				return
			}
			left, err := filepath.Glob(strings.TrimPrefix(target, "sqlite://") + ".restoring*")
			if err != nil || len(left) > 0 {
				t.Errorf("left beside the target: %q, %v", left, err)
			}
		})
	}
}
