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
	runtime.GOMAXPROCS(2*n + spare(n))
	return n
})

// spare is how many passwords are hashed beside those on n processors, of those who are known.
func spare(n int) int { return (n + 1) / 2 }

// thread gives way to those that answer requests. It does nothing but hash, and never
// ends: a priority cannot be raised again, and a thread that ends takes the processes
// with it that were started from it and are to end with their parent (prctl(2),
// PR_SET_PDEATHSIG).
type thread struct {
	work chan func() error
	done chan error
}

// How far threads stand back, as nice(1) counts it: beside one that does not and wants
// everything, who is known has two fifths of a processor, and a stranger a quarter. With
// less a machine that has other things to do would let nobody in from elsewhere.
const (
	nicenessKnown    = 1
	nicenessStranger = 5
)

// forStrangers and forKnown are the threads that have nothing to do; there are as many as
// there are turns.
var (
	forStrangers = startThreads(processors(), nicenessStranger)
	forKnown     = startThreads(processors()+spare(processors()), nicenessKnown)
)

func startThreads(n, niceness int) chan thread {
	idle := make(chan thread, n)
	for range n {
		t := thread{make(chan func() error), make(chan error)}
		go func() {
			runtime.LockOSThread()
			giveWay(niceness)
			for do := range t.work {
				t.done <- do()
			}
		}()
		idle <- t
	}
	return idle
}
