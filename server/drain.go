package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// farewell is how long connections may take, once nobody listens any more, to
// end by themselves: each is told in the next answer that it is the last. One
// that is closed while a request is under way to it fails that request.
const farewell = time.Second

// Hasten has the server wait for no farewell when it stops: its clients are gone.
func (s *Services) Hasten() { s.farewell = 0 }

// sayGoodbye has each answer say, while the server drains, that the connection
// ends with it.
func (h *readiness) sayGoodbye(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// drain stops hs: see [Services.Serve].
func (s *Services) drain(ctx context.Context, hs *http.Server, l net.Listener, open *connections) error {
	c := s.Config.Server
	slog.InfoContext(ctx, "stopping, finishing requests",
		"delay", c.DrainDelay.String(), "grace", c.ShutdownGrace.String())
	if c.DrainDelay.Duration > 0 {
		<-time.After(c.DrainDelay.Duration)
	}
	grace, cancel := context.WithTimeout(ctx, c.ShutdownGrace.Duration)
	defer cancel()
	_ = l.Close() // Shutdown closes it again and says what of it
	open.wait(grace, s.farewell)
	if err := hs.Shutdown(grace); err != nil {
		slog.WarnContext(ctx, "some requests were cut off", "err", err)
		return hs.Close()
	}
	return nil
}
