//go:build unix

package faultbench

import (
	"errors"
	"os/exec"
	"syscall"
)

// inGroup gives a process a group of its own, with what it starts.
func inGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// signal sends a signal to the server, and to what runs it.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := syscall.Kill(-p.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		p.t.Errorf("send %s: %v", s, err)
	}
}
