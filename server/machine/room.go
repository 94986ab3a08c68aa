package machine

import (
	"strconv"

	"authy/storage/disk"
)

const (
	// LowRoom is how little free disk is worth a word, in bytes.
	LowRoom = 1 << 30
	// lowFiles is the same of files that can be made.
	lowFiles = 1000
)

// isLow says whether the room is almost used up.
func isLow(s disk.Space) bool {
	return s.Total > 0 && s.Free < LowRoom || s.Files > 0 && s.FreeFiles < lowFiles
}

// left says how much room is left of what there is too little of.
func left(s disk.Space) string {
	if s.Free >= LowRoom {
		return strconv.FormatInt(s.FreeFiles, 10) + " files"
	}
	return strconv.FormatInt(s.Free>>20, 10) + " MiB"
}

// LowRoomAt returns the directories, each with the room that is left there, whose file
// systems are almost full: of two on the same one the first.
func LowRoomAt(dirs ...string) (low []string) {
	seen := map[string]bool{}
	for _, dir := range dirs {
		space := disk.SpaceAt(dir)
		if isLow(space) && !seen[space.Disk] {
			seen[space.Disk] = true
			low = append(low, dir+" ("+left(space)+")")
		}
	}
	return low
}
