//go:build !faults

package cmd

import "time"

// What is done in the time of a test run; the tag faults has more of each.
const (
	restarts   = 3   // of a server under load
	slowLimit  = 200 // connections that a server allows
	slowClient = 400 // that are slow
	slowByte   = time.Second
	slowQueue  = 0
	slowFor    = 4 * time.Second
)
