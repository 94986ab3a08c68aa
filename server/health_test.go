package server

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/config"
	"authy/storage/storagetest"
)

// health is an answer of the two endpoints.
type health struct {
	Version   string            `json:"version"`
	Success   bool              `json:"success"`
	Code      int               `json:"code"`
	Message   string            `json:"message"`
	RequestID string            `json:"request_id"`
	Data      map[string]string `json:"data"`
}

func ask(t *testing.T, h http.Handler) health {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/ready", nil))
	var got health
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatalf("%s: %v", w.Body, err)
	}
	if got.Code != w.Code || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	return got
}

// prepared waits until the signing keys are there.
func prepared(t *testing.T, s *Services) {
	t.Helper()
	if err := s.Keys.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for s.Keys.Ready(t.Context()) != nil {
		if t.Context().Err() != nil {
			t.Fatal("no keys were made")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestTheProcessLives(t *testing.T) {
	t.Parallel()
	want := health{
		Version: "1.0", Success: true, Code: 200, Message: "Service is running",
		Data: map[string]string{"status": "healthy", "service": "authy2-backend"},
	}
	if diff := cmp.Diff(want, ask(t, http.HandlerFunc(serveHealth))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadinessNamesThePartThatFails(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	ready := &readiness{services: s}
	want := health{Version: "1.0", Code: 503, Message: "Not ready: keys is failing; the log says why"}
	want.Data = map[string]string{"database": "ok", "store": "ok", "keys": "failing"}
	if diff := cmp.Diff(want, ask(t, ready)); diff != "" {
		t.Errorf("before the keys are made (-want +got):\n%s", diff)
	}
	prepared(t, s)
	want = health{Version: "1.0", Success: true, Code: 200, Message: "Ready"}
	want.Data = map[string]string{"database": "ok", "store": "ok", "keys": "ok"}
	if diff := cmp.Diff(want, ask(t, ready)); diff != "" {
		t.Errorf("when all is well (-want +got):\n%s", diff)
	}
	ready.draining.Store(true)
	want = health{Version: "1.0", Code: 503, Message: "Not ready: the server is stopping"}
	want.Data = map[string]string{"database": "ok", "store": "ok", "keys": "ok", "server": "stopping"}
	if diff := cmp.Diff(want, ask(t, ready)); diff != "" {
		t.Errorf("while it stops (-want +got):\n%s", diff)
	}
}

func TestReadinessSaysWhenTheDatabaseIsGone(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := open(t, func(c *config.Config) { c.Database.URL = config.Secret(storagetest.URL(t, engine)) })
			prepared(t, s)
			if err := s.DB.Close(); err != nil {
				t.Fatal(err)
			}
			got := ask(t, &readiness{services: s})
			if got.Code != 503 || got.Data["database"] != "failing" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestReadinessSaysWhenTheStoreIsGone(t *testing.T) {
	t.Parallel()
	address, kill := startRedis(t)
	s := open(t, func(c *config.Config) { c.Redis.URL = config.Secret("redis://" + address) })
	prepared(t, s)
	ready := &readiness{services: s}
	if got := ask(t, ready); got.Code != 200 {
		t.Fatalf("with a store: %+v", got)
	}
	kill()
	began := time.Now()
	got := ask(t, ready)
	if got.Code != 200 || got.Data["store"] != "failing" || got.Data["database"] != "ok" || !strings.Contains(got.Message, "store") {
		t.Errorf("without it: %+v", got)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
	if strings.Contains(got.Message, address) {
		t.Errorf("the message %q shows the address", got.Message)
	}
}

// startRedis starts a redis-server of the test's own. Without the program the
// test is skipped, unless AUTHY_TEST_REQUIRE names redis.
func startRedis(t *testing.T) (address string, kill func()) {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), "redis") {
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
	// Not t.Context(): it ends before the cleanups that still use the server.
	cmd := exec.CommandContext(context.Background(), "redis-server", "--port", port, "--bind", "127.0.0.1",
		"--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	gone := false
	kill = func() {
		if !gone {
			gone = true
			_ = cmd.Process.Kill() // Wait reports the signal, which is no news here
			_ = cmd.Wait()
		}
	}
	t.Cleanup(kill)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close() // it was opened only to see whether someone answers
			return address, kill
		}
		if time.Now().After(deadline) {
			t.Fatalf("redis-server does not answer: %v", err)
		}
	}
}

func TestTheStartDoesWithoutTheStore(t *testing.T) {
	t.Parallel()
	s := open(t, func(c *config.Config) { c.Redis.URL = "redis://user:hunter2@127.0.0.1:1" })
	prepared(t, s)
	if got := ask(t, &readiness{services: s}); got.Code != 200 || got.Data["store"] != "failing" {
		t.Errorf("%+v", got)
	}
	err := s.Store.Ping(t.Context())
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v, want an error without the password", err)
	}
}
