//go:build linux || darwin || freebsd

package machine

import (
	"fmt"
	"os"
	"syscall"
)

// RoomAt returns how much room there is for this process where a directory is.
func RoomAt(dir string) (r Room) {
	var s syscall.Statfs_t
	if syscall.Statfs(dir, &s) != nil {
		return r
	}
	r.Free, r.Total = int64(s.Bavail)*int64(s.Bsize), int64(s.Blocks)*int64(s.Bsize) //nolint:gosec,unconvert // the types differ by system; no disk is that large
	r.Files, r.FreeFiles = int64(s.Files), int64(s.Ffree)                            //nolint:gosec,unconvert // likewise
	if info, err := os.Stat(dir); err == nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			r.Disk = fmt.Sprint(stat.Dev)
		}
	}
	return r
}
