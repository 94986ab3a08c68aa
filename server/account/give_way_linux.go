package account

import "syscall"

// giveWay lowers the priority of the calling thread; on Linux each has its own.
func giveWay(niceness int) {
	// Where it is not allowed, hashing is merely less polite.
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness)
}
