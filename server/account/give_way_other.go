//go:build !linux

package account

// giveWay does nothing where threads have no priorities of their own.
func giveWay(int) {}
