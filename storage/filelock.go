package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockPoll is how often a lock that another process holds is tried again.
const lockPoll = 20 * time.Millisecond

// errLocked says that another process holds a lock.
var errLocked = errors.New("storage: locked")

// lockFile locks the file at path, which it makes, until it is closed or the process
// ends, however it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the database: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(errLocked, f.Close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}

// waitForLock is [lockFile] that waits until whoever holds the lock lets go. Its file goes
// with the lock: one that is no longer at path when it is locked has gone already.
func waitForLock(ctx context.Context, path string) (unlock func(), err error) {
	again := time.NewTicker(lockPoll)
	defer again.Stop()
	for {
		f, err := lockFile(path)
		if err == nil && isAt(f, path) {
			return func() { _, _ = os.Remove(path), f.Close() }, nil // closing gives the lock up
		}
		if err == nil {
			err = f.Close()
		}
		if err != nil && !errors.Is(err, errLocked) {
			return nil, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another process that migrates the database: %w", ctx.Err())
		}
	}
}

// isAt says whether the file at path is f.
func isAt(f *os.File, path string) bool {
	mine, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(mine, there)
}
