package disk

import "golang.org/x/sys/windows"

// Space is how many bytes this process may still write where a directory is, and how many there
// are in all.
func Space(dir string) (free, total int64, known bool) {
	path, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, 0, false
	}
	var left, all uint64
	if windows.GetDiskFreeSpaceEx(path, &left, &all, nil) != nil {
		return 0, 0, false
	}
	return int64(left), int64(all), true
}
