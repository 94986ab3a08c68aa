//go:build !race

package servertest

// Race says that the race detector watches. A test that does one thing after another, very often,
// shows it nothing but takes ten times as long: [Some] of it is enough then, less [Often].
const Race = false
