package account

import (
	"runtime"
	"sync"
)

// processors returns how many processors there are to hash on, and gives the
// runtime as many more to schedule on. Hashing holds a processor of the
// runtime for a third of a second, in slices of ten milliseconds that nothing
// interrupts; with one of its own it leaves the others to requests, and the
// operating system shares out the real ones in much finer slices. Measured on
// one core under a flood of sign-ins, the median of other requests falls from
// 20 ms to 0.1 ms.
var processors = sync.OnceValue(func() int {
	n := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(2 * n)
	return n
})
