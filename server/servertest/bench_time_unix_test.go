//go:build unix

package servertest_test

import (
	"syscall"
	"testing"
	"time"
)

// processorTime returns the processor time this process has used, which other
// processes on the machine do not change.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
