package config

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"authy/storage/disk"
)

const (
	keyFile   = "secret.key"
	keyDomain = "authy secret key v1\x00"
)

// keyWait is how long one process waits for another that makes a secret key.
const keyWait = 10 * time.Second

// Prepare makes the data directory where it is missing and, where no secret key
// is set, reads the one in it or makes one. Afterwards the secret key is set. It
// returns the paths that it made, and refuses a directory or a key that other
// users of the machine could change or read. Processes that start at once end
// with one key.
func (c *Config) Prepare() (created []string, err error) {
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return nil, fmt.Errorf("find data_dir %s: %w", c.DataDir, err)
	}
	created, err = makeDir(dir)
	if err != nil {
		return created, fmt.Errorf("make data_dir %s: %w", dir, err)
	}
	if err := checkDir(dir); err != nil {
		return created, err
	}
	if c.Security.SecretKey != "" {
		return created, nil
	}
	path := filepath.Join(dir, keyFile)
	key, made, err := obtainKey(path)
	if made {
		created = append(created, path)
	}
	if err != nil {
		return created, fmt.Errorf("secret key: %w", err)
	}
	c.Security.SecretKey = key
	return created, nil
}

// Unprepared says that there is no data directory yet, or no secret key where none is
// set: [Config.Prepare] would make it.
func (c *Config) Unprepared() bool {
	needed := c.DataDir
	if c.Security.SecretKey == "" {
		needed = filepath.Join(c.DataDir, keyFile)
	}
	_, err := os.Stat(needed)
	return errors.Is(err, fs.ErrNotExist)
}

// SecretBytes returns 32 bytes that stand for the secret key, to derive keys
// from: the SHA-256 of "authy secret key v1", a zero byte and the text. It
// panics before the key is set, because anyone could compute what it would
// return.
func (c *Config) SecretBytes() []byte {
	if c.Security.SecretKey == "" {
		panic("impossible: SecretBytes is called after Prepare")
	}
	sum := sha256.Sum256([]byte(keyDomain + c.Security.SecretKey.Reveal()))
	return sum[:]
}

// makeDir makes dir and the directories above it and returns those it made.
func makeDir(dir string) (created []string, err error) {
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	created, err = makeDir(filepath.Dir(dir))
	if err != nil {
		return created, err
	}
	err = disk.Mkdir(dir)
	if errors.Is(err, fs.ErrExist) { // another process was faster
		return created, nil
	}
	if err != nil {
		return created, err
	}
	return append(created, dir), nil
}

// checkDir does not tighten the mode itself: it might be that of /tmp.
func checkDir(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Errorf("look at data_dir: %w", err)
	case !info.IsDir():
		return fmt.Errorf("data_dir %s is not a directory", dir)
	}
	open, err := disk.Shared(dir, info, 0o002)
	if open {
		err = fmt.Errorf("data_dir %s can be written by every user; "+
			"run %s, or name a directory inside it", dir, disk.Narrowing(dir, "700"))
	}
	return err
}

// obtainKey returns the key at path, and whether it had to be made.
func obtainKey(path string) (key Secret, made bool, err error) {
	key, err = readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	made, err = createKey(path, newKey())
	if err != nil {
		return "", made, fmt.Errorf("create %s: %w", path, err)
	}
	key, err = readKey(path)
	return key, made, err
}

func readKey(path string) (Secret, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	shared, err := disk.Shared(path, info, 0o077)
	if shared {
		err = fmt.Errorf("%s can be read by others; run %s", path, disk.Narrowing(path, "600"))
	}
	if err != nil {
		return "", err
	}
	data, err := readRegular(path)
	if err != nil {
		return "", err
	}
	text := strings.TrimSpace(string(data))
	if err := checkSecret(text); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return Secret(text), nil
}

func newKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return hex.EncodeToString(key)
}

// createKey writes a key beside path and gives it that name once it is whole, so that no
// one ever reads half a key. It reports false where another process was faster.
func createKey(path, key string) (made bool, err error) {
	temp, err := writeKey(filepath.Dir(path), key)
	if err != nil {
		return false, err
	}
	made, err = nameKey(temp, path, os.Link)
	if gone := os.Remove(temp); err == nil && !errors.Is(gone, fs.ErrNotExist) {
		err = gone
	}
	if err != nil {
		return made, err
	}
	return made, disk.SyncDir(filepath.Dir(path))
}

// nameKey gives a file a name unless that is taken. Where the file system has no second names
// it is renamed, under a lock.
func nameKey(temp, path string, link func(string, string) error) (made bool, err error) {
	err = link(temp, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err == nil, nil
	}
	lock, err := lockKey(path + ".lock")
	if err != nil {
		return false, err
	}
	_, err = os.Lstat(path)
	if made = errors.Is(err, fs.ErrNotExist); made {
		err = os.Rename(temp, path)
	}
	_ = disk.Remove(lock) // whoever has locked what was removed before finds the key
	return made && err == nil, err
}

// lockKey waits for a lock that others hold for a moment.
func lockKey(path string) (*os.File, error) {
	for deadline := time.Now().Add(keyWait); ; <-time.After(5 * time.Millisecond) {
		f, err := disk.OpenLocked(path)
		if err == nil || time.Now().After(deadline) {
			return f, err
		}
		if !errors.Is(err, disk.ErrLocked) {
			return nil, err
		}
	}
}

// writeKey writes a key to a file of its own in dir, readable by this user
// only, and returns its path.
func writeKey(dir, key string) (string, error) {
	f, err := os.CreateTemp(dir, "."+keyFile+"-*") // O_CREATE|O_EXCL, 0600
	if err != nil {
		return "", err
	}
	err = disk.Narrow(f) // before there is anything in it
	if err == nil {
		_, err = f.WriteString(key + "\n")
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
