package storage_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

// archived is what an archive of the database is.
func archived(t *testing.T, db *storage.DB) ([]byte, *storage.Contents) {
	t.Helper()
	var out bytes.Buffer
	contents, err := db.WriteArchive(t.Context(), storagetest.Files(t), &out)
	if err != nil {
		t.Fatalf("WriteArchive: %v", err)
	}
	return out.Bytes(), contents
}

// openAt opens a database as it is.
func openAt(t *testing.T, url string) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// replace puts what is in an archive in the place of a database.
func replace(t *testing.T, url string, files fs.FS, archive []byte) (aside string, err error) {
	t.Helper()
	db := openAt(t, url)
	r, err := db.Replace(t.Context(), files)
	if err != nil {
		t.Fatalf("Replace: %v", err)
	}
	defer func() {
		if err := r.Discard(); err != nil {
			t.Errorf("Discard: %v", err)
		}
	}()
	if _, err := r.Load(t.Context(), storagetest.Secret, bytes.NewReader(archive)); err != nil {
		return "", err
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return r.Publish(t.Context(), time.Now())
}

func userCalled(email string) *storage.User {
	u := newUser()
	u.Email = email
	return u
}

// oddities are values that do not survive everywhere.
func oddities(t *testing.T, db *storage.DB) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *storage.Tx) error {
		u := userCalled("odd@example.com")
		u.FullName = "\u2028 <é> \\ \"\n\t\r 'x' \U0001F600 \\N \\. null"
		u.IsAdmin, u.GivenName = true, strings.Repeat("ü", 10_000)
		if err := tx.InsertUser(t.Context(), u); err != nil {
			return err
		}
		return tx.InsertUser(t.Context(), userCalled("plain@example.com"))
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnArchiveIsTheSameOnBothDatabases(t *testing.T) {
	t.Parallel()
	lite := storagetest.Migrated(t, "sqlite")
	storagetest.Fill(t, lite, storagetest.Size{Users: 30, Sessions: 40, Events: 50, PasswordHash: "x"})
	source := openAt(t, lite)
	if _, err := source.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	oddities(t, source)
	first, contents := archived(t, source)
	if contents.Rows() < 500 {
		t.Fatalf("the archive has %d rows, want a filled database", contents.Rows())
	}

	elephant := storagetest.Migrated(t, "postgres")
	aside, err := replace(t, elephant, storagetest.Files(t), first)
	if err != nil || !strings.HasPrefix(aside, "schema authy_before_restore_") {
		t.Fatalf("load into PostgreSQL: %q, %v", aside, err)
	}
	second, onPostgres := archived(t, openAt(t, elephant))
	if diff := cmp.Diff(contents, onPostgres); diff != "" {
		t.Errorf("contents on PostgreSQL (-SQLite +PostgreSQL):\n%s", diff)
	}

	back := storagetest.Migrated(t, "sqlite")
	if _, err := replace(t, back, storagetest.Files(t), second); err != nil {
		t.Fatalf("load into SQLite: %v", err)
	}
	if diff := cmp.Diff(storagetest.Dump(t, lite), storagetest.Dump(t, back)); diff != "" {
		t.Errorf("rows after the way there and back:\n%s", diff)
	}
}

func TestADatabaseThatIsReplacedIsSetAside(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			full := storagetest.New(t)
			oddities(t, full)
			archive, contents := archived(t, full)
			url := storagetest.Migrated(t, engine)
			aside, err := replace(t, url, storagetest.Files(t), archive)
			if err != nil || aside == "" {
				t.Fatalf("replace: %q, %v", aside, err)
			}
			// Again, over what is not empty any more.
			later := openAt(t, url)
			if _, err := later.Migrate(t.Context(), storagetest.Files(t)); err != nil {
				t.Fatalf("migrate what was loaded: %v", err)
			}
			_, found := archived(t, later)
			if diff := cmp.Diff(contents, found); diff != "" {
				t.Errorf("contents (-archive +database):\n%s", diff)
			}
			if engine == "sqlite" {
				if diff := cmp.Diff(0, len(storagetest.Dump(t, "sqlite:"+aside)["users"])); diff != "" {
					t.Errorf("users of the old database: %s", diff)
				}
			}
		})
	}
}

