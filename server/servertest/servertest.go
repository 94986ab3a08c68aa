// Package servertest is a whole authy inside a test: the real services over a
// real database, listening on a free port, with the sample data and browsers
// to visit it.
package servertest

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"sync"
	"testing"
	"time"

	"authy/server"
	"authy/server/audit"
	"authy/server/config"
	"authy/storage/storagetest"
)

// Server is a running authy.
type Server struct {
	*server.Services
	// URL is its public URL, without a trailing slash.
	URL string
	// Stop stops it before the test ends.
	Stop func()
}

// Options change what New starts.
type Options struct {
	// Configure changes the configuration before anything is opened.
	Configure func(*config.Config)
	// DatabaseURL is a database to use; "" is a fresh SQLite one.
	DatabaseURL string
	// Empty leaves the sample data out.
	Empty bool
}

// New starts an authy with the sample data; it stops when the test ends.
func New(t testing.TB) *Server {
	t.Helper()
	return Start(t, Options{})
}

// Start starts an authy as o says; it stops when the test ends.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := config.Defaults()
	c.Listen = l.Addr().String()
	c.PublicURL = "http://" + c.Listen
	c.DataDir = t.TempDir()
	c.Security.SecretKey = config.Secret(storagetest.Secret)
	c.Security.BcryptCost = 4
	c.RateLimit.Enabled = false
	c.Database.URL = config.Secret(o.DatabaseURL)
	if o.DatabaseURL == "" {
		c.Database.URL = config.Secret(storagetest.URL(t, "sqlite"))
	}
	if o.Configure != nil {
		o.Configure(c)
	}
	services, err := server.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !o.Empty {
		if _, err := services.Seed(t.Context(), audit.Shell()); err != nil {
			t.Fatal(err)
		}
	}
	storagetest.LendKeys(t, services.DB)
	return &Server{Services: services, URL: c.PublicURL, Stop: run(t, services, l)}
}

// run serves until the test ends, or what it returns is called.
func run(t testing.TB, services *server.Services, l net.Listener) (end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- services.Serve(ctx, l, "test") }()
	end = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := services.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(end)
	return end
}

// Quiet silences the log of a test process; call it from TestMain or init.
func Quiet() { slog.SetDefault(slog.New(slog.DiscardHandler)) }

// Browser returns a client with cookies of its own that follows no redirect,
// so that a test sees each.
func Browser(t testing.TB) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	var transport http.RoundTripper = &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if contract, ok := http.DefaultTransport.(*Contract); ok {
		transport = contract.over(transport)
	}
	return &http.Client{
		Jar: jar, Timeout: 30 * time.Second, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
