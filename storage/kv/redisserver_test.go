package kv

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisServer is a redis-server of the test's own, without persistence.
type redisServer struct {
	address string
	args    []string
	process *exec.Cmd
}

// startRedis starts a redis-server from PATH until the end of the test. Without one the test
// is skipped, unless AUTHY_TEST_REQUIRE names redis.
func startRedis(t testing.TB, args ...string) *redisServer {
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
		t.Fatalf("split %s: %v", address, err)
	}
	r := &redisServer{address: address, args: append([]string{
		"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", t.TempDir(),
	}, args...)}
	r.start(t)
	t.Cleanup(func() { r.kill(t) })
	return r
}

func (r *redisServer) url() string { return "redis://" + r.address }

// start runs the server and waits until it speaks.
func (r *redisServer) start(t testing.TB) {
	t.Helper()
	// Not t.Context(): it ends before the cleanups that still use the server.
	r.process = exec.CommandContext(context.Background(), "redis-server", r.args...)
	if err := r.process.Start(); err != nil {
		t.Fatalf("start redis-server: %v", err)
	}
	client := redis.NewClient(&redis.Options{Addr: r.address, MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := client.Ping(t.Context()).Err()
		if err == nil || redis.HasErrorPrefix(err, "NOAUTH") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server does not answer: %v", err)
		}
	}
}

// tell has the server do something, on a connection of its own.
func (r *redisServer) tell(t testing.TB, command ...any) string {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: r.address, MaxRetries: -1})
	defer client.Close()
	answer, err := client.Do(t.Context(), command...).Result()
	if err != nil {
		t.Fatalf("%v: %v", command, err)
	}
	return fmt.Sprint(answer)
}

// follow makes the server a replica of another, and waits until it has all.
func (r *redisServer) follow(t *testing.T, of *redisServer) {
	t.Helper()
	host, port, err := net.SplitHostPort(of.address)
	if err != nil {
		t.Fatal(err)
	}
	of.tell(t, "CONFIG", "SET", "repl-diskless-sync-delay", "0")
	r.tell(t, "REPLICAOF", host, port)
	waitUntil(t, "the replica has all", func() bool {
		return strings.Contains(r.tell(t, "INFO", "replication"), "master_link_status:up")
	})
}

// kill ends the server at once and without ceremony; killing it twice is fine.
func (r *redisServer) kill(t testing.TB) {
	t.Helper()
	if r.process == nil {
		return
	}
	if err := r.process.Process.Kill(); err != nil {
		t.Errorf("kill redis-server: %v", err)
	}
	// Wait always reports the signal, which is no news here.
	_ = r.process.Wait()
	r.process = nil
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

// relay stands between a client and a server. Muted, it swallows everything, as a network
// does that drops packets; connections that were muted once stay so.
type relay struct {
	listener net.Listener
	running  sync.WaitGroup
	mu       sync.Mutex
	muted    bool
	cutting  bool
	wires    []*wire
}

// wire is one direction of one connection.
type wire struct {
	relay   *relay
	to      net.Conn
	answers bool
	dead    bool
}

func startRelay(t testing.TB, target string) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	r := &relay{listener: l}
	r.running.Go(func() { r.accept(target) })
	t.Cleanup(r.close)
	return r
}

func (r *relay) address() string { return r.listener.Addr().String() }

func (r *relay) mute() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.muted = true
	for _, w := range r.wires {
		w.dead = true
	}
}

func (r *relay) unmute() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.muted = false
}

// cutNextAnswer makes the relay hang up, once, when the server has answered.
func (r *relay) cutNextAnswer() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cutting = true
}

// close hangs up on everyone. Half of the connections are closed already, so errors of Close
// say nothing, here and below.
func (r *relay) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	for _, w := range r.wires {
		_ = w.to.Close()
	}
	r.mu.Unlock()
	r.running.Wait()
}

func (r *relay) accept(target string) {
	for {
		client, err := r.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", target)
		if err != nil {
			_ = client.Close()
			continue
		}
		r.pass(client, &wire{relay: r, to: server})
		r.pass(server, &wire{relay: r, to: client, answers: true})
	}
}

func (r *relay) pass(from net.Conn, w *wire) {
	r.mu.Lock()
	w.dead = r.muted
	r.wires = append(r.wires, w)
	r.mu.Unlock()
	r.running.Go(func() {
		defer w.to.Close()
		// Either side may hang up at any time; that is the end and no error.
		_, _ = io.Copy(w, from)
	})
}

func (w *wire) Write(b []byte) (int, error) {
	w.relay.mu.Lock()
	dead, cut := w.dead, w.answers && w.relay.cutting
	if cut {
		w.relay.cutting = false
	}
	w.relay.mu.Unlock()
	switch {
	case cut:
		return 0, io.ErrClosedPipe
	case dead:
		return len(b), nil
	default:
		return w.to.Write(b)
	}
}
