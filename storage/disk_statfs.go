//go:build linux || darwin || freebsd

package storage

import "syscall"

// freeBytes is how much this process may still write where a directory is.
func freeBytes(dir string) (free int64, known bool) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), true //nolint:gosec,unconvert // the types differ by system; no disk is that large
}
