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
	slowFor    = 5 * time.Minute
)
