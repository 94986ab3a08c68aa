package account

import "syscall"

// niceness is how far hashing stands back: it has what others leave, and a third
// where they want everything.
const niceness = 5

// giveWay lowers the priority of the calling thread; on Linux each has its own.
func giveWay() {
	// Where it is not allowed, hashing is merely less polite.
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), niceness)
}
