//go:build faults

package faultbench

// long says that the procedures run in their long form, as the build tag faults asks.
const long = true
