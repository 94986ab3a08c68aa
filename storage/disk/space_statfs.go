//go:build linux || darwin || freebsd

package disk

import "syscall"

// Space is how many bytes this process may still write where a directory is, and how many there
// are in all.
func Space(dir string) (free, total int64, known bool) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return 0, 0, false
	}
	return int64(s.Bavail) * int64(s.Bsize), int64(s.Blocks) * int64(s.Bsize), true //nolint:gosec,unconvert // the types differ by system; no disk is that large
}
