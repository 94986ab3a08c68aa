package faultbench

import (
	"context"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// startRedis starts a redis-server until the end of the test and is its URL. Without one the test
// is skipped, unless AUTHY_TEST_REQUIRE lists it.
func startRedis(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), "redis") {
			t.Fatalf("redis-server is required by AUTHY_TEST_REQUIRE: %v", err)
		}
		t.Skipf("redis-server is not installed: %v", err)
	}
	address := freeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	server := exec.CommandContext(ctx, "redis-server",
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = server.Wait() // it was killed
	})
	for range 1000 {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close() // it was opened only to see whether someone answers
			return "redis://" + address
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatal("redis-server does not answer")
	return ""
}
