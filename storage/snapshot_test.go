package storage_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

// withNet opens a database that keeps snapshots in a directory, which it returns.
func withNet(t *testing.T, url string) (db *storage.DB, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "snapshots")
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret, Snapshots: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() }) // some tests have closed it
	return db, dir
}

// newestSnapshot is the path of the one snapshot that there must be, of so many.
func newestSnapshot(t *testing.T, dir string, want int) string {
	t.Helper()
	found, err := storage.Snapshots(dir)
	if err != nil || len(found) != want {
		t.Fatalf("Snapshots() = %v, %v, want %d", found, err, want)
	}
	path := filepath.Join(dir, found[0].Name)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || info.Size() != found[0].Bytes {
		t.Errorf("%s: %v, %v, want mode 0600", path, info.Mode(), err)
	}
	return path
}

func TestTheWayBackIsToWhatWasBeforeTheMigration(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		for _, newest := range prefixes(t) {
			t.Run(engine+"/"+newest, func(t *testing.T) {
				t.Parallel()
				url := storagetest.URL(t, engine)
				db, dir := withNet(t, url)
				if _, err := db.Migrate(t.Context(), filesUntil(t, newest)); err != nil {
					t.Fatal(err)
				}
				newestOf, err := storage.Snapshots(dir)
				if err != nil || len(newestOf) > 0 {
					t.Errorf("snapshots of a new database: %v, %v", newestOf, err)
				}
				fillAny(t, db)
				// The table holds says since when it is there, and is in no snapshot.
				rows, shape := storagetest.Dump(t, url, "holds"), schema(t, db)
				if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
					t.Fatal(err)
				}
				execute(t, db, "DELETE FROM passwords")
				path := newestSnapshot(t, dir, 1)
				if number, _, _ := strings.Cut(newest, "_"); !strings.Contains(path, "-"+number+".") {
					t.Errorf("the snapshot is called %s, want it to name %s", path, number)
				}
				gone, err := db.GoBack(t.Context(), storagetest.Files(t), path, true, time.Now(), nil)
				if err != nil || gone.Aside == "" || gone.Contents.Newest() != newest {
					t.Fatalf("GoBack() = %+v, %v", gone, err)
				}
				if diff := cmp.Diff(rows, storagetest.Dump(t, url, "holds")); diff != "" {
					t.Errorf("rows after the way back (-before +after):\n%s", diff)
				}
				back := again(t, url)
				if diff := cmp.Diff(shape, schema(t, back)); diff != "" {
					t.Errorf("the schema after the way back (-before +after):\n%s", diff)
				}
				if err := back.Close(); err != nil {
					t.Fatal(err)
				}
				gone, err = again(t, url).GoBack(t.Context(), storagetest.Files(t), path, false, time.Now(), nil)
				if err != nil || gone.Ended != 3 { // a session, and two grants
					t.Fatalf("GoBack() that ends what was handed out = %+v, %v", gone, err)
				}
				back = again(t, url)
				if alive := texts(t, back, "SELECT id FROM sessions WHERE revoked_at IS NULL"); len(alive) > 0 {
					t.Errorf("sessions that may have been ended since: %q", alive)
				}
				if _, err := back.Migrate(t.Context(), storagetest.Files(t)); err != nil {
					t.Errorf("the way forward again: %v", err)
				}
			})
		}
	}
}

