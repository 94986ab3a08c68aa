package kv

import (
	"context"
	"testing"
	"time"
)

func TestAWatchedStoreKeepsTheContract(t *testing.T) {
	t.Parallel()
	Contract(t, func(t *testing.T) Store { t.Helper(); return Watch(openMemory(t, maxEntries)) })
}

func TestOnlyFailuresCountAsSuch(t *testing.T) {
	t.Parallel()
	w := Watch(openMemory(t, maxEntries))
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := w.Get(ctx, "nothing"); err == nil {
		t.Error("nothing was found")
	}
	mustSet(t, w, "a", []byte("b"), time.Minute)
	cancel()
	_, _ = w.Get(ctx, "a") // whoever asked has gone
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.Delete(t.Context(), "a"); err == nil {
		t.Error("a closed store deletes")
	}
	if calls, failures, took := w.Usage(); calls != 4 || failures != 1 || took <= 0 {
		t.Errorf("%d calls, %d failures in %v, want 4 and 1", calls, failures, took)
	}
}
