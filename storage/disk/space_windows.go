package disk

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// SpaceAt returns how much room there is where a directory is. Windows counts no files.
func SpaceAt(dir string) Space {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return Space{}
	}
	var left, all uint64
	if windows.GetDiskFreeSpaceEx(path, &left, &all, nil) != nil {
		return Space{}
	}
	return Space{Free: int64(left), Total: int64(all), Disk: filepath.VolumeName(dir)} //nolint:gosec // no disk is that large
}
