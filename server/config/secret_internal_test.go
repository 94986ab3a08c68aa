package config

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Some file systems have no hard links: FAT, and many that are on a network.
func TestAKeyIsMadeOnceWithoutHardLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, keyFile)
	noLinks := func(string, string) error { return syscall.EPERM }
	var wg sync.WaitGroup
	made := make([]bool, 8)
	for i := range made {
		wg.Go(func() {
			temp, err := writeKey(dir, string(rune('a'+i))+strings.Repeat("01", 32))
			if err != nil {
				t.Error(err)
				return
			}
			if made[i], err = nameKey(temp, path, noLinks); err != nil {
				t.Error(err)
			}
			_ = os.Remove(temp)
		})
	}
	wg.Wait()
	key, err := readKey(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, is := range made {
		if is != (key[0] == byte('a'+i)) {
			t.Errorf("process %d says that it has made the key: %t; the key is %s…", i, is, key[:1])
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("the directory holds %v, %v, want the key alone", left, err)
	}
}

func TestAKeyThatCannotTakeItsPlaceSaysWhereItIs(t *testing.T) {
	t.Parallel()
	c := Defaults()
	c.DataDir = t.TempDir()
	staged, err := c.StageSecret(Secret(strings.Repeat("ab", 32)), true)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(c.DataDir, keyFile)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err = staged.Take(time.Now())
	if err == nil || !strings.Contains(err.Error(), path+".restoring: rename that to "+path) {
		t.Errorf("Take() = %v, want which file is to be renamed", err)
	}
	if _, err := os.Stat(path + ".restoring"); err != nil {
		t.Errorf("the key is gone: %v", err)
	}
}
