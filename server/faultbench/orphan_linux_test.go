package faultbench

import "syscall"

// orphan has the system end a process whose parent has ended.
func orphan(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGKILL }
