//go:build unix

package disk_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"authy/storage/disk"
)

func TestTheModeOfAFileSaysWhoSharesIt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		mode, bits fs.FileMode
		want       bool
	}{
		{0o600, 0o077, false},
		{0o700, 0o777, false}, // the owner's bits are nobody else's
		{0o640, 0o077, true},
		{0o640, 0o007, false},
		{0o644, 0o007, true},
		{0o644, 0o002, false},
		{0o602, 0o002, true},
	} {
		if err := os.Chmod(path, test.mode); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := disk.Shared(path, info, test.bits); got != test.want || err != nil {
			t.Errorf("Shared(%04o, %04o) = %v, %v, want %v", test.mode, test.bits, got, err, test.want)
		}
	}
}
