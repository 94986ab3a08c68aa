//go:build faults

package storage_test

// long says whether the tests are run in full.
const long = true
