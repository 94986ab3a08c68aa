//go:build !faults

package cmd

import "time"

// The tag faults has more of each of these.
const (
	restarts   = 3               // of a server under load
	floodFor   = 2 * time.Second // how long it is flooded
	floodBound = time.Second     // what an answer may take then, on a machine with other things to do
)
