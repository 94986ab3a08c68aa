package disk

// Space is how much room a file system has, in bytes and in files; all is zero where that
// cannot be told.
type Space struct {
	Free, Total      int64 // bytes, as far as this process may use them
	FreeFiles, Files int64
	Disk             string // tells one file system from another
}
