//go:build faults

package cmd

// restarts is how often a server is restarted under load.
const restarts = 100