func TestAnArchiveOfAnOlderSchemaIsMovedForward(t *testing.T) {
	t.Parallel()
	old := storagetest.New(t)
	oddities(t, old)
	archive, contents := archived(t, old)
	const up = "ALTER TABLE users ADD COLUMN nexts TEXT NOT NULL DEFAULT 'new';\n" +
		"UPDATE users SET nexts = email;\n"
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.URL(t, engine)
			if _, err := replace(t, url, withStep(t, up), archive); err != nil {
				t.Fatal(err)
			}
			_, found := archived(t, openAt(t, url))
			if want := append(contents.Steps, nextStep); !cmp.Equal(found.Steps, want) {
				t.Errorf("the newest step is %s, want %s", found.Newest(), nextStep)
			}
			for _, row := range storagetest.Dump(t, url)["users"] {
				if !strings.Contains(row, "nexts=odd@") && !strings.Contains(row, "nexts=plain@") {
					t.Errorf("a user was not moved forward: %.200s", row)
				}
			}
		})
	}
}

func TestAnArchiveOfANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	newer := openAt(t, storagetest.URL(t, "sqlite"))
	if _, err := newer.Migrate(t.Context(), withStep(t, correctUp)); err != nil {
		t.Fatal(err)
	}
	archive, _ := archived(t, newer)
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.Migrated(t, engine)
			before := storagetest.Dump(t, url)
			_, err := replace(t, url, storagetest.Files(t), archive)
			if err == nil || !strings.Contains(err.Error(), nextStep) {
				t.Errorf("replace = %v, want that %s is not known", err, nextStep)
			}
			if diff := cmp.Diff(before, storagetest.Dump(t, url)); diff != "" {
				t.Errorf("the database was changed:\n%s", diff)
			}
		})
	}
}

func TestADamagedArchiveIsRefused(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	oddities(t, db)
	archive, _ := archived(t, db)
	if _, _, err := storage.CheckArchive(bytes.NewReader(archive)); err != nil {
		t.Fatalf("CheckArchive of what is whole: %v", err)
	}
	for at := 0; at < len(archive); at += len(archive) / 40 {
		if _, _, err := storage.CheckArchive(bytes.NewReader(archive[:at])); !errors.Is(err, storage.ErrArchive) {
			t.Fatalf("CheckArchive of %d bytes of %d = %v, want ErrArchive", at, len(archive), err)
		}
	}
	lines := bytes.SplitAfter(archive, []byte("\n"))
	for i := range lines[:len(lines)-1] {
		cut := bytes.Join(append(append([][]byte{}, lines[:i]...), lines[i+1:]...), nil)
		if _, _, err := storage.CheckArchive(bytes.NewReader(cut)); !errors.Is(err, storage.ErrArchive) {
			t.Fatalf("CheckArchive without line %d = %v, want ErrArchive; it is %.100s", i, err, lines[i])
		}
	}
}

func TestADatabaseIsAsItWasAfterAFailedLoad(t *testing.T) {
	t.Parallel()
	source := storagetest.New(t)
	oddities(t, source)
	archive, _ := archived(t, source)
	short := archive[:len(archive)*9/10]
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.Migrated(t, engine)
			before := storagetest.Dump(t, url)
			if _, err := replace(t, url, storagetest.Files(t), short); !errors.Is(err, storage.ErrArchive) {
				t.Errorf("replace = %v, want ErrArchive", err)
			}
			if diff := cmp.Diff(before, storagetest.Dump(t, url)); diff != "" {
				t.Errorf("the database was changed:\n%s", diff)
			}
			if engine == "sqlite" {
				path := strings.TrimPrefix(url, "sqlite://")
				left, err := filepath.Glob(path + ".*")
				if err != nil || len(left) > 0 {
					t.Errorf("left beside the database: %q, %v", left, err)
				}
			}
		})
	}
}

