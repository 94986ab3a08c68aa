package machine

import "strconv"

// Room is how much room a file system has, in bytes and in files; all is zero where
// that cannot be told.
type Room struct {
	Free, Total      int64
	FreeFiles, Files int64
	Disk             string // tells one file system from another
}

const (
	// LowRoom is how little free disk is worth a word, in bytes.
	LowRoom = 1 << 30
	// lowFiles is the same of files that can be made.
	lowFiles = 1000
)

// Low says whether the room is almost used up.
func (r Room) Low() bool {
	return r.Total > 0 && r.Free < LowRoom || r.Files > 0 && r.FreeFiles < lowFiles
}

// String says how much room is left.
func (r Room) String() string {
	if r.Free >= LowRoom {
		return strconv.FormatInt(r.FreeFiles, 10) + " files"
	}
	return strconv.FormatInt(r.Free>>20, 10) + " MiB"
}

// LowRoomAt returns the directories, each with the room that is left there, whose file
// systems are almost full: of two on the same one the first.
func LowRoomAt(dirs ...string) (low []string) {
	seen := map[string]bool{}
	for _, dir := range dirs {
		room := RoomAt(dir)
		if room.Low() && !seen[room.Disk] {
			seen[room.Disk] = true
			low = append(low, dir+" ("+room.String()+")")
		}
	}
	return low
}
