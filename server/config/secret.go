package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"authy/storage/disk"
)

// ErrOtherKey says that the secret key is another than it should be.
var ErrOtherKey = errors.New("the secret key is another")

// KnownSecret sets the secret key to the one in the data directory where none is set, and
// says whether there is one now. It makes nothing.
func (c *Config) KnownSecret() (bool, error) {
	if c.Security.SecretKey != "" {
		return true, nil
	}
	key, err := readKey(filepath.Join(c.DataDir, keyFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	c.Security.SecretKey = key
	return err == nil, err
}

// MakeDataDir makes the data directory where it is missing, and refuses one that other
// users of the machine could change.
func (c *Config) MakeDataDir() error {
	if _, err := makeDir(filepath.Clean(c.DataDir)); err != nil {
		return fmt.Errorf("make data_dir %s: %w", c.DataDir, err)
	}
	return checkDir(c.DataDir)
}

// stagedFile is where a secret key waits for the database that it belongs to.
const stagedFile = keyFile + ".restoring"

// Staged is a secret key that waits beside the one in the data directory, until that is to be
// replaced. Its zero value is one that need not be.
type Staged struct {
	c           *Config
	key, old    Secret // old is "" where there is none
	path, waits string
}

// StageSecret has a secret key that is kept from elsewhere wait beside the one in the data
// directory, whose place it takes by [Staged.Take]. It is [ErrOtherKey] if there is another,
// unless that is to be replaced.
func (c *Config) StageSecret(key Secret, replace bool) (*Staged, error) {
	if err := checkSecret(key.Reveal()); err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	probe := *c
	known, err := probe.KnownSecret()
	switch {
	case err != nil:
		return nil, err
	case known && probe.Security.SecretKey == key:
		c.Security.SecretKey = key
		return &Staged{}, nil
	case known && (!replace || c.Security.SecretKey != ""):
		return nil, ErrOtherKey
	}
	s := c.staged(key, probe.Security.SecretKey)
	if err := s.Discard(); err != nil {
		return nil, err
	}
	if _, err := createKey(s.waits, key.Reveal()); err != nil {
		return nil, fmt.Errorf("create %s: %w", s.waits, err)
	}
	return s, nil
}

func (c *Config) staged(key, old Secret) *Staged {
	path := filepath.Join(c.DataDir, keyFile)
	return &Staged{c: c, key: key, old: old, path: path, waits: filepath.Join(c.DataDir, stagedFile)}
}

// StagedSecret returns the secret key that was left waiting when a restore was interrupted, and
// nil where there is none or it is of no use.
func (c *Config) StagedSecret() (*Staged, error) {
	if c.Security.SecretKey != "" {
		return nil, nil
	}
	key, err := readKey(filepath.Join(c.DataDir, stagedFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	probe := *c
	if err == nil {
		_, err = probe.KnownSecret()
	}
	if err != nil || probe.Security.SecretKey == key {
		return nil, err
	}
	return c.staged(key, probe.Security.SecretKey), nil
}

// Key is the key that waits.
func (s *Staged) Key() Secret { return s.key }

// Waits says whether there is a key that waits, and where.
func (s *Staged) Waits() (path string, waits bool) { return s.waits, s.waits != "" }

// Take makes the key that waits the one in the data directory, and keeps the old one under the
// name that it returns.
func (s *Staged) Take(now time.Time) (aside string, err error) {
	if s.waits == "" {
		return "", nil
	}
	if s.old != "" {
		aside = s.path + ".before-restore-" + now.UTC().Format("20060102t150405")
		if _, err := createKey(aside, s.old.Reveal()); err != nil {
			return "", s.untaken(fmt.Errorf("keep the old secret key as %s: %w", aside, err))
		}
	}
	err = os.Rename(s.waits, s.path)
	if errors.Is(err, fs.ErrNotExist) && s.isTaken() {
		err = nil // by a command that came in between
	}
	if err == nil {
		err = disk.SyncDir(filepath.Dir(s.path))
	}
	if err != nil {
		return aside, s.untaken(err)
	}
	s.c.Security.SecretKey = s.key
	return aside, nil
}

func (s *Staged) isTaken() bool {
	key, err := readKey(s.path)
	return err == nil && key == s.key
}

// untaken says where the keys are, and what is left to do.
func (s *Staged) untaken(err error) error {
	if s.old == "" {
		return fmt.Errorf("the database is that of the backup, and its secret key is in %s: rename that to %s: %w",
			s.waits, s.path, err)
	}
	return fmt.Errorf("the database is that of the backup, and its secret key is in %s, while %s has the key of the old one: "+
		"keep a copy of that, and rename the first to it: %w", s.waits, s.path, err)
}

// Discard removes the key that waits.
func (s *Staged) Discard() error {
	if s.waits == "" {
		return nil
	}
	if err := os.Remove(s.waits); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a secret key that is not needed: %w", err)
	}
	return nil
}
