//go:build linux || darwin || freebsd

package disk

import (
	"fmt"
	"os"
	"syscall"
)

// SpaceAt returns how much room there is where a directory is.
func SpaceAt(dir string) (s Space) {
	var all syscall.Statfs_t
	if syscall.Statfs(dir, &all) != nil {
		return s
	}
	s.Free, s.Total = int64(all.Bavail)*int64(all.Bsize), int64(all.Blocks)*int64(all.Bsize) //nolint:gosec,unconvert // the types differ by system; no disk is that large
	s.Files, s.FreeFiles = int64(all.Files), int64(all.Ffree)                                //nolint:gosec,unconvert // likewise
	if info, err := os.Stat(dir); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			s.Disk = fmt.Sprint(stat.Dev)
		}
	}
	return s
}
