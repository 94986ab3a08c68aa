//go:build !faults

package storage_test

// faultsAt are the calls at which a disk fails once; the tag faults has more of them.
var faultsAt = []int{1, 3}
