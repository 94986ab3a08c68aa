//go:build race

package gatehouse_test

// people are fewer where the race detector makes SQLite many times slower.
const people = 200