func TestOnlyTheLastSnapshotsAreKept(t *testing.T) {
	t.Parallel()
	db, dir := withNet(t, storagetest.Migrated(t, "sqlite"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"20260101T000000.000Z-1.jsonl.gz", "20260102T000000.000Z-2.jsonl.gz", "20260103T000000.000Z-3.jsonl.gz",
		"20260104T000000.000Z-3.jsonl.gz", "20260104T000000.000Z-1.jsonl.gz.part", "mine.jsonl.gz",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.Migrate(t.Context(), withStep(t, correctUp)); err != nil {
		t.Fatal(err)
	}
	newestSnapshot(t, dir, 3)
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 4 || !strings.HasSuffix(left[0], "20260102T000000.000Z-2.jsonl.gz") ||
		!strings.HasSuffix(left[1], "20260104T000000.000Z-3.jsonl.gz") {
		t.Errorf("left are %q, %v, want the newest of three schemas and what is somebody else's", left, err)
	}
}

// However often a migration fails half way, the snapshot of what was before it is there, and is
// the newest.
func TestAMigrationThatFailsAgainAndAgainKeepsTheWayBack(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.Migrated(t, engine)
			db, dir := withNet(t, url)
			newWorld(t, db)
			rows := storagetest.Dump(t, url, "holds", "meta") // the mark of the secret key is new
			files := withStep(t, correctUp).(fstest.MapFS)
			var path string
			for i := range 6 { // each start gets one step further, or none
				files[fmt.Sprintf("2999010100000%d_more.tx.up.sql", 1+i/2)] = &fstest.MapFile{Data: []byte(
					fmt.Sprintf("CREATE TABLE more_%d (id TEXT);\n", i/2))}
				files["29990102000000_broken.tx.up.sql"] = &fstest.MapFile{Data: []byte(brokenUp)}
				if _, err := db.Migrate(t.Context(), files); err == nil || !strings.Contains(err.Error(), "broken") {
					t.Fatalf("Migrate() = %v, want that a step is broken", err)
				}
				if found := newestSnapshot(t, dir, 1); path != "" && found != path {
					t.Fatalf("start %d: the snapshot is %s, want %s, of before the migration", i, found, path)
				}
				path = newestSnapshot(t, dir, 1)
			}
			back, err := db.GoBack(t.Context(), storagetest.Files(t), path, true, time.Now(), nil)
			if err != nil {
				t.Fatalf("GoBack() = %+v, %v", back, err)
			}
			if diff := cmp.Diff(rows, storagetest.Dump(t, url, "holds", "meta")); diff != "" {
				t.Errorf("rows after the way back (-before +after):\n%s", diff)
			}
		})
	}
}

// A migration that was given up, by the way back or by another that came to its end, has no
// part in the next one, which has a snapshot of its own.
func TestTheNextMigrationHasASnapshotOfItsOwn(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "sqlite")
	db, dir := withNet(t, url)
	files := withStep(t, correctUp).(fstest.MapFS)
	files["29990102000000_broken.tx.up.sql"] = &fstest.MapFile{Data: []byte(brokenUp)}
	if _, err := db.Migrate(t.Context(), files); err == nil {
		t.Fatal("a broken step was applied")
	}
	first := newestSnapshot(t, dir, 1)
	if _, err := db.GoBack(t.Context(), storagetest.Files(t), first, true, time.Now(), nil); err != nil {
		t.Fatal(err)
	}
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret, Snapshots: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context(), files); err == nil {
		t.Fatal("a broken step was applied")
	}
	if second := newestSnapshot(t, dir, 1); second == first {
		t.Errorf("after the way back the snapshot is %s still, want one of its own", second)
	}
	delete(files, "29990102000000_broken.tx.up.sql")
	files["29990103000000_right.tx.up.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE right_one (id TEXT);\n")}
	if _, err := db.Migrate(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	newestSnapshot(t, dir, 1)
	files["29990104000000_later.tx.up.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE later (id TEXT);\n")}
	if _, err := db.Migrate(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	if found := newestSnapshot(t, dir, 2); !strings.Contains(found, "-29990103000000.") {
		t.Errorf("the newest snapshot is %s, want one of 29990103000000", found)
	}
}

