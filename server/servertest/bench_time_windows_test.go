package servertest_test

import (
	"syscall"
	"testing"
	"time"
)

// processorTime returns the processor time this process has used.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	self, err := syscall.GetCurrentProcess()
	if err != nil {
		b.Fatal(err)
	}
	var made, ended, system, own syscall.Filetime
	if err := syscall.GetProcessTimes(self, &made, &ended, &system, &own); err != nil {
		b.Fatal(err)
	}
	ticks := func(t syscall.Filetime) time.Duration {
		return 100 * time.Duration(uint64(t.HighDateTime)<<32|uint64(t.LowDateTime))
	}
	return ticks(system) + ticks(own)
}
