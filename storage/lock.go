package storage

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// Lock claims the database for a server until unlock is called or the process
// ends. SQLite's file has one server at a time, beside which commands may
// write; PostgreSQL has as many as there are nodes.
func (db *DB) Lock() (unlock func(), err error) {
	e, ok := db.engine.(*sqliteEngine)
	if !ok {
		return func() {}, nil
	}
	path := e.path + ".lock"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("claim %s: %w", e.path, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another authy server is using %s: stop it first, "+
			"or give this one its own data_dir", e.path), f.Close())
	}
	return func() { f.Close() }, nil //nolint:errcheck // closing gives the lock up
}
