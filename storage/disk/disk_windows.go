package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// lock locks a byte that is behind all that a file may hold: nobody else could read what is
// locked on Windows.
func lock(f *os.File) error {
	err := windows.LockFileEx(windows.Handle(f.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0,
		&windows.Overlapped{Offset: math.MaxUint32, OffsetHigh: math.MaxInt32})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
		return ErrLocked
	}
	return err
}

// Remove removes a file that this process has open, and perhaps locked, and closes it. One that
// another process has opened since then stays where it is: it is theirs now.
func Remove(f *os.File) error {
	err := f.Close()
	if removed := os.Remove(f.Name()); !errors.Is(removed, windows.ERROR_SHARING_VIOLATION) {
		err = errors.Join(err, removed)
	}
	return err
}

// Publish gives a file that this process has open the name by which others find it, for good, and
// closes it. What was there is replaced. No open file can be renamed on Windows.
func Publish(f *os.File, path string) error {
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// SyncDir does nothing: NTFS keeps a journal of names, and no directory can be flushed.
func SyncDir(string) error { return nil }

// Writable is nil: whoever writes says why that cannot be.
func Writable(string) error { return nil }

// Mkdir makes a directory, with what will be in it, for this user alone, besides administrators
// and the system.
func Mkdir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	return narrow(dir, "OICI")
}

// Narrow leaves a file to its owner alone, besides administrators and the system.
func Narrow(f *os.File) error { return narrow(f.Name(), "") }

// narrow sets who may do anything with a file, or, with the flags of inheritance, with a directory
// and what is in it. Nothing is inherited from above any more.
func narrow(path, flags string) error {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return fmt.Errorf("narrow %s: %w", path, err)
	}
	text := "D:P"
	for _, who := range []string{user.User.Sid.String(), "SY", "BA"} {
		text += fmt.Sprintf("(A;%s;FA;;;%s)", flags, who)
	}
	all, err := windows.SecurityDescriptorFromString(text)
	if err != nil {
		return fmt.Errorf("narrow %s: %w", path, err)
	}
	list, _, err := all.DACL()
	if err != nil {
		return fmt.Errorf("narrow %s: %w", path, err)
	}
	err = windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil)
	if err != nil {
		return fmt.Errorf("narrow %s: %w", path, err)
	}
	return nil
}

// Who may do anything with everything, or stands for the owner of a file.
var owners = []windows.WELL_KNOWN_SID_TYPE{
	windows.WinLocalSystemSid, windows.WinBuiltinAdministratorsSid,
	windows.WinCreatorOwnerSid, windows.WinCreatorOwnerRightsSid,
}

// Who is everybody on the machine.
var everybody = []windows.WELL_KNOWN_SID_TYPE{
	windows.WinWorldSid, windows.WinAuthenticatedUserSid, windows.WinBuiltinUsersSid,
	windows.WinBuiltinGuestsSid, windows.WinAnonymousSid, windows.WinInteractiveSid, windows.WinNetworkSid,
}

// Shared says whether others than its owner, administrators and the system may do with a file what
// the bits say, of which those of the group and of everybody count. The mode of a file says
// nothing about that on Windows, its access control list does.
func Shared(path string, _ fs.FileInfo, bits fs.FileMode) (bool, error) {
	found, err := windows.GetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.OWNER_SECURITY_INFORMATION|windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return false, fmt.Errorf("look who may read %s: %w", path, err)
	}
	owner, _, err := found.Owner()
	if err != nil {
		return false, fmt.Errorf("look who owns %s: %w", path, err)
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		return false, err
	}
	list, _, err := found.DACL()
	if errors.Is(err, windows.ERROR_OBJECT_NOT_FOUND) || err == nil && list == nil {
		return true, nil // without a list everybody may do anything
	}
	if err != nil {
		return false, fmt.Errorf("look who may read %s: %w", path, err)
	}
	for i := range uint32(list.AceCount) {
		var one *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, i, &one); err != nil {
			return false, fmt.Errorf("look who may read %s: %w", path, err)
		}
		who := (*windows.SID)(unsafe.Pointer(&one.SidStart))
		applies := one.Header.AceType == windows.ACCESS_ALLOWED_ACE_TYPE &&
			one.Header.AceFlags&windows.INHERIT_ONLY_ACE == 0 && one.Mask&rights(bits) != 0
		if applies && !isOne(who, owners) && !who.Equals(owner) && !who.Equals(user.User.Sid) &&
			(bits&0o070 != 0 || isOne(who, everybody)) {
			return true, nil
		}
	}
	return false, nil
}

// isOne says whether somebody is one of those who are known on every machine.
func isOne(who *windows.SID, known []windows.WELL_KNOWN_SID_TYPE) bool {
	return slices.ContainsFunc(known, who.IsWellKnown)
}

// rights is what the bits of a mode are in an access control list.
func rights(bits fs.FileMode) windows.ACCESS_MASK {
	mask := windows.ACCESS_MASK(windows.GENERIC_ALL)
	if bits&0o044 != 0 {
		mask |= windows.FILE_READ_DATA | windows.GENERIC_READ
	}
	if bits&0o022 != 0 {
		mask |= windows.FILE_WRITE_DATA | windows.FILE_APPEND_DATA | windows.GENERIC_WRITE
	}
	return mask
}

// Narrowing is the command that takes a file from others; how is for chmod, which is not here.
func Narrowing(path, _ string) string {
	return fmt.Sprintf(`icacls "%s" /inheritance:r /grant:r "%%USERNAME%%:(OI)(CI)F"`, path)
}

// ToURL is a path as it stands in a URL, /C:/dir/file for C:\dir\file, and FromURL is its reverse.
func ToURL(path string) string {
	path = filepath.ToSlash(path)
	if hasDrive(path) {
		path = "/" + path
	}
	return path
}

// FromURL is the path that stands in a URL.
func FromURL(path string) string {
	if rest, ok := strings.CutPrefix(path, "/"); ok && hasDrive(rest) {
		return rest
	}
	return path
}

// hasDrive says whether a path begins as C: does.
func hasDrive(path string) bool { return len(filepath.VolumeName(path)) == 2 }
