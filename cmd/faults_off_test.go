//go:build !faults

package cmd

// restarts is how often a server is restarted under load; the tag faults has more of it.
const restarts = 3
