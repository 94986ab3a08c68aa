package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// CheckVersion refuses a database that a newer authy has migrated, and changes nothing
// of it: not even what a killed server left in SQLite's log is moved into the file, as
// opening and closing it would. A database that is not there yet is in order.
func CheckVersion(ctx context.Context, o Options, files fs.FS) error {
	if !strings.HasPrefix(o.URL, "sqlite:") {
		return nil // opening PostgreSQL writes nothing: Migrate looks
	}
	path := sqlitePath(o.URL)
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil // Open says what is wrong
	}
	look := []string{"mode=ro"}
	if _, err := os.Stat(path + "-wal"); errors.Is(err, os.ErrNotExist) {
		look = append(look, "immutable=1") // no log: nor is one made
	}
	pool, err := sql.Open("sqlite", sqliteDSN(path, look...))
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	applied, err := column(ctx, pool, "SELECT name FROM migrations ORDER BY name")
	if err := errors.Join(err, pool.Close()); err != nil {
		return nil //nolint:nilerr // no table, or a damaged file: Open and Migrate say so
	}
	known, err := stepNames(files)
	if err != nil {
		return err
	}
	for _, step := range applied {
		if !slices.Contains(known, step) {
			return newerError(step)
		}
	}
	return nil
}
