//go:build !linux && !darwin && !freebsd && !windows

package disk

// SpaceAt tells nothing here.
func SpaceAt(string) Space { return Space{} }
