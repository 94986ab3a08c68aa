package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// farewell is how long requests in progress have when the application stops.
const farewell = 5 * time.Second

// Run listens on the host and port of the redirect URL until ctx ends, then finishes what is in
// progress. An application behind https needs a proxy that ends TLS, and its Handler there.
func (a *App) Run(ctx context.Context) error {
	if a.redirect.Scheme != "http" {
		return fmt.Errorf("serve %s: the demo application speaks http only", a.config.RedirectURL)
	}
	port := a.redirect.Port()
	if port == "" {
		port = "80"
	}
	address := net.JoinHostPort(a.redirect.Hostname(), port)
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("start the demo application: %w", err)
	}
	server := &http.Server{
		Handler:           a.Handler(),
		ReadHeaderTimeout: patience,
		ReadTimeout:       patience,
		WriteTimeout:      3*patience + farewell, // a callback asks the provider three times
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	return serve(ctx, server, listener)
}

// serve runs the server until ctx ends or the server breaks.
func serve(ctx context.Context, server *http.Server, listener net.Listener) error {
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return fmt.Errorf("serve the demo application: %w", err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := server.Shutdown(last); err != nil {
		return fmt.Errorf("stop the demo application: %w", err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("stop the demo application: %w", err)
	}
	return nil
}
