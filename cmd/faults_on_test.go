//go:build faults

package cmd

import "time"

// What is done once, and for long.
const (
	restarts   = 100
	floodFor   = 30 * time.Second
	floodBound = 250 * time.Millisecond
	slowLimit  = 10_000
	slowClient = 10_000
	slowByte   = 10 * time.Second
	slowQueue  = 15 * time.Second // the kernel has those wait that it cannot queue: 1, 2, 4 and 8 s
	slowFor    = 5 * time.Minute
)
