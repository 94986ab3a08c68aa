package server

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
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
	address, kill := storagetest.Redis(t)
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
