//go:build !race

package gatehouse_test

// people is how many come in a test of how long that takes.
const people = 2000
