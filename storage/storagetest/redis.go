package storagetest

import (
	"context"
	"net"
	"os/exec"
	"testing"
	"time"
)

// Redis starts a redis-server without persistence, with arguments of the test's own, and returns
// its address and what kills it, as the end of the test does. Without the program the test is
// skipped, unless AUTHY_TEST_REQUIRE names redis.
func Redis(t testing.TB, args ...string) (address string, kill func()) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if required("redis") {
			t.Fatalf("redis-server is required by AUTHY_TEST_REQUIRE: %v", err)
		}
		t.Skipf("redis-server is not installed: %v", err)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	_, port, err := net.SplitHostPort(address)
	if err != nil || l.Close() != nil {
		t.Fatalf("free %s: %v", address, err)
	}
	args = append([]string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir(),
	}, args...)
	// Not t.Context(): it ends before the cleanups that still use the server.
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "redis-server", args...) //nolint:gosec // ours
	if err := cmd.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}
	kill = func() {
		cancel()
		_ = cmd.Wait() // it was killed, which is no news here
	}
	t.Cleanup(kill)
	awaitAddress(t, address)
	return address, kill
}

// awaitAddress returns when somebody takes connections at an address.
func awaitAddress(t testing.TB, address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), startLimit)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close() // it was opened only to see whether someone answers
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("nobody answers at %s: %v", address, err)
		}
	}
}
