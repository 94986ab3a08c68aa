package server

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"authy/server/api"
	"authy/server/fault"
	"authy/storage/kv"
)

// MetricsPath is where Prometheus finds the metrics.
const MetricsPath = "/metrics"

// errMetrics is answered to who does not show the token.
var errMetrics = fault.New(fault.Unauthenticated, "metrics_token", "The metrics are for who shows their token.")

// watched returns a store whose operations are counted, if there are metrics.
func (s *Services) watched(store kv.Store) kv.Store {
	if !s.Config.Metrics.On() {
		return store
	}
	return kv.Watch(store)
}

// prepareMetrics begins to count, if there are metrics, and returns what answers for them.
func (s *Services) prepareMetrics(version string) (http.Handler, error) {
	if !s.Config.Metrics.On() {
		return nil, nil //nolint:nilnil // there are none
	}
	token, err := s.Config.Metrics.Token()
	if err != nil {
		return nil, err
	}
	s.metrics = newMetrics(version)
	s.DB.OnEvent(s.metrics.event)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token != "" && !shows(r, token) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			api.WriteFault(w, r, errMetrics)
			return
		}
		s.serveMetrics(w, r)
	}), nil
}

// listenForMetrics serves them at an address of their own, if there is one, until stop
// is called.
func (s *Services) listenForMetrics(ctx context.Context, handler http.Handler) (stop func(), err error) {
	address := s.Config.Metrics.Listen
	if address == "" {
		return func() {}, nil
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s for metrics: %w; is the port taken? Choose another for metrics.listen", address, err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET "+MetricsPath, handler)
	hs := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	slog.InfoContext(ctx, "metrics", "address", l.Addr().String(), "path", MetricsPath)
	go func() {
		if err := hs.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			slog.ErrorContext(ctx, "metrics are served no more", "err", err)
		}
	}()
	return func() { _ = hs.Close() }, nil // nobody waits for a scrape
}

// shows says whether a request shows a token, RFC 6750, section 2.1.
func shows(r *http.Request, token string) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1
}
