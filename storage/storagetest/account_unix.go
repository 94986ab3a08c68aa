//go:build unix

package storagetest

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is whom a program runs as; nil is whoever runs the tests.
type account = *syscall.Credential

// unprivileged gives dir to the user postgres if the tests run as root, as whom PostgreSQL refuses
// to run, and returns whom to run as; nil is whoever runs the tests.
func unprivileged(dir string) (account, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(dir, int(uid), int(gid))
}

// runAs has a program run as somebody, in a group of processes of its own if it is to be apart.
func runAs(cmd *exec.Cmd, as account, apart bool) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Setpgid: apart}
}
