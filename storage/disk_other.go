//go:build !linux && !darwin && !freebsd

package storage

// freeBytes tells nothing here.
func freeBytes(string) (free int64, known bool) { return 0, false }
