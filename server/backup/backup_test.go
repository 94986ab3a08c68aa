package backup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"authy/embed"
	"authy/server/audit"
	"authy/server/backup"
	"authy/server/config"
	"authy/storage"
	"authy/storage/storagetest"
)

const passphrase = "a passphrase that is long"

// site is a server's data: a configuration, and the database that it names.
type site struct {
	*config.Config
	db *storage.DB
}

// newSite returns one with the secret key of another, or one of its own.
func newSite(t *testing.T, engine, key string, filled ...storagetest.Size) site {
	t.Helper()
	c := config.Defaults()
	c.DataDir = t.TempDir()
	c.Database.URL = config.Secret(storagetest.Migrated(t, engine))
	c.Backup.Dir = filepath.Join(c.DataDir, "backups")
	for _, size := range filled {
		storagetest.Fill(t, c.DatabaseURL(), size)
	}
	if key != "" {
		if err := os.WriteFile(filepath.Join(c.DataDir, "secret.key"), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Prepare(); err != nil {
		t.Fatal(err)
	}
	return site{c, openDB(t, c)}
}

func openDB(t *testing.T, c *config.Config) *storage.DB {
	t.Helper()
	db, err := storage.Open(t.Context(), storage.Options{URL: c.DatabaseURL(), Secret: c.SecretBytes()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	return db
}

func (s site) make(t *testing.T, o backup.Options) *backup.Made {
	t.Helper()
	m, err := backup.New(s.db, s.Config, storagetest.Files(t)).Make(t.Context(), audit.Shell(), o)
	if err != nil {
		t.Fatalf("make a backup: %v", err)
	}
	return m
}

// each runs fn with a file of either sort, and the keys that open it.
func each(t *testing.T, fn func(t *testing.T, o backup.Options, keys ...age.Identity)) {
	t.Helper()
	key, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("encrypted", func(t *testing.T) { fn(t, backup.Options{Recipient: key.Recipient().String()}, key) })
	t.Run("open", func(t *testing.T) { fn(t, backup.Options{Unencrypted: true}) })
}

func TestADamagedBackupIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", "")
	each(t, func(t *testing.T, o backup.Options, keys ...age.Identity) {
		whole, err := os.ReadFile(s.make(t, o).Path)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "damaged.backup")
		refused := func(what string, content []byte) {
			t.Helper()
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := backup.Open(path, keys...)
			if !errors.Is(err, backup.ErrDamaged) && !errors.Is(err, backup.ErrForeign) && !errors.Is(err, backup.ErrKey) {
				t.Fatalf("Open of a backup %s = %v, want that it is refused", what, err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("Open of a backup %s says more than a sentence: %q", what, err)
			}
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/60 {
			refused("that was cut", whole[:at])
			flipped := bytes.Clone(whole)
			flipped[at] ^= 1 << (at % 8)
			refused("with a flipped bit", flipped)
		}
		refused("without its last byte", whole[:len(whole)-1])
		refused("with one more byte", append(bytes.Clone(whole), 0))
	})
}

func TestARefusedBackupChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", "")
	m := s.make(t, backup.Options{Passphrase: passphrase})
	whole, err := os.ReadFile(m.Path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	before := hashes(t, s.DataDir)
	path := filepath.Join(t.TempDir(), "cut.backup")
	if err := os.WriteFile(path, whole[:len(whole)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := backup.PassphraseKey(passphrase)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Open(path, key); !errors.Is(err, backup.ErrDamaged) {
		t.Errorf("Open = %v, want ErrDamaged", err)
	}
	b, err := backup.Open(m.Path, key)
	if err != nil {
		t.Fatal(err)
	}
	other := newSite(t, "sqlite", "")
	elsewhere := hashes(t, other.DataDir)
	if err := b.CanRestore(other.Config, storagetest.Files(t), backup.Restoring{}); err == nil {
		t.Error("a backup with another secret key can be restored")
	}
	if diff := cmp.Diff(elsewhere, hashes(t, other.DataDir)); diff != "" {
		t.Errorf("the other data directory was changed:\n%s", diff)
	}
	if diff := cmp.Diff(before, hashes(t, s.DataDir)); diff != "" {
		t.Errorf("the data directory was changed:\n%s", diff)
	}
}

// hashes are those of every file in a directory.
func hashes(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all[path] = sha256.Sum256(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestNothingThatWasHandedOutOutlivesARestore(t *testing.T) {
	t.Parallel()
	const n = 40
	from := map[string]string{"sqlite": "postgres", "postgres": "sqlite"}
	for to, engine := range from {
		t.Run(engine+" to "+to, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, engine, "", storagetest.Size{Users: n, Sessions: n, Events: n, PasswordHash: "x"})
			m := s.make(t, backup.Options{Passphrase: passphrase})
			key, err := backup.PassphraseKey(passphrase)
			if err != nil {
				t.Fatal(err)
			}
			b, err := backup.Open(m.Path, key)
			if err != nil {
				t.Fatal(err)
			}
			for _, kept := range []bool{true, false} {
				target := newSite(t, to, s.Security.SecretKey.Reveal())
				if err := target.db.Close(); err != nil {
					t.Fatal(err)
				}
				done, err := b.Restore(t.Context(), audit.Shell(), target.Config, storagetest.Files(t), backup.Restoring{KeepHandedOut: kept})
				if err != nil {
					t.Fatalf("restore: %v", err)
				}
				if (done.Ended > 0) == kept || done.Aside == "" {
					t.Errorf("restored, kept %t: %+v", kept, done)
				}
				db := openDB(t, target.Config)
				if got := alive(t, db, n); (got == 0) == kept {
					t.Errorf("sessions and tokens that are alive after a restore, kept %t: %d of %d", kept, got, 3*n)
				}
			}
		})
	}
}

// alive counts the sessions, refresh tokens and access tokens of a filled database that
// are good.
func alive(t *testing.T, db *storage.DB, n int) (count int) {
	t.Helper()
	ctx := t.Context()
	for i := 1; i <= n; i++ {
		s, err := db.SessionByToken(ctx, storagetest.TokenHash(i))
		if err == nil && s.RevokedAt.IsZero() {
			count++
		}
		if _, err := db.RefreshToken(ctx, storagetest.RefreshHash(i)); err == nil {
			count++
		}
		if _, err := db.AccessToken(ctx, storagetest.AccessHash(i)); err == nil {
			count++
		}
	}
	return count
}

// killed is how many processes are killed.
const killed = 5

// victim, in the environment, is the URL of a database that this process is to back up
// until it is killed.
const victim = "AUTHY_TEST_BACKUP_VICTIM"

func TestMain(m *testing.M) {
	if url := os.Getenv(victim); url != "" {
		makeUntilKilled(url)
	}
	os.Exit(m.Run())
}

func makeUntilKilled(url string) {
	ctx := context.Background()
	c := config.Defaults()
	c.Database.URL, c.Backup.Dir = config.Secret(url), os.Getenv(victim+"_DIR")
	c.Security.SecretKey = config.Secret(strings.Repeat("ab", 16))
	db, err := storage.Open(ctx, storage.Options{URL: url, Secret: storagetest.Secret})
	if err != nil {
		panic(err)
	}
	files, err := fs.Sub(embed.Migrations, "migrations")
	if err != nil {
		panic(err)
	}
	for {
		o := backup.Options{Unencrypted: true, To: filepath.Join(c.Backup.Dir, "made-"+time.Now().Format("150405.000000000")+".backup")}
		if _, err := backup.New(db, c, files).Make(ctx, audit.Shell(), o); err != nil {
			panic(err)
		}
	}
}

func TestAKilledBackupLeavesNothingThatLooksLikeOne(t *testing.T) {
	t.Parallel()
	url := storagetest.Migrated(t, "sqlite")
	storagetest.Fill(t, url, storagetest.Size{Users: 100, Sessions: 100, Events: 100, PasswordHash: "x"})
	db, err := storage.Open(t.Context(), storage.Options{URL: url, Secret: storagetest.Secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	dir, halves := t.TempDir(), 0
	for range killed {
		c := exec.CommandContext(t.Context(), os.Args[0])
		c.Env = append(os.Environ(), victim+"="+url, victim+"_DIR="+dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waitForFile(t, dir)
		time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		for _, path := range glob(t, dir, "*.backup") {
			if _, err := backup.Open(path); err != nil {
				t.Errorf("a backup that was left by a killed process: %v", err)
			}
			_ = os.Remove(path)
		}
		halves += len(glob(t, dir, ".authy-backup-*"))
	}
	if halves == 0 {
		t.Skip("no process was killed half way")
	}
	c := config.Defaults()
	c.Backup.Dir, c.Security.SecretKey = dir, config.Secret(strings.Repeat("ab", 16))
	site{c, db}.make(t, backup.Options{Unencrypted: true})
	if left := glob(t, dir, ".authy-backup-*"); len(left) > 0 {
		t.Errorf("left by processes that were killed: %q", left)
	}
}

// Who stops a backup has no failure to look into, and nothing to clear away; one that is made
// elsewhere is none of the directory's.
func TestABackupThatIsStoppedIsNoFailure(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", "")
	service := backup.New(s.db, s.Config, storagetest.Files(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if m, err := service.Make(ctx, audit.Shell(), backup.Options{Unencrypted: true}); m != nil || !errors.Is(err, context.Canceled) {
		t.Fatalf("a backup that was stopped = %+v, %v", m, err)
	}
	state, err := service.State(t.Context(), audit.Shell())
	if err != nil || !state.FailedAt.IsZero() || len(state.Files) > 0 {
		t.Errorf("after it the state is %+v, %v; want neither a failure nor a file", state, err)
	}
	dir := s.Backup.Dir
	s.Backup.Dir = filepath.Join(s.DataDir, "secret.key", "backups") // below a file
	if m, err := service.Make(t.Context(), audit.Shell(), backup.Options{Unencrypted: true}); m != nil || err == nil {
		t.Fatalf("a backup below a file = %+v, %v", m, err)
	}
	s.Backup.Dir = dir
	if state, err = service.State(t.Context(), audit.Shell()); err != nil || state.FailedAt.IsZero() {
		t.Errorf("after a backup that failed the state is %+v, %v", state, err)
	}
	for _, to := range []string{filepath.Join(s.DataDir, "by-hand.backup"), ""} {
		if _, err := service.Make(t.Context(), audit.Shell(), backup.Options{Unencrypted: true, To: to}); err != nil {
			t.Fatal(err)
		}
		if state, err = service.State(t.Context(), audit.Shell()); err != nil || state.MadeAt.IsZero() != (to != "") {
			t.Errorf("after a backup to %q the last of the directory was made at %v, %v", to, state.MadeAt, err)
		}
	}
}

func TestADirectoryMayHaveAnyName(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", "")
	s.Backup.Dir = filepath.Join(s.DataDir, "back[ups")
	s.make(t, backup.Options{Unencrypted: true})
}

func TestAShorterScheduleIsHeededAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, "sqlite", "")
	s.Backup.Unencrypted = true
	made := func(every time.Duration) int {
		s.Backup.Every.Duration = every
		backup.New(s.db, s.Config, storagetest.Files(t)).MakeDue(t.Context())
		events, err := s.db.EventsMatching(t.Context(), storage.EventFilter{Action: "backup.made"}, storage.EventKey{}, 9)
		if err != nil {
			t.Fatal(err)
		}
		return len(events)
	}
	if got := made(720 * time.Hour); got != 1 {
		t.Fatalf("backups at first: %d, want 1", got)
	}
	if got := made(720 * time.Hour); got != 1 {
		t.Fatalf("backups that are not due: %d, want 1", got)
	}
	awaitName()
	if got := made(24 * time.Hour); got != 2 {
		t.Errorf("backups after one a month became one a day: %d, want 2", got)
	}
}

// awaitName waits until a backup has another name: those have seconds.
func awaitName() { time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second))) }

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// waitForFile waits until a backup has begun.
func waitForFile(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
			return
		}
	}
	t.Fatal("no backup was begun in a minute")
}

// Two installations may keep their backups in one directory: each removes its own alone, and
// none takes the other's for a sign that it has one.
func TestInstallationsLeaveEachOthersBackups(t *testing.T) {
	t.Parallel()
	shared := t.TempDir()
	var all []*backup.Service
	for _, key := range []string{"", "another secret key than the first one"} {
		s := newSite(t, "sqlite", key)
		s.Backup = config.Backup{Dir: shared, Unencrypted: true, KeepLast: 1}
		all = append(all, backup.New(s.db, s.Config, storagetest.Files(t)))
	}
	for range 2 {
		for _, one := range all {
			if _, err := one.Make(t.Context(), audit.Shell(), backup.Options{}); err != nil {
				t.Fatal(err)
			}
		}
		awaitName()
	}
	for i, one := range all {
		own, err := one.Files()
		state, failed := one.State(t.Context(), audit.Shell())
		if err != nil || failed != nil || len(own) != 1 || len(state.Files) != 1 || own[0].Name == "" || state.Files[0].Name != own[0].Name {
			t.Errorf("installation %d has %v and shows %v, %v, %v; want its latest", i, own, state, err, failed)
		}
	}
	if both, err := backup.Files(shared); err != nil || len(both) != 2 {
		t.Errorf("there are %v, %v, want one of each", both, err)
	}
}
