package storage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"authy/storage/disk"
)

// lockPoll is how often a lock that another process holds is tried again.
const lockPoll = 20 * time.Millisecond

// waitForLock locks the file at path, which it makes, once whoever holds the lock has let go.
func waitForLock(ctx context.Context, path string) (unlock func(), err error) {
	again := time.NewTicker(lockPoll)
	defer again.Stop()
	for {
		unlock, err := tryLock(path)
		if !errors.Is(err, disk.ErrLocked) {
			return unlock, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another process that migrates the database: %w", ctx.Err())
		}
	}
}

// tryLock locks the file at path, which it makes. It is [disk.ErrLocked] while another process
// holds the lock. The file goes with the lock: one that is no longer at path when it is locked
// has gone already, and the next is tried.
func tryLock(path string) (unlock func(), err error) {
	for {
		f, err := disk.OpenLocked(path)
		if err != nil {
			return nil, fmt.Errorf("lock the database: %w", err)
		}
		if isAt(f, path) {
			return func() { _ = disk.Remove(f) }, nil // whoever comes next takes what is left of it
		}
		if err := f.Close(); err != nil {
			return nil, fmt.Errorf("lock the database: %w", err)
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