func TestWhatKilledSnapshotsLeftIsRemovedFirst(t *testing.T) {
	t.Parallel()
	db, dir := withNet(t, storagetest.Migrated(t, "sqlite"))
	left := filepath.Join(dir, "20260104T000000.000Z-1.jsonl.gz.part")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(left, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	db.Swell(1 << 60)
	if _, err := db.Migrate(t.Context(), withStep(t, correctUp)); !errors.Is(err, storage.ErrNoRoom) {
		t.Errorf("Migrate() = %v, want ErrNoRoom", err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v, want that it is gone", left, err)
	}
}

func TestWithoutASnapshotNothingIsMigrated(t *testing.T) {
	t.Parallel()
	eachURL(t, func(t *testing.T, url string) {
		db, dir := withNet(t, url)
		if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
			t.Fatal(err)
		}
		before := schema(t, db)
		if err := os.WriteFile(dir, nil, 0o600); err != nil { // where the directory should be
			t.Fatal(err)
		}
		if _, err := db.Migrate(t.Context(), withStep(t, correctUp)); err == nil || !strings.Contains(err.Error(), "snapshot") {
			t.Errorf("Migrate() = %v, want that there is no snapshot", err)
		}
		if diff := cmp.Diff(before, schema(t, db)); diff != "" {
			t.Errorf("the schema was changed:\n%s", diff)
		}
	})
}

func TestADiskWithoutRoomForASnapshotIsFoundOutBefore(t *testing.T) {
	t.Parallel()
	db, dir := withNet(t, storagetest.Migrated(t, "sqlite"))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := db.CheckRoom(t.Context()); err != nil {
		t.Errorf("CheckRoom() = %v, want room for a small database", err)
	}
	db.Swell(1 << 60)
	err := db.CheckRoom(t.Context())
	if !errors.Is(err, storage.ErrNoRoom) || !strings.Contains(err.Error(), dir) {
		t.Errorf("CheckRoom() of an exabyte = %v, want ErrNoRoom that names %s", err, dir)
	}
	_, err = db.Migrate(t.Context(), withStep(t, correctUp))
	if !errors.Is(err, storage.ErrNoRoom) {
		t.Errorf("Migrate() = %v, want ErrNoRoom", err)
	}
	if found := texts(t, db, "SELECT name FROM sqlite_master WHERE name = 'nexts'"); len(found) > 0 {
		t.Error("it was migrated all the same")
	}
}

func TestADamagedSnapshotIsRefused(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.Migrated(t, engine)
			db, dir := withNet(t, url)
			newWorld(t, db)
			if _, err := db.Migrate(t.Context(), withStep(t, correctUp)); err != nil {
				t.Fatal(err)
			}
			whole, err := os.ReadFile(newestSnapshot(t, dir, 1))
			if err != nil {
				t.Fatal(err)
			}
			before := storagetest.Dump(t, url)
			flipped := bytes.Clone(whole)
			flipped[len(flipped)/2] ^= 1
			for name, content := range map[string][]byte{
				"empty": nil, "cut": whole[:len(whole)-3], "half": whole[:len(whole)/2], "flipped": flipped,
				"another file": []byte("hello"),
			} {
				path := filepath.Join(t.TempDir(), "snapshot")
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := db.GoBack(t.Context(), storagetest.Files(t), path, false, time.Now(), nil); !errors.Is(err, storage.ErrArchive) {
					t.Errorf("GoBack(%s) = %v, want ErrArchive", name, err)
				}
			}
			if diff := cmp.Diff(before, storagetest.Dump(t, url)); diff != "" {
				t.Errorf("rows after refusals:\n%s", diff)
			}
		})
	}
}

func TestARehearsalChangesNothing(t *testing.T) {
	t.Parallel()
	const losing = "DELETE FROM consents;\nUPDATE users SET full_name = 'X';\nINSERT INTO revoked_tokens (id, expires_at) VALUES ('new', 1);\n"
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.Migrated(t, engine)
			db := again(t, url)
			newWorld(t, db)
			if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
				t.Fatal(err)
			}
			before, shape := storagetest.Dump(t, url), schema(t, db)
			var told int64
			r, err := db.Rehearse(t.Context(), withStep(t, losing), func(rows, _ int64) { told = rows })
			if err != nil || len(r.Steps) != 1 || r.Steps[0].Name != nextStep || r.Steps[0].Took <= 0 || told == 0 {
				t.Fatalf("Rehearse() = %+v, %v, told of %d rows", r, err, told)
			}
			if diff := cmp.Diff([]string{"consents"}, r.Lost()); diff != "" {
				t.Errorf("tables that lose rows (-want +got):\n%s", diff)
			}
			for _, table := range r.Tables {
				changes := map[string]bool{"consents": true, "users": true, "revoked_tokens": true}
				if table.Same == changes[table.Name] {
					t.Errorf("%s: %+v", table.Name, table)
				}
			}
			if _, err := db.Rehearse(t.Context(), withStep(t, brokenUp), nil); err == nil || !strings.Contains(err.Error(), nextStep) {
				t.Errorf("Rehearse() of a broken step = %v", err)
			}
			if diff := cmp.Diff(before, storagetest.Dump(t, url)); diff != "" {
				t.Errorf("rows after rehearsals:\n%s", diff)
			}
			if diff := cmp.Diff(shape, schema(t, db)); diff != "" {
				t.Errorf("the schema after rehearsals:\n%s", diff)
			}
		})
	}
}

func TestARehearsalGoesBesideWriters(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		newWorld(t, db)
		ctx, stop := context.WithCancel(t.Context())
		written := make(chan error, 1)
		go func() {
			for ctx.Err() == nil {
				if err := db.Update(t.Context(), func(tx *storage.Tx) error { return tx.InsertUser(t.Context(), newUser()) }); err != nil {
					written <- err
					return
				}
			}
			written <- nil
		}()
		r, err := db.Rehearse(t.Context(), withStep(t, correctUp), nil)
		stop()
		if err != nil || len(r.Lost()) > 0 {
			t.Errorf("Rehearse() = %+v, %v", r, err)
		}
		if err := <-written; err != nil {
			t.Errorf("a write beside it: %v", err)
		}
	})
}
