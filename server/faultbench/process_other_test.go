//go:build !unix

package faultbench

import (
	"os/exec"
	"syscall"
)

func inGroup(*exec.Cmd) {}

// signal ends the server, whatever the signal: there is no other here.
func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Errorf("send %s: %v", s, err)
	}
}
