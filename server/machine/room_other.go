//go:build !linux && !darwin && !freebsd

package machine

// RoomAt tells nothing here.
func RoomAt(string) Room { return Room{} }
