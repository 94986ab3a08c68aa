package backup_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/backup"
	"authy/server/config"
	"authy/storage"
	"authy/storage/storagetest"
)

// stuck makes a file that not even root can remove, or skips the test.
func stuck(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "chattr", "+i", path).CombinedOutput(); err != nil {
		t.Skipf("no file can be made that stays: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("chattr", "-i", path).Run() })
}

func TestABackupIsMadeThoughOthersCannotBeRemoved(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", "")
	s.Backup = config.Backup{Dir: filepath.Join(s.DataDir, "backups"), Unencrypted: true, KeepLast: 1}
	s.Backup.Every.Duration = 24 * time.Hour
	if err := os.Mkdir(s.Backup.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	stuck(t, filepath.Join(s.Backup.Dir, "authy-20250101t000000z.backup"))
	stuck(t, filepath.Join(s.Backup.Dir, ".authy-backup-1.partial"))
	old := filepath.Join(s.Backup.Dir, "authy-20240101t000000z.backup")
	if err := os.WriteFile(old, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := backup.New(s.db, s.Config, storagetest.Files(t)).Make(t.Context(), audit.Shell(), backup.Options{})
	if m == nil || err == nil || !slices.Equal(m.Removed, []string{filepath.Base(old)}) {
		t.Fatalf("Make beside a file that stays = %+v, %v; want a backup, the other file removed, and an error", m, err)
	}
	told, err := s.db.EventsMatching(t.Context(), storage.EventFilter{Action: "backup.removed", Outcome: "failure"}, storage.EventKey{}, 9)
	if err != nil || len(told) != 1 {
		t.Errorf("events of what could not be removed: %+v, %v; want one", told, err)
	}
	awaitName()
	backup.New(s.db, s.Config, storagetest.Files(t)).MakeDue(t.Context())
	if takesTurn(t, s.db, time.Hour) {
		t.Error("an hour after a backup was made the next is due, want it in a day")
	}
}

// takesTurn says whether a backup is due in a while.
func takesTurn(t *testing.T, db *storage.DB, in time.Duration) (due bool) {
	t.Helper()
	at := time.Now().Add(in)
	err := db.Update(t.Context(), func(tx *storage.Tx) (err error) {
		due, err = tx.TakeTurn(t.Context(), "backup", at, at, at.AddDate(100, 0, 0))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return due
}
