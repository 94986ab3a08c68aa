//go:build linux || darwin || freebsd

package overview

import "syscall"

// disk returns how many bytes are free for this process where a directory is, and
// how many there are in all; 0 if that cannot be told.
func disk(dir string) (free, total int64) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0, 0
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize) //nolint:gosec,unconvert // the types differ by system; no disk is that large
}
