//go:build faults

package storage_test

// faultsAt are the calls at which a disk fails once.
var faultsAt = []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 30, 50, 80}
