package cmd

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"authy/server"
	"authy/server/audit"
	"authy/server/fault"
)

// sparing keeps a log short while the database, or another part, is away: of what
// is refused for now it writes a line a second for each message, which says how
// many others it stands for. A full disk is not filled by telling of it.
type sparing struct {
	slog.Handler
	seen *refusals
}

// refusals is when a line was last written, by message, and how many were left out.
type refusals struct {
	mu   sync.Mutex
	last map[string]time.Time
	more map[string]int
}

func newSparing(h slog.Handler) sparing {
	return sparing{h, &refusals{last: map[string]time.Time{}, more: map[string]int{}}}
}

// Handle implements [slog.Handler].
func (s sparing) Handle(ctx context.Context, r slog.Record) error {
	if !isRefusedForNow(r) {
		return s.Handler.Handle(ctx, r)
	}
	more, write := s.seen.note(r.Message, r.Time)
	if !write {
		return nil
	}
	if more > 0 {
		r = r.Clone()
		r.AddAttrs(slog.Int("more", more))
	}
	return s.Handler.Handle(ctx, r)
}

// note says whether a line with a message is to be written, and for how many
// others it stands.
func (s *refusals) note(message string, now time.Time) (more int, write bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last, ok := s.last[message]; ok && now.Sub(last) < time.Second && !now.Before(last) {
		s.more[message]++
		return 0, false
	}
	more = s.more[message]
	s.last[message], s.more[message] = now, 0
	return more, true
}

// isRefusedForNow says whether a line is about what will be possible again by
// itself.
func isRefusedForNow(r slog.Record) (refused bool) {
	r.Attrs(func(a slog.Attr) bool {
		switch v := a.Value.Any().(type) {
		case error:
			f, ok := fault.As(v)
			refused = ok && f.Kind == fault.Unavailable
		case int64:
			refused = a.Key == "status" && v == http.StatusServiceUnavailable
		}
		return !refused
	})
	return refused
}

// WithAttrs implements [slog.Handler].
func (s sparing) WithAttrs(attrs []slog.Attr) slog.Handler {
	return sparing{s.Handler.WithAttrs(attrs), s.seen}
}

// WithGroup implements [slog.Handler].
func (s sparing) WithGroup(name string) slog.Handler {
	return sparing{s.Handler.WithGroup(name), s.seen}
}

// traced adds to a line the id of the request that it is about, unless it has it. What
// a job complains of is noted.
type traced struct{ slog.Handler }

// Handle implements [slog.Handler].
func (t traced) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelWarn {
		server.NoteTrouble(ctx)
	}
	id := audit.FromContext(ctx).RequestID
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "request_id" {
			id = ""
		}
		return id != ""
	})
	if id != "" {
		r = r.Clone()
		r.AddAttrs(slog.String("request_id", id))
	}
	return t.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (t traced) WithAttrs(attrs []slog.Attr) slog.Handler { return traced{t.Handler.WithAttrs(attrs)} }

// WithGroup implements [slog.Handler].
func (t traced) WithGroup(name string) slog.Handler { return traced{t.Handler.WithGroup(name)} }
