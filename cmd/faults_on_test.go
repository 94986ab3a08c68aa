//go:build faults

package cmd

import "time"

// What is done once, and for long.
const (
	restarts   = 100
	floodFor   = 30 * time.Second
	floodBound = 250 * time.Millisecond
)
