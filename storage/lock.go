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

// Lock claims the database for a server until unlock is called or the process
// ends. SQLite's file has one server at a time, beside which commands may
// write; PostgreSQL has as many as there are nodes.
func (db *DB) Lock() (unlock func(), err error) {
	e, ok := db.engine.(*sqliteEngine)
	if !ok {
		return func() {}, nil
	}
	unlock, err = tryLock(e.path + ".lock")
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("another authy server is using %s: stop it first, "+
			"or give this one its own data_dir", e.path)
	}
	return unlock, err
}

// errLocked says that another process holds a lock.
var errLocked = errors.New("storage: locked")

// tryLock locks the file at path, which it makes, until unlock is called or the
// process ends, however it ends.
func tryLock(path string) (unlock func(), err error) {
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
	return func() { f.Close() }, nil //nolint:errcheck // closing gives the lock up
}

// waitForLock is [tryLock] that waits until whoever holds the lock lets go.
func waitForLock(ctx context.Context, path string) (unlock func(), err error) {
	again := time.NewTicker(lockPoll)
	defer again.Stop()
	for {
		unlock, err := tryLock(path)
		if !errors.Is(err, errLocked) {
			return unlock, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another process that migrates the database: %w", ctx.Err())
		}
	}
}
