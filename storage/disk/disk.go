// Package disk is what operating systems do in different ways with files: how a process keeps
// others off one, who else may read it, what makes its name last, how much room there is, and
// how a path stands in a URL.
//
// It refuses to know what is in a file, and what a database is.
//
// Read this file, and then disk_unix.go or disk_windows.go: each system has one of them. Room is
// asked for in space_statfs.go, and space_other.go where nobody knows how.
package disk

import (
	"errors"
	"fmt"
	"os"
)

// ErrLocked says that another process holds the lock of a file.
var ErrLocked = errors.New("disk: locked")

// OpenLocked opens a file, which it makes for its owner alone, and locks it as [Lock] does.
func OpenLocked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := Lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Lock locks an open file until it is closed or the process ends, however it ends. It does not
// wait: where another holds the lock, the error is [ErrLocked]. What is in the file may be read
// all the same.
func Lock(f *os.File) error {
	err := lock(f)
	if err != nil && !errors.Is(err, ErrLocked) {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return err
}

// Sync has what is in a file reach the disk.
func Sync(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
