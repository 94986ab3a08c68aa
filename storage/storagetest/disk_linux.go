package storagetest

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
)

// diskVariable names, in a process that has mounts of its own, the test that it is for.
const diskVariable = "AUTHY_TEST_DISK"

// Disk gives a test a small file system of its own and returns where it is mounted. It runs the
// test once more, in a process with mounts of its own, where it returns true; where it returns
// false that is over and the test has nothing left to do. It skips where that is not allowed.
func Disk(t *testing.T, kilobytes int) (dir string, inside bool) {
	t.Helper()
	if os.Getenv(diskVariable) != t.Name() {
		runWithMounts(t)
		return "", false
	}
	dir = t.TempDir()
	if err := syscall.Mount("none", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		t.Skip("mounts cannot be made private: ", err)
	}
	if err := syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kilobytes)); err != nil {
		t.Skip("a tmpfs cannot be mounted: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, true
}

func runWithMounts(t *testing.T) {
	t.Helper()
	name := "-test.run=^" + regexp.QuoteMeta(t.Name()) + "$"
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", name) //nolint:gosec // itself
	cmd.Env = append(os.Environ(), diskVariable+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	switch {
	case cmd.Process == nil:
		t.Skip("no process can have mounts of its own here: ", err)
	case err != nil:
		t.Errorf("on a disk of its own: %v\n%s", err, out)
	default:
		t.Logf("on a disk of its own:\n%s", out)
	}
}

// ReadOnly turns writing to a file system that [Disk] has made off, and on again.
func ReadOnly(t *testing.T, dir string, on bool) {
	t.Helper()
	flags := uintptr(syscall.MS_REMOUNT)
	if on {
		flags |= syscall.MS_RDONLY
	}
	if err := syscall.Mount("none", dir, "", flags, ""); err != nil {
		t.Fatalf("remount %s: %v", dir, err)
	}
}
