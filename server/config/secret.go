package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
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

// TakeSecret is [Config.Prepare] with a secret key that is kept from elsewhere: where
// there is none it becomes the one in the data directory. It is [ErrOtherKey] if there is
// another, unless that is to be replaced; then it is set aside under the name returned.
func (c *Config) TakeSecret(key Secret, replace bool, now time.Time) (aside string, err error) {
	if err := checkSecret(key.Reveal()); err != nil {
		return "", fmt.Errorf("secret key: %w", err)
	}
	inFile := c.Security.SecretKey == ""
	known, err := c.KnownSecret()
	switch {
	case err != nil:
		return "", err
	case known && c.Security.SecretKey == key:
		_, err := c.Prepare()
		return "", err
	case known && (!replace || !inFile):
		return "", ErrOtherKey
	}
	if err := c.MakeDataDir(); err != nil {
		return "", err
	}
	path := filepath.Join(c.DataDir, keyFile)
	if known {
		aside = path + ".before-restore-" + now.UTC().Format("20060102t150405")
		if err := os.Rename(path, aside); err != nil {
			return "", fmt.Errorf("set the secret key aside: %w", err)
		}
	}
	if _, err := createKey(path, key.Reveal()); err != nil {
		return aside, fmt.Errorf("create %s: %w", path, err)
	}
	c.Security.SecretKey = key
	_, err = c.Prepare()
	return aside, err
}
