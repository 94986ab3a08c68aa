package machine

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// shared are the file systems of networks and of other machines, by their names in
// mountinfo; SQLite's log needs shared memory and locks that these do not keep.
var shared = []string{
	"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "lustre", "gfs2", "ocfs2", "beegfs", "vboxsf", "prl_fs",
	"fuse.sshfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.ceph-fuse", "fuse.davfs", "davfs", "fuse.smbnetfs",
	"fuse.juicefs", "fuse.goofys", "fuse.grpcfuse", "fuse.vmhgfs-fuse",
}

// mounts is where Linux tells what is mounted; other systems have no such file, and
// nothing is known of theirs.
const mounts = "/proc/self/mountinfo"

// wrongDisk says what is wrong with the file system of a database, or "".
func wrongDisk(path string) string {
	info, err := os.ReadFile(mounts)
	if err != nil {
		return ""
	}
	return wrongMount(string(info), path)
}

// wrongMount is wrongDisk, by what mountinfo says.
func wrongMount(info, path string) string {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		real = path
	}
	if real, err = filepath.Abs(real); err != nil {
		return ""
	}
	at, kind := mountOf(info, real)
	if !slices.Contains(shared, kind) {
		return ""
	}
	return fmt.Sprintf("the database %s is on a network file system (%s, mounted at %s), where SQLite can lose or tear data: "+
		"move data_dir to a local disk, or set database.url to PostgreSQL", path, kind, at)
}

// mountOf returns where the file system of a path is mounted, and its kind. The
// fields of a line end with "-" and the kind; a later mount hides an earlier one
// (proc(5), /proc/pid/mountinfo).
func mountOf(info, path string) (at, kind string) {
	for line := range strings.SplitSeq(info, "\n") {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Fields(before)
		if !ok || len(fields) < 5 {
			continue
		}
		point := unescaped.Replace(fields[4])
		if len(point) >= len(at) && holds(point, path) {
			at = point
			kind, _, _ = strings.Cut(after, " ")
		}
	}
	return at, kind
}

// unescaped are the characters that mountinfo writes in octal.
var unescaped = strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)

// holds says whether a path is below a directory, or is it.
func holds(dir, path string) bool {
	return dir == "/" || path == dir || strings.HasPrefix(path, dir+"/")
}
