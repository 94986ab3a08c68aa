package server

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"authy/server/api"
	"authy/server/steady"
)

// readyTimeout is how long a part may take to answer.
const readyTimeout = 2 * time.Second

// serveHealth says that the process lives; it asks nothing else. The name of
// the service is the predecessor's: monitors look for it.
func serveHealth(w http.ResponseWriter, r *http.Request) {
	api.WriteData(w, r, http.StatusOK, "Service is running",
		map[string]string{"status": "healthy", "service": "authy2-backend"})
}

// readiness says whether requests can be served, part by part. Without the store
// they can: were that a reason to take a node out, it would be one to take them all.
type readiness struct {
	services *Services
	draining atomic.Bool
}

func (h *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	status, message, parts := http.StatusOK, "Ready", map[string]string{}
	for name, check := range map[string]func(context.Context) error{
		"database": h.services.DB.Ping, "store": h.services.Store.Ping, "keys": h.services.Keys.Ready,
	} {
		parts[name] = "ok"
		err := check(ctx)
		switch {
		case err == nil:
			continue
		case name != "store":
			slog.WarnContext(ctx, "not ready", "part", name, "err", err)
			status, message = http.StatusServiceUnavailable, "Not ready: "+name+" is failing; the log says why"
		case status == http.StatusOK:
			message = "Ready, but the store is failing: attempts are counted without it; the log says why"
		}
		parts[name] = "failing"
	}
	if h.draining.Load() {
		parts["server"] = "stopping"
		status, message = http.StatusServiceUnavailable, "Not ready: the server is stopping"
	}
	api.WriteData(w, r, status, message, parts)
}

// serveSelf answers the question that the server asks itself at its public URL.
func (s *Services) serveSelf(w http.ResponseWriter, r *http.Request) {
	answer, err := s.Self.Answer(r, steady.Now())
	if err != nil {
		api.WriteFault(w, r, err)
		return
	}
	api.WriteData(w, r, http.StatusOK, "It is me", answer)
}
