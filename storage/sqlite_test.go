package storage_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"authy/storage"
	"authy/storage/storagetest"
)

func sqliteURL(path string) string { return (&url.URL{Scheme: "sqlite", Path: path}).String() }

func TestTheWriterIsDurable(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	update(t, db, func(ctx context.Context, tx *storage.Tx) error {
		for pragma, want := range map[string]string{
			"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "trusted_schema": "0",
		} {
			got, err := tx.Texts(ctx, "PRAGMA "+pragma)
			if err != nil || len(got) != 1 || got[0] != want {
				t.Errorf("PRAGMA %s = %q, %v, want %s", pragma, got, err, want)
			}
		}
		return nil
	})
}

func TestALookUpDoesNotMindThatItsCallerGoes(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	w := newWorld(t, db)
	update(t, db, func(ctx context.Context, tx *storage.Tx) error {
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := tx.User(gone, w.user.ID); err != nil {
			t.Errorf("in a transaction: %v", err)
		}
		return tx.InsertUser(ctx, newUser())
	})
	if n := count(t, db, "users"); n != "2" {
		t.Errorf("%s users, want 2", n)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	t.Parallel()
	db := storagetest.New(t)
	if err := db.Exec(t.Context(), "DELETE FROM meta"); err == nil {
		t.Error("a connection for reading deleted rows")
	}
	if n := count(t, db, "meta"); n != "1" {
		t.Errorf("%s facts, want 1", n)
	}
}

func TestTheDatabaseIsForItsOwnerOnly(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "authy.db")
	db := again(t, sqliteURL(path))
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			t.Error(err)
			continue
		}
		if mode := info.Mode(); mode != 0o600 {
			t.Errorf("%s has mode %v, want 0600", filepath.Base(name), mode)
		}
	}
}

func TestADatabaseThatOthersCanReadIsRefused(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o640, 0o604, 0o620, 0o602, 0o666} {
		path := filepath.Join(t.TempDir(), "authy.db")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := storage.Open(t.Context(), storage.Options{URL: sqliteURL(path), Secret: storagetest.Secret})
		if err == nil || !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("Open() of mode %04o = %v, want a refusal that says what to do", mode, err)
		}
	}
}

func TestWhatIsNoDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, text, filepath.Join(dir, "missing", "authy.db")} {
		db, err := storage.Open(t.Context(), storage.Options{URL: sqliteURL(path), Secret: storagetest.Secret})
		if err == nil {
			t.Errorf("Open(%s) succeeded", path)
			_ = db.Close() // the test has failed already
		}
	}
}

func TestAPathMayHoldOddCharacters(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a b.db", "a%41b.db", "a?b=c&d.db", "a#b.db", "ü🦊.db", "a+b;c.db", "a'b\"c.db"} {
		path := filepath.Join(t.TempDir(), name)
		db := again(t, sqliteURL(path))
		if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
		if err != nil || len(files) != 3 || files[0] != path {
			t.Errorf("%s: the files are %q, %v, want the database and its two journals", name, files, err)
		}
	}
}

func TestARelativePathIsOfTheWorkingDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for url, name := range map[string]string{
		"sqlite://a.db": "a.db", "sqlite:b.db": "b.db", "sqlite:///./c.db": "c.db", "sqlite://./d.db": "d.db",
	} {
		db := again(t, url)
		if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestSeveralProcessesMayOpenANewFileAtOnce(t *testing.T) {
	t.Parallel()
	for range 5 {
		path := filepath.Join(t.TempDir(), "authy.db")
		parallel(8, func(int) {
			db, err := storage.Open(t.Context(), storage.Options{URL: sqliteURL(path), Secret: storagetest.Secret})
			if err != nil {
				t.Errorf("Open() = %v", err)
				return
			}
			if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
				t.Errorf("Migrate() = %v", err)
			}
			if err := db.Close(); err != nil {
				t.Errorf("Close() = %v", err)
			}
		})
	}
}

func TestTwoProcessesMayWriteAtOnce(t *testing.T) {
	t.Parallel()
	here, there := pair(t, "sqlite")
	const each = 200
	var wg sync.WaitGroup
	for _, db := range []*storage.DB{here, there} {
		for range 4 {
			wg.Go(func() {
				for range each / 4 {
					if err := db.Update(t.Context(), insertUser(newUser())); err != nil {
						t.Errorf("insert beside another process: %v", err)
					}
				}
			})
		}
	}
	wg.Wait()
	if n := count(t, here, "users"); n != fmt.Sprint(2*each) {
		t.Errorf("%s users, want %d", n, 2*each)
	}
	if ok := texts(t, there, "PRAGMA integrity_check"); ok[0] != "ok" {
		t.Errorf("integrity_check = %q", ok)
	}
}

func TestAClosedDatabaseHoldsNoFiles(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/fd"); err != nil {
		t.Skip("open files are listed on Linux alone: ", err)
	}
	path := filepath.Join(t.TempDir(), "authy.db")
	open := func() (n int) {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, path) {
				n++
			}
		}
		return n
	}
	db := again(t, sqliteURL(path))
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, db)
	var wg sync.WaitGroup
	for range 16 { // on more than one connection
		wg.Go(func() {
			if _, err := db.Departure(t.Context(), w.departure.Hash); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if open() == 0 {
		t.Error("an open database has no files")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if n := open(); n != 0 {
		t.Errorf("%d files are open after Close", n)
	}
}
