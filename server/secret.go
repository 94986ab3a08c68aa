package server

import (
	"context"
	"errors"
	"fmt"

	"authy/server/config"
	"authy/storage"
)

// ErrKeyGone says that there is no secret key, although the database was made with one.
var ErrKeyGone = errors.New("the secret key is gone")

// KeyKept is [ErrKeyGone] where the data directory has no secret key any more with which the
// database was made, and none is set: a new one would be of no use.
func KeyKept(ctx context.Context, c *config.Config) error {
	probe := *c
	if known, err := probe.KnownSecret(); known || err != nil {
		return nil //nolint:nilerr // Prepare says what is wrong with it
	}
	o := storage.Options{URL: c.DatabaseURL()}
	if err := storage.CheckVersion(ctx, o, Migrations()); err != nil {
		return err
	}
	made, err := storage.Made(ctx, o)
	if err != nil || !made {
		return err
	}
	if known, err := probe.KnownSecret(); known || err != nil {
		return nil //nolint:nilerr // another process has made both meanwhile
	}
	return fmt.Errorf("%w: %s has no secret.key any more, but %s was made with one; put it back from a backup, "+
		"or set security.secret_key to what was in it: what is sealed cannot be opened otherwise",
		ErrKeyGone, c.DataDir, config.MaskURL(c.DatabaseURL()))
}

// Explain adds to an error what to do about it, where that is known.
func Explain(err error) error {
	if errors.Is(err, storage.ErrSecretKey) {
		return fmt.Errorf("%w: set security.secret_key (or data_dir) to the one it was made with; "+
			"what is sealed in it cannot be opened otherwise", err)
	}
	return err
}
