//go:build unix

package config_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"authy/server/config"
)

// TestMain takes the umask away, so that each mode is the one that was asked for.
func TestMain(m *testing.M) {
	syscall.Umask(0)
	os.Exit(m.Run())
}

// newDir returns the path of a directory that is there with mode.
func newDir(t *testing.T, mode fs.FileMode) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

func prepare(dir string) (*config.Config, []string, error) {
	c := config.Defaults()
	c.DataDir = dir
	created, err := c.Prepare()
	return c, created, err
}

func checkMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != want {
		t.Errorf("the mode of %s = %v, want %v", path, got, want)
	}
}

func TestPrepareMakesWhatIsMissingForThisUserOnly(t *testing.T) {
	t.Parallel()
	parent := filepath.Join(t.TempDir(), "a")
	dir := filepath.Join(parent, "b")
	key := filepath.Join(dir, "secret.key")
	c, created, err := prepare(dir)
	if err != nil {
		t.Fatalf("Prepare() = %v", err)
	}
	if diff := cmp.Diff([]string{parent, dir, key}, created); diff != "" {
		t.Errorf("the paths made differ (-want +got):\n%s", diff)
	}
	checkMode(t, parent, 0o700|fs.ModeDir)
	checkMode(t, dir, 0o700|fs.ModeDir)
	checkMode(t, key, 0o600)
	text, err := os.ReadFile(key)
	if err != nil || !regexp.MustCompile(`^[0-9a-f]{64}\n$`).Match(text) {
		t.Errorf("the key file has %d bytes, %v, want 64 hex characters and a line end", len(text), err)
	}
	if got := c.Security.SecretKey.Reveal() + "\n"; got != string(text) {
		t.Error("the secret key is not that of the file")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory holds %v, %v, want the key alone", entries, err)
	}
}

func TestPrepareUsesTheKeyThatIsThere(t *testing.T) {
	t.Parallel()
	dir := newDir(t, 0o750)
	first, _, err := prepare(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, created, err := prepare(dir)
	if err != nil || len(created) != 0 {
		t.Fatalf("the second Prepare() = %q, %v, want nothing made", created, err)
	}
	if !bytes.Equal(first.SecretBytes(), second.SecretBytes()) {
		t.Error("the second Prepare found another key")
	}
	checkMode(t, dir, 0o750|fs.ModeDir)
}

func TestPrepareMakesNoKeyWhereOneIsSet(t *testing.T) {
	t.Parallel()
	c := config.Defaults()
	c.DataDir = newDir(t, 0o700)
	c.Security.SecretKey = goodKey
	created, err := c.Prepare()
	if err != nil || len(created) != 0 || c.Security.SecretKey != goodKey {
		t.Errorf("Prepare() = %q, %v, want nothing made", created, err)
	}
}

func TestProcessesThatPrepareAtOnceEndWithOneKey(t *testing.T) {
	t.Parallel()
	const n = 20
	dir := filepath.Join(t.TempDir(), "data")
	var (
		wg    sync.WaitGroup
		start = make(chan struct{})
		keys  [n]config.Secret
		made  [n][]string
		errs  [n]error
	)
	for i := range n {
		wg.Go(func() {
			<-start
			c, created, err := prepare(dir)
			keys[i], made[i], errs[i] = c.Security.SecretKey, created, err
		})
	}
	close(start)
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatalf("Prepare() = %v", err)
	}
	paths := map[string]int{}
	for i := range n {
		if keys[i] != keys[0] {
			t.Errorf("process %d has another key", i)
		}
		for _, path := range made[i] {
			paths[filepath.Base(path)]++
		}
	}
	if diff := cmp.Diff(map[string]int{"data": 1, "secret.key": 1}, paths); diff != "" {
		t.Errorf("the paths made differ (-want +got):\n%s", diff)
	}
}

func TestPrepareRefusesAKeyThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	write := func(mode fs.FileMode, text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), mode) }
	}
	tests := []struct {
		name, want string
		make       func(path string) error
	}{
		{"readable by the group", "run chmod 600 ", write(0o640, goodKey)},
		{"readable by others", "run chmod 600 ", write(0o604, goodKey)},
		{"empty", "shorter than 32 characters", write(0o600, "")},
		{"short", "shorter than 32 characters", write(0o600, goodKey[:31]+"\n")},
		{"an example", "an example that everyone knows", write(0o600, "dev-secret-key-change-in-production")},
		{"a directory", "is not a regular file", func(path string) error { return os.Mkdir(path, 0o700) }},
		{"a pipe", "is not a regular file", func(path string) error { return syscall.Mkfifo(path, 0o600) }},
		{"a symlink", "is not a regular file", func(path string) error {
			if err := os.WriteFile(path+".real", []byte(goodKey), 0o600); err != nil {
				return err
			}
			return os.Symlink(path+".real", path)
		}},
		{"a symlink to nothing", "is not a regular file", func(path string) error { return os.Symlink(path+".none", path) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(newDir(t, 0o700), "secret.key")
			if err := tt.make(path); err != nil {
				t.Fatal(err)
			}
			c, created, err := prepare(filepath.Dir(path))
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("Prepare() = %v, want %q and %s", err, tt.want, path)
			}
			if len(created) != 0 || c.Security.SecretKey != "" {
				t.Errorf("Prepare() made %q and set a key although it refused", created)
			}
		})
	}
}

func TestPrepareRefusesADirectoryThatCannotBeTrusted(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "data", "")
	dangling := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dangling+".none", dangling); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		file:                       "is not a directory",
		filepath.Join(file, "sub"): "not a directory",
		dangling:                   "no such file",
		newDir(t, 0o777):           "can be written by every user; run chmod 700 ",
		newDir(t, 0o702):           "can be written by every user; run chmod 700 ",
	} {
		_, created, err := prepare(dir)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("Prepare() of %s = %v, want %q", dir, err, want)
		}
		if len(created) != 0 {
			t.Errorf("Prepare() of %s made %q", dir, created)
		}
	}
}

func TestTheBytesOfTheSecretKeyNeverChange(t *testing.T) {
	t.Parallel()
	c := config.Defaults()
	c.Security.SecretKey = goodKey
	// Everything sealed so far depends on them:
	// printf 'authy secret key v1\0%s' "$key" | sha256sum
	const want = "d59dddbd33d0899efb67925fb92c62a1b4b623e450fffeb788714cf0c50e1196"
	if got := hex.EncodeToString(c.SecretBytes()); got != want {
		t.Errorf("SecretBytes() = %s, want %s", got, want)
	}
}

func TestThereAreNoBytesBeforeTheSecretKeyIsSet(t *testing.T) {
	t.Parallel()
	defer func() {
		if recover() == nil {
			t.Error("SecretBytes() of no key did not panic")
		}
	}()
	config.Defaults().SecretBytes()
}