// Restores, ways back, copies and rehearsals are made in one place, by one process at a time.
func TestThereIsOneReplacementAtATime(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			url := storagetest.Migrated(t, engine)
			here, there := again(t, url), again(t, url)
			newWorld(t, here)
			archive, _ := archived(t, here)
			r, err := here.Replace(t.Context(), storagetest.Files(t))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.Load(t.Context(), storagetest.Secret, bytes.NewReader(archive)); err != nil {
				t.Fatal(err)
			}
			const want = "another restore, rollback, copy or dry run is under way"
			if _, err := there.Replace(t.Context(), storagetest.Files(t)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("a replacement beside another: %v, want %q", err, want)
			}
			if _, err := there.Rehearse(t.Context(), withStep(t, correctUp), nil); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("a rehearsal beside a replacement: %v, want %q", err, want)
			}
			if users := texts(t, r.DB, "SELECT id FROM users"); len(users) != 1 {
				t.Errorf("the replacement has the users %q, want the one that was loaded", users)
			}
			for range 2 {
				if err := r.Discard(); err != nil {
					t.Errorf("Discard: %v", err)
				}
			}
			if rehearsal, err := there.Rehearse(t.Context(), withStep(t, correctUp), nil); err != nil || len(rehearsal.Lost()) > 0 {
				t.Errorf("a rehearsal after the end of the replacement: %+v, %v", rehearsal, err)
			}
		})
	}
}

// A schema of PostgreSQL may have tables of another program, which stay where they are.
func TestTablesOfOthersStayWhereTheyAre(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	db := openAt(t, url)
	newWorld(t, db)
	archive, _ := archived(t, db)
	execute(t, db, "CREATE TABLE theirs (n INTEGER)", "INSERT INTO theirs VALUES (7)")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	aside, err := replace(t, url, storagetest.Files(t), archive)
	if err != nil || aside == "" {
		t.Fatalf("replace: %q, %v", aside, err)
	}
	db = openAt(t, url)
	if rows := texts(t, db, "SELECT CAST(n AS TEXT) FROM theirs"); len(rows) != 1 {
		t.Errorf("the table of another program has %q, want the row that it had", rows)
	}
	moved := texts(t, db, "SELECT tablename FROM pg_tables WHERE schemaname = '"+strings.TrimPrefix(aside, "schema ")+"' ORDER BY 1")
	present, err := db.Tables(t.Context())
	present = slices.DeleteFunc(present, func(name string) bool { return name == "theirs" })
	if diff := cmp.Diff(present, moved); diff != "" || err != nil {
		t.Errorf("tables set aside: %v (-authy's +set aside):\n%s", err, diff)
	}
}

func TestWhatWasNotLoadedIsNotPublished(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "postgres")
	db := openAt(t, url)
	newWorld(t, db)
	archive, _ := archived(t, db)
	before := storagetest.Dump(t, url)
	r, err := db.Replace(t.Context(), storagetest.Files(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Discard() })
	if _, err := r.Load(t.Context(), storagetest.Secret, bytes.NewReader(archive)); err != nil {
		t.Fatal(err)
	}
	// As an older authy does, which knows of no lock.
	execute(t, db, "DROP SCHEMA authy_restoring CASCADE", "CREATE SCHEMA authy_restoring",
		"CREATE TABLE authy_restoring.users (id TEXT)")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	aside, err := r.Publish(t.Context(), time.Now())
	if err == nil || !strings.Contains(err.Error(), "made anew") {
		t.Errorf("Publish() = %q, %v, want that the schema was made anew", aside, err)
	}
	if diff := cmp.Diff(before, storagetest.Dump(t, url)); diff != "" {
		t.Errorf("the database was changed:\n%s", diff)
	}
}

