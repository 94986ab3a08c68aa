//go:build unix

package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrLocked
	}
	return err
}

// Remove removes a file that this process has open, and perhaps locked, and closes it. The lock
// goes last, so that nobody takes a file whose name is about to go for one that stays.
func Remove(f *os.File) error { return errors.Join(os.Remove(f.Name()), f.Close()) }

// Publish gives a file that this process has open the name by which others find it, for good, and
// closes it. What was there is replaced.
func Publish(f *os.File, path string) error {
	err := os.Rename(f.Name(), path)
	if err == nil {
		err = SyncDir(filepath.Dir(path))
	}
	return errors.Join(err, f.Close())
}

// SyncDir has the names in a directory reach the disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Mkdir makes a directory, with what will be in it, for this user alone.
func Mkdir(dir string) error { return os.Mkdir(dir, 0o700) }

// Narrow leaves a file to its owner alone: what a file is made with is cut by the umask only.
func Narrow(f *os.File) error { return f.Chmod(0o600) }

// Shared says whether others than its owner may do with a file what the bits say, of which those
// of the group and of everybody count.
func Shared(_ string, info fs.FileInfo, bits fs.FileMode) (bool, error) {
	return info.Mode().Perm()&bits&0o077 != 0, nil
}

// Writable says why this user cannot write a file or a directory, and what to do.
func Writable(path string) error {
	const write = 2 // W_OK
	err := syscall.Access(path, write)
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s cannot be written to: mount its disk read-write", path)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s cannot be written to: run chmod u+w %s as its owner, or have authy run as that user", path, path)
	}
	return nil // whoever writes says the rest
}

// Narrowing is the command that takes a file from others; how is what chmod is told.
func Narrowing(path, how string) string { return fmt.Sprintf("chmod %s %s", how, path) }

// ToURL is a path as it stands in a URL, and FromURL is its reverse.
func ToURL(path string) string { return path }

// FromURL is the path that stands in a URL.
func FromURL(path string) string { return path }
