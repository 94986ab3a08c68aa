package cmd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
)

// firstFD is the first file that systemd hands to a service (sd_listen_fds(3)).
const firstFD = 3

// inherited returns the socket that systemd has opened for this process, or nil
// if there is none. Connections wait in it while no authy runs, so that a
// restart refuses none.
func inherited() (net.Listener, error) {
	pid, count := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	// Whatever this process starts is not meant.
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		if err := os.Unsetenv(name); err != nil {
			return nil, fmt.Errorf("forget %s: %w", name, err)
		}
	}
	if count == "" || pid != strconv.Itoa(os.Getpid()) {
		return nil, nil
	}
	if count != "1" {
		return nil, fmt.Errorf("systemd passes %s sockets (LISTEN_FDS): "+
			"leave one ListenStream= in authy.socket", count)
	}
	f := os.NewFile(firstFD, "socket of systemd")
	l, err := net.FileListener(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("take the socket that systemd passes: %w; "+
			"it must be a ListenStream=", err), f.Close())
	}
	return l, f.Close() // l has a copy
}

// notify tells systemd how the service is (sd_notify(3)), where it has asked to
// be told: READY=1, STOPPING=1.
func notify(ctx context.Context, state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	// A name that begins with @ is abstract; net reads it as such.
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err == nil {
		_, err = c.Write([]byte(state))
		err = errors.Join(err, c.Close())
	}
	if err != nil {
		slog.WarnContext(ctx, "systemd not told how the service is", "state", state, "err", err)
	}
}
