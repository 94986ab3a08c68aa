package backup_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/backup"
	"authy/server/config"
	"authy/storage"
	"authy/storage/storagetest"
)

// opened makes a backup of s with a passphrase, and opens it.
func (s site) opened(t *testing.T) *backup.Backup {
	t.Helper()
	key, err := backup.PassphraseKey(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	b, err := backup.Open(s.make(t, backup.Options{Passphrase: passphrase}).Path, key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// isMadeWith says whether the database of c has the secret key that is in its data directory now.
func isMadeWith(t *testing.T, c *config.Config) bool {
	t.Helper()
	probe := *c
	probe.Security.SecretKey = ""
	if known, err := probe.KnownSecret(); err != nil || !known {
		t.Errorf("the secret key in the data directory: %t, %v", known, err)
		return false
	}
	is, err := storage.MadeWith(t.Context(), storage.Options{URL: c.DatabaseURL(), Secret: probe.SecretBytes()})
	if err != nil {
		t.Fatal(err)
	}
	return is
}

// Whatever becomes of a restore, the secret key is that of the database.
func TestTheSecretKeyIsReplacedWithTheDatabase(t *testing.T) {
	t.Parallel()
	b := newSite(t, "sqlite", "").opened(t)
	target := newSite(t, "sqlite", "")
	target.Security.SecretKey = "" // it is in the data directory
	key, waits := filepath.Join(target.DataDir, "secret.key"), filepath.Join(target.DataDir, "secret.key.restoring")
	restore := func() (*backup.Restored, error) {
		return b.Restore(t.Context(), audit.Shell(), target.Config, storagetest.Files(t), backup.Restoring{ReplaceSecret: true})
	}
	// The database is in use, as by a command: it is not replaced, and neither is the key.
	if _, err := restore(); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Fatalf("Restore of a database in use = %v", err)
	}
	if !isMadeWith(t, target.Config) {
		t.Error("the restore failed, and the secret key is not that of the database")
	}
	if _, err := os.Stat(waits); err == nil {
		t.Error("the restore failed, and has left a secret key")
	}
	if err := target.db.Close(); err != nil {
		t.Fatal(err)
	}
	done, err := restore()
	if err != nil || done.SecretAside == "" || !isMadeWith(t, target.Config) {
		t.Fatalf("Restore() = %+v, %v, want that the key is that of the database", done, err)
	}
	// Killed between the two: the next start finds the key.
	rename(t, key, waits)
	rename(t, done.SecretAside, key)
	target.Security.SecretKey = ""
	if aside, finished, err := backup.Finish(t.Context(), target.Config); !finished || aside == "" || err != nil {
		t.Errorf("Finish() = %q, %t, %v", aside, finished, err)
	}
	if !isMadeWith(t, target.Config) {
		t.Error("the restore was finished, and the secret key is not that of the database")
	}
	// Killed before: what waits is not the key of the database.
	if err := os.WriteFile(waits, []byte(strings.Repeat("ab", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	target.Security.SecretKey = ""
	if _, finished, err := backup.Finish(t.Context(), target.Config); finished || err != nil || !isMadeWith(t, target.Config) {
		t.Errorf("Finish() of a key that is not the database's = %t, %v", finished, err)
	}
}

// A transaction that nobody ends holds the tables it has read from.
func TestARestoreDoesNotWaitForTablesWithoutAWord(t *testing.T) {
	t.Parallel()
	s := newSite(t, "postgres", "")
	b := s.opened(t)
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	idle, err := sql.Open("pgx", s.DatabaseURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = idle.Close() })
	tx, err := idle.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var n int
	if err := tx.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM users").Scan(&n); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err = b.Restore(ctx, audit.Shell(), s.Config, storagetest.Files(t), backup.Restoring{})
	if err == nil || !strings.Contains(err.Error(), "somebody else holds the tables") {
		t.Errorf("Restore beside a transaction that holds a table = %v", err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
