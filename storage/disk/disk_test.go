package disk_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"authy/storage/disk"
)

func TestALockKeepsOthersOffUntilItsFileIsClosed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.lock")
	first, err := disk.OpenLocked(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.WriteString("mine"); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.OpenLocked(path); !errors.Is(err, disk.ErrLocked) {
		t.Errorf("a second lock: %v, want ErrLocked", err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("a locked file reads %q, %v", text, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := disk.OpenLocked(path)
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	if err := disk.Remove(second); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Remove: %v", err)
	}
}

func TestAFileIsPublishedOverAnother(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "new")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := disk.OpenLocked(filepath.Join(dir, "partial"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("after"); err != nil {
		t.Fatal(err)
	}
	if err := disk.Publish(f, path); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "after" {
		t.Errorf("what was published reads %q, %v", text, err)
	}
	if err := f.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Publish left the file open: %v", err)
	}
	if err := disk.Sync(path); err != nil {
		t.Errorf("Sync() = %v", err)
	}
	if err := disk.SyncDir(dir); err != nil {
		t.Errorf("SyncDir() = %v", err)
	}
}

func TestWhatIsMadeForItsOwnerIsNotShared(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	if err := disk.Mkdir(dir); err != nil {
		t.Fatal(err)
	}
	if err := disk.Mkdir(dir); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Mkdir() of what is there = %v, want ErrExist", err)
	}
	f, err := os.CreateTemp(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(disk.Narrow(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, f.Name()} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if shared, err := disk.Shared(path, info, 0o077); shared || err != nil {
			t.Errorf("Shared(%s) = %v, %v", path, shared, err)
		}
	}
}

func TestAPathSurvivesItsURL(t *testing.T) {
	t.Parallel()
	path, err := filepath.Abs("authy.db")
	if err != nil {
		t.Fatal(err)
	}
	if got := disk.ToURL(path); got[0] != '/' {
		t.Errorf("ToURL(%s) = %s, want it to begin with /", path, got)
	}
	if got := filepath.Clean(disk.FromURL(disk.ToURL(path))); got != path {
		t.Errorf("FromURL(ToURL(%s)) = %s", path, got)
	}
	if got := disk.FromURL("authy.db"); got != "authy.db" {
		t.Errorf("FromURL(authy.db) = %s", got)
	}
}

func TestThereIsRoom(t *testing.T) {
	t.Parallel()
	if s := disk.SpaceAt(t.TempDir()); s.Free <= 0 || s.Total < s.Free || s.Disk == "" {
		t.Errorf("SpaceAt() = %+v", s)
	}
	if s := disk.SpaceAt(filepath.Join(t.TempDir(), "nowhere")); s.Total != 0 {
		t.Errorf("SpaceAt() of a directory that is not there is %+v", s)
	}
}
