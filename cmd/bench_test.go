package cmd

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkStart measures the program that is shipped: from the start of the
// process to its first answer, with a fresh and with an existing data
// directory; its size; and the memory it holds when idle.
//
//	go test ./cmd -run '^$' -bench Start -benchtime 5x
func BenchmarkStart(b *testing.B) {
	binary := filepath.Join(b.TempDir(), "authy")
	build := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "authy")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	info, err := os.Stat(binary)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("fresh", func(b *testing.B) {
		for b.Loop() {
			start(b, binary, b.TempDir())
		}
		b.ReportMetric(float64(info.Size())/1e6, "binary-MB")
	})
	b.Run("existing", func(b *testing.B) {
		dir := b.TempDir()
		start(b, binary, dir)
		b.ResetTimer()
		for b.Loop() {
			start(b, binary, dir)
		}
	})
}

// start runs a server over dir until it has answered once. The time after
// that, in which its memory is read and it is stopped, does not count.
func start(b *testing.B, binary, dir string) {
	b.Helper()
	address := freeAddress(b)
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	defer cancel()
	server := exec.CommandContext(ctx, binary, "serve", "--listen", address, "--public-url", "http://"+address)
	server.Dir = dir
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	for !answers(ctx, address) {
		if ctx.Err() != nil {
			b.Fatal("the server does not answer")
		}
	}
	b.StopTimer()
	defer b.StartTimer()
	quiet := time.NewTimer(2 * time.Second)
	<-quiet.C
	b.ReportMetric(residentMB(b, server.Process.Pid), "idle-MB")
	if err := server.Process.Signal(os.Interrupt); err != nil {
		b.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		b.Fatal(err)
	}
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // a benchmark
	return l.Addr().String()
}

func answers(ctx context.Context, address string) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/api/health", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return false
	}
	defer res.Body.Close() //nolint:errcheck // a benchmark
	return res.StatusCode == http.StatusOK
}

// residentMB reads how much memory a process holds.
func residentMB(b *testing.B, pid int) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if kilobytes, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			var n float64
			if _, err := fmt.Sscan(kilobytes, &n); err != nil {
				b.Fatal(err)
			}
			return n / 1024
		}
	}
	return 0
}