// What somebody else has put into the database is in no copy, and keeps none from being restored.
func TestAnArchiveHasWhatIsAuthysAlone(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		newWorld(t, db)
		_, before := archived(t, db)
		execute(t, db, "CREATE TABLE users_bak AS SELECT * FROM users", "ALTER TABLE users ADD COLUMN dept TEXT",
			`CREATE TABLE "Odd things" (at TIMESTAMP, n NUMERIC)`, `INSERT INTO "Odd things" VALUES (NULL, 1.5)`)
		archive, after := archived(t, db)
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("contents beside what is somebody else's (-without +with):\n%s", diff)
		}
		if _, err := replace(t, storagetest.URL(t, "sqlite"), storagetest.Files(t), archive); err != nil {
			t.Errorf("restore it: %v", err)
		}
		r, err := db.Rehearse(t.Context(), withStep(t, correctUp), nil)
		if err != nil || len(r.Lost()) > 0 {
			t.Errorf("rehearse a migration: %+v, %v", r, err)
		}
	})
}

func TestAnArchiveOfLessThanASchemaIsRefused(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for statement, want := range map[string]string{
			"ALTER TABLE passwords RENAME COLUMN hash TO was": "column hash of table passwords",
			"ALTER TABLE consents RENAME TO gone":             "table consents",
		} {
			execute(t, db, statement)
			_, err := db.WriteArchive(t.Context(), storagetest.Files(t), io.Discard)
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("WriteArchive() after %s = %v, want that %s is not there", statement, err, want)
			}
			execute(t, db, strings.NewReplacer("hash TO was", "was TO hash", "consents RENAME TO gone", "gone RENAME TO consents").Replace(statement))
		}
		archived(t, db)
	})
}

func TestAnArchiveWhoseRowsReferToNothingIsRefused(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "sqlite")
	db := openAt(t, url)
	storagetest.Exec(t, url, "PRAGMA foreign_keys = 0; INSERT INTO passwords (user_id, hash, changed_at) VALUES ('nobody', 'x', 1)")
	_, err := db.WriteArchive(t.Context(), storagetest.Files(t), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "table passwords refers to one of users") {
		t.Errorf("WriteArchive() = %v, want that a row refers to nothing", err)
	}
	if err != nil {
		_, statement, _ := strings.Cut(strings.TrimSuffix(err.Error(), ")"), "(")
		storagetest.Exec(t, url, statement)
	}
	archived(t, db)
}

func TestAnArchiveShowsOneMoment(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		// Two rows that are written together are both in an archive, or neither.
		var acknowledged atomic.Int64
		stop, done := make(chan struct{}), make(chan error, 1)
		go func() {
			for {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				err := db.Update(t.Context(), func(tx *storage.Tx) error {
					u := newUser()
					if err := tx.InsertUser(t.Context(), u); err != nil {
						return err
					}
					return tx.InsertEvent(t.Context(), &storage.Event{
						ID: storage.NewID(), At: storage.At(time.Now()), Action: "user.register", TargetID: u.ID,
					})
				})
				if err != nil {
					done <- err
					return
				}
				acknowledged.Add(1)
			}
		}()
		grown := map[int64]bool{}
		for len(grown) < 3 {
			before := acknowledged.Load()
			_, contents := archived(t, db)
			rows := map[string]int64{}
			for _, table := range contents.Tables {
				rows[table.Name] = table.Rows
			}
			if rows["users"] != rows["events"] {
				t.Errorf("an archive has %d users and %d of their events", rows["users"], rows["events"])
			}
			if rows["users"] < before {
				t.Errorf("an archive has %d users of %d that were acknowledged before", rows["users"], before)
			}
			grown[rows["users"]] = true
		}
		close(stop)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
