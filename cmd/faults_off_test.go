//go:build !faults

package cmd

import "time"

// restarts is how often a server is restarted under load; the tag faults has more of it.
const restarts = 3

const floodFor = 4 * time.Second
