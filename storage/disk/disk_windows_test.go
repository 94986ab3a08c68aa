package disk_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/windows"

	"authy/storage/disk"
)

// grant sets who may do what with a file, in the words of Windows.
func grant(t *testing.T, path, text string) {
	t.Helper()
	all, err := windows.SecurityDescriptorFromString(text)
	if err != nil {
		t.Fatal(err)
	}
	list, _, err := all.DACL()
	if err != nil {
		t.Fatal(err)
	}
	err = windows.SetNamedSecurityInfo(path, windows.SE_FILE_OBJECT,
		windows.DACL_SECURITY_INFORMATION|windows.PROTECTED_DACL_SECURITY_INFORMATION, nil, nil, list, nil)
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheListOfAFileSaysWhoSharesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	if err != nil {
		t.Fatal(err)
	}
	mine := "D:P(A;;FA;;;" + user.User.Sid.String() + ")(A;;FA;;;SY)(A;;FA;;;BA)"
	for text, want := range map[string]bool{
		mine:                   false,
		mine + "(A;;FR;;;WD)":  true,
		mine + "(A;;0x3;;;WD)": true,
	} {
		grant(t, path, text)
		if got, err := disk.Shared(path, nil, 0o077); got != want || err != nil {
			t.Errorf("Shared() of %s = %v, %v, want %v", text, got, err, want)
		}
	}
	grant(t, path, mine+"(A;;FR;;;WD)")
	if got, err := disk.Shared(path, nil, 0o002); got || err != nil {
		t.Errorf("Shared() for writing, where everybody reads, = %v, %v", got, err)
	}
}

func TestAPathOfADriveIsOneOfAURL(t *testing.T) {
	if got := disk.ToURL(`C:\dir\authy.db`); got != "/C:/dir/authy.db" {
		t.Errorf("ToURL() = %s", got)
	}
	if got := disk.FromURL("/C:/dir/authy.db"); got != "C:/dir/authy.db" {
		t.Errorf("FromURL() = %s", got)
	}
}
