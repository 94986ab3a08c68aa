//go:build !linux

package faultbench

import "syscall"

// orphan would have the system end a process whose parent has ended; only Linux can.
func orphan(*syscall.SysProcAttr) {}
