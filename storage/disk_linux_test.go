package storage_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// refusedLine is what a process that writes prints when a transaction is refused.
const refusedLine = "refused"

func TestAFullDiskRefusesWritesUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	dir, inside := storagetest.Disk(t, 6<<10)
	if !inside {
		return
	}
	url := sqliteURL(filepath.Join(dir, "authy.db"))
	db := again(t, url)
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	var acknowledged []string
	for range 3 {
		ballast := filepath.Join(dir, "ballast")
		fillDisk(t, ballast)
		last, err := fillDatabase(t, db, &acknowledged)
		if !errors.Is(err, storage.ErrUnavailable) || !strings.Contains(err.Error(), "full") {
			t.Fatalf("on a full disk: %v, want ErrUnavailable", err)
		}
		for range 20 { // it is not worn down either
			if err := db.Update(t.Context(), insertBulk()); !errors.Is(err, storage.ErrUnavailable) {
				t.Errorf("on a full disk: %v, want ErrUnavailable", err)
			}
		}
		if err := db.Ping(t.Context()); !errors.Is(err, storage.ErrUnavailable) {
			t.Errorf("Ping() = %v on a full disk", err)
		}
		if _, err := db.User(t.Context(), last); err != nil {
			t.Errorf("reading on a full disk: %v", err)
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		if err := db.Update(t.Context(), insertUser(newUser())); err != nil {
			t.Errorf("once there is room: %v", err)
		}
		eventually(t, 5*time.Second, "Ping", func() bool { return db.Ping(t.Context()) == nil })
	}
	checkUsers(t, db, acknowledged)
}

// fillDisk leaves no more than a few kilobytes to anyone else.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it cannot be written
	for err == nil {
		_, err = f.Write(make([]byte, 4<<10))
	}
	if info, err := f.Stat(); err != nil || f.Truncate(info.Size()-400<<10) != nil {
		t.Fatal("the disk was full before: ", err)
	}
}

// insertBulk is a transaction that takes some pages.
func insertBulk() func(tx *storage.Tx) error {
	return func(tx *storage.Tx) error {
		u := newUser()
		u.FullName = strings.Repeat("x", 30<<10)
		return tx.InsertUser(context.Background(), u)
	}
}

// fillDatabase writes until it is refused; it returns the last user that was written, and the
// refusal.
func fillDatabase(t *testing.T, db *storage.DB, ids *[]string) (last string, err error) {
	t.Helper()
	for range 10_000 {
		u := newUser()
		u.Email, u.FullName = u.ID+"@example.com", strings.Repeat("x", 8<<10)
		if err = db.Update(t.Context(), insertUser(u)); err != nil {
			return last, err
		}
		last, *ids = u.ID, append(*ids, u.ID)
	}
	return last, nil
}

func checkUsers(t *testing.T, db *storage.DB, ids []string) {
	t.Helper()
	if got := texts(t, db, "PRAGMA integrity_check"); got[0] != "ok" {
		t.Errorf("integrity_check = %q", got)
	}
	for _, id := range ids {
		if _, err := db.User(t.Context(), id); err != nil {
			t.Errorf("user %s was acknowledged: %v", id, err)
		}
	}
	t.Logf("%d acknowledged, none lost", len(ids))
}

// writePatiently is writeForever for a disk that gets well again: it goes on after a refusal.
func writePatiently(ctx context.Context, url string) error {
	db, err := storage.Open(ctx, storage.Options{URL: url, Secret: storagetest.Secret})
	if err != nil {
		return err
	}
	tick := time.NewTicker(5 * time.Millisecond)
	for range tick.C {
		u := newUser()
		u.Email = u.ID + "@example.com"
		line := u.ID
		switch err := db.Update(ctx, insertUser(u)); {
		case errors.Is(err, storage.ErrUnavailable):
			line = refusedLine
		case err != nil:
			return err
		}
		if _, err := os.Stdout.WriteString(line + "\n"); err != nil {
			return err
		}
	}
	return nil
}

// patient is a process that writes, and what it says of each transaction.
type patient struct {
	cmd   *exec.Cmd
	lines chan string
}

func startPatient(t *testing.T, url string, under ...string) *patient {
	t.Helper()
	argv := append(under, os.Args[0], "-test.run=^$")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), patientVariable+"="+url)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // to end it with what it runs under
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &patient{cmd, make(chan string, 1<<16)}
	go func() {
		defer close(p.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			p.lines <- scan.Text()
		}
	}()
	return p
}

// until returns the ids of what was acknowledged up to a line that is wanted.
func (p *patient) until(t *testing.T, what string, wanted func(line string) bool) (ids []string) {
	t.Helper()
	patience := time.NewTimer(20 * time.Second)
	defer patience.Stop()
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the process ended before %s", what)
			}
			if line != refusedLine {
				ids = append(ids, line)
			}
			if wanted(line) {
				return ids
			}
		case <-patience.C:
			t.Fatalf("no %s in 20 s", what)
		}
	}
}

func isRefused(line string) bool      { return line == refusedLine }
func isAcknowledged(line string) bool { return line != refusedLine }

// fault makes system calls of a process fail until what it returns is called.
func fault(t *testing.T, pid int, calls, errno string) (end func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "strace", "-f", "-q", "-o", "/dev/null", "-p", strconv.Itoa(pid),
		"-e", "trace="+calls, "-e", "inject="+calls+":error="+errno)
	if err := cmd.Start(); err != nil {
		t.Skip("strace is not to be had: ", err)
	}
	return func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was interrupted
	}
}

func TestAfterAFailedSyncNothingIsAcknowledgedUntilTheDiskIsWell(t *testing.T) {
	t.Parallel()
	for _, f := range []struct{ calls, errno string }{
		{"fsync,fdatasync", "EIO"}, {"pwrite64", "EIO"}, {"pwrite64", "ENOSPC"}, {"pwrite64", "EROFS"},
	} {
		t.Run(f.calls+" "+f.errno, func(t *testing.T) {
			t.Parallel()
			url := storagetest.Migrated(t, "sqlite")
			p := startPatient(t, url)
			ids := p.until(t, "a transaction", isAcknowledged)
			for range 2 {
				end := fault(t, p.cmd.Process.Pid, f.calls, f.errno)
				ids = append(ids, p.until(t, "a refusal", isRefused)...)
				for range 300 { // longer than it takes to try again
					if got := p.until(t, "a line", func(string) bool { return true }); len(got) > 0 {
						t.Errorf("%v were acknowledged on a disk that fails", got)
					}
				}
				end()
				ended := time.Now()
				ids = append(ids, p.until(t, "a transaction afterwards", isAcknowledged)...)
				if took := time.Since(ended); took > 5*time.Second {
					t.Errorf("it took %v to come back", took)
				}
			}
			checkPatient(t, url, p, ids)
		})
	}
}

// checkPatient kills the process and wants all that it has acknowledged, once.
func checkPatient(t *testing.T, url string, p *patient, ids []string) {
	t.Helper()
	_ = p.cmd.Cancel() // it may have ended by itself
	for line := range p.lines {
		if line != refusedLine {
			ids = append(ids, line)
		}
	}
	_ = p.cmd.Wait() // it was killed
	checkUsers(t, again(t, url), ids)
}

// A fault at one call alone, the n-th of each thread, wherever that meets the writer.
func TestAnyOneCallMayFail(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not to be had: ", err)
	}
	for _, n := range faultsAt {
		for _, calls := range []string{"fsync,fdatasync", "pwrite64", "ftruncate"} {
			t.Run(fmt.Sprint(calls, " ", n), func(t *testing.T) {
				t.Parallel()
				url := storagetest.Migrated(t, "sqlite")
				p := startPatient(t, url, "strace", "-f", "-q", "-o", "/dev/null", "-e", "trace="+calls,
					"-e", "inject="+calls+":error=EIO:when="+strconv.Itoa(n))
				var ids []string
				for line := range p.lines { // until it ends by itself, as it does where it cannot begin
					if isAcknowledged(line) {
						ids = append(ids, line)
					}
					if len(ids) == 100 {
						break
					}
				}
				checkPatient(t, url, p, ids)
				p = startPatient(t, url)
				checkPatient(t, url, p, p.until(t, "a transaction once the disk is well", isAcknowledged))
			})
		}
	}
}

func TestADatabaseOnAReadOnlyDiskIsRefusedInWords(t *testing.T) {
	t.Parallel()
	dir, inside := storagetest.Disk(t, 6<<10)
	if !inside {
		return
	}
	path := filepath.Join(dir, "authy.db")
	db := again(t, sqliteURL(path))
	if _, err := db.Migrate(t.Context(), storagetest.Files(t)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	storagetest.ReadOnly(t, dir, true)
	opened, err := storage.Open(t.Context(), storage.Options{URL: sqliteURL(path), Secret: storagetest.Secret})
	if err == nil {
		err = opened.TryWriting(t.Context())
		_ = opened.Close() // nothing was written
	}
	if err == nil || !strings.Contains(err.Error(), "written") && !strings.Contains(err.Error(), "read-only") {
		t.Errorf("on a read-only disk: %v, want it said", err)
	}
	t.Log(err)
	storagetest.ReadOnly(t, dir, false)
}
