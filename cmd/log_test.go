package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"authy/server/audit"
	"authy/storage"
)

func TestTheLogOfRefusalsIsALineASecondForEachCause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(newSparing(slog.NewTextHandler(&out, nil)))
		full := fmt.Errorf("write: %w", storage.ErrUnavailable)
		for range 30 { // three seconds
			log.WarnContext(t.Context(), "request refused for now", "err", full)
			log.With("a", "b").WarnContext(t.Context(), "request", "status", 503)
			log.InfoContext(t.Context(), "request", "status", 200)
			log.ErrorContext(t.Context(), "request failed", "err", errors.New("odd"))
			time.Sleep(100 * time.Millisecond)
		}
		for part, want := range map[string]int{
			"refused for now": 3, "status=503": 3, "more=9": 4, "status=200": 30, "err=odd": 30,
		} {
			if n := strings.Count(out.String(), part); n != want {
				t.Errorf("%d lines with %q, want %d", n, part, want)
			}
		}
	})
}

func TestALineOfARequestHasItsIDOnce(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(traced{newSparing(slog.NewJSONHandler(&out, nil))})
	ctx := audit.WithActor(t.Context(), &audit.Actor{RequestID: "the-request"})
	log.InfoContext(t.Context(), "of no request")
	log.InfoContext(ctx, "of a request")
	log.With("a", "b").WarnContext(ctx, "with more")
	log.WarnContext(ctx, "with its own", "request_id", "the-request")
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for i, want := range []int{0, 1, 1, 1} {
		if n := strings.Count(lines[i], `"request_id":"the-request"`); n != want {
			t.Errorf("%s has the id %d times, want %d", lines[i], n, want)
		}
	}
}
