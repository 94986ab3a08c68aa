package demo

import (
	"strings"
	"testing"
	"time"
)

func TestAThingOnTheShelfEndsInTime(t *testing.T) {
	t.Parallel()
	s := newShelf[string](time.Minute)
	now := time.Now()
	id := s.put(now, "a")
	if got, ok := s.look(now.Add(time.Minute-1), id); !ok || got != "a" {
		t.Errorf("look() = %q, %v just before the end, want a, true", got, ok)
	}
	if got, ok := s.look(now.Add(time.Minute), id); ok || got != "" {
		t.Errorf("look() = %q, %v at the end, want nothing", got, ok)
	}
	if s.drop(id) {
		t.Error("drop() = true for what has ended, want false")
	}
}

func TestAThingIsDroppedOnce(t *testing.T) {
	t.Parallel()
	s := newShelf[string](time.Minute)
	id := s.put(time.Now(), "a")
	if !s.drop(id) || s.drop(id) {
		t.Error("drop() twice is not true, then false")
	}
}

func TestAFullShelfLosesTheOldest(t *testing.T) {
	t.Parallel()
	s := newShelf[int](time.Minute)
	now := time.Now()
	var ids []string
	for n := range shelfLimit + 1 {
		ids = append(ids, s.put(now.Add(time.Duration(n)), n))
	}
	if _, ok := s.look(now, ids[0]); ok {
		t.Error("the oldest is there still")
	}
	for _, n := range []int{1, shelfLimit} {
		if got, ok := s.look(now, ids[n]); !ok || got != n {
			t.Errorf("look(%d) = %d, %v, want it there", n, got, ok)
		}
	}
}

func TestAGlimpseIsNotTheToken(t *testing.T) {
	t.Parallel()
	for token, want := range map[string]string{
		"":                                 "…",
		"short":                            "sh…",
		strings.Repeat("a", 24):            strings.Repeat("a", 12) + "…",
		strings.Repeat("a", 12) + "bcdefg": strings.Repeat("a", 9) + "…",
		strings.Repeat("a", 2000):          strings.Repeat("a", 12) + "…",
	} {
		if got := glimpse(token); got != want {
			t.Errorf("glimpse(%q) = %q, want %q", token, got, want)
		}
	}
}

func TestAnExpiryIsReadable(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		end  time.Time
		want string
	}{
		{time.Time{}, "does not say when it ends"},
		{now, "ended at 2026-11-25 12:00:00 UTC"},
		{now.Add(90 * time.Second), "valid for 1m30s, until 2026-11-25 12:01:30 UTC"},
	} {
		if got := expiry(now, test.end); got != test.want {
			t.Errorf("expiry(%v) = %q, want %q", test.end, got, test.want)
		}
	}
}

func TestALongAnswerIsShortened(t *testing.T) {
	t.Parallel()
	got := shortened(strings.Repeat("é", 400) + "x")
	if want := strings.Repeat("é", 250) + "…"; got != want {
		t.Errorf("shortened() = %q, want %q", got, want)
	}
	if got := shortened("x" + strings.Repeat("é", 400)); got != "x"+strings.Repeat("é", 249)+"…" {
		t.Errorf("shortened() = %q, want no half letter", got)
	}
	if got := shortened("short"); got != "short" {
		t.Errorf("shortened(short) = %q, want it whole", got)
	}
}
