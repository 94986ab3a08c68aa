package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"authy/server/machine"
)

// The limits of a connection. A client that is slow to send its header or its
// body is let go.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	writeTimeout  = 60 * time.Second
	idleTimeout   = 120 * time.Second
	maxHeader     = 32 << 10
)

// Handler is all of authy as one [http.Handler], ready to serve, and the
// function that stops what runs by itself.
func (s *Services) Handler(ctx context.Context, version string) (http.Handler, func(), error) {
	return s.start(ctx, version, &readiness{services: s})
}

func (s *Services) start(ctx context.Context, version string, ready *readiness) (http.Handler, func(), error) {
	if err := s.Keys.Prepare(ctx); err != nil {
		return nil, nil, err
	}
	if err := s.Providers.Sync(ctx, s.Config.Providers); err != nil {
		return nil, nil, fmt.Errorf("set the identity providers of the configuration: %w", err)
	}
	if s.Config.State.File != "" {
		if err := s.ApplyState(ctx); err != nil {
			return nil, nil, err
		}
	}
	s.Places.Reload(ctx)
	scrape, err := s.prepareMetrics(version)
	if err != nil {
		return nil, nil, err
	}
	h, err := s.handler(version, ready, scrape)
	if err != nil {
		return nil, nil, err
	}
	shut, err := s.listenForMetrics(ctx, scrape)
	if err != nil {
		return nil, nil, err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	wait := s.run(running)
	return h, func() { cancel(); wait(); shut() }, nil
}

// ApplyState has everything be what the state file of the configuration says. On many
// nodes one after the other does, and the first alone has something to change.
func (s *Services) ApplyState(ctx context.Context) error {
	c := s.Config.State
	if err := s.State.ApplyFile(ctx, c.File, c.Prune); err != nil {
		return fmt.Errorf("apply the state file, which state.file names: %w", err)
	}
	return nil
}

// Serve answers on l until ctx ends. Then it drains: readiness turns false, and
// for the configured delay everything is still answered; it stops listening;
// connections may end by themselves for a moment; the requests that have begun
// are finished within the configured grace. It returns nil.
func (s *Services) Serve(ctx context.Context, l net.Listener, version string) error {
	listen, err := s.secured(l)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	ready := &readiness{services: s}
	handler, stop, err := s.start(ctx, version, ready)
	if ctx.Err() != nil {
		err = nil // stopped before it had started
	}
	if err != nil || handler == nil {
		return errors.Join(err, l.Close())
	}
	defer stop()
	defer s.warnUntil(ctx)()
	s.open.allow(ctx, s.Config.Server.MaxConnections)
	hs := &http.Server{
		Handler: ready.sayGoodbye(handler), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog:  slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
		ConnState: s.open.moved,
	}
	failed := make(chan error, 1)
	go func() { failed <- hs.Serve(listen) }()
	if s.Started != nil {
		s.Started()
	}
	select {
	case err := <-failed:
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	ready.draining.Store(true)
	if s.Stopping != nil {
		s.Stopping()
	}
	return s.drain(context.WithoutCancel(ctx), hs, l)
}

// secured returns l, with TLS where the server has a certificate of its own.
func (s *Services) secured(l net.Listener) (net.Listener, error) {
	files := s.Config.TLS
	if files.CertFile == "" {
		return l, nil
	}
	c, err := machine.NewCertificate(files.CertFile, files.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return tls.NewListener(l, c.Config()), nil
}
