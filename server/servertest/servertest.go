// Package servertest is a whole authy inside a test: the real services over a
// real database, listening on a free port, with the sample data and browsers
// to visit it.
package servertest

import (
	"context"
	"crypto/tls"
	"errors"
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

// bcryptCost is the least there is.
const bcryptCost = 4

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
	c := configuration(l.Addr().String(), o.DatabaseURL)
	c.DataDir = t.TempDir()
	if o.Configure != nil {
		o.Configure(c)
	}
	seeded := o.Empty
	if c.Database.URL == "" {
		empty := o.Empty || c.Security.BcryptCost != bcryptCost // which its passwords are to have
		c.Database.URL, seeded = config.Secret(database(t, empty)), seeded || !empty
	}
	services, err := server.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	if !seeded {
		if _, err := services.Seed(t.Context(), audit.Shell()); err != nil {
			t.Fatal(err)
		}
	}
	storagetest.LendKeys(t, services.DB)
	return &Server{Services: services, URL: c.PublicURL, Stop: run(t, services, l)}
}

// configuration is that of a server which listens at an address.
func configuration(listen, databaseURL string) *config.Config {
	c := config.Defaults()
	c.Listen, c.PublicURL = listen, "http://"+listen
	c.Security.SecretKey = config.Secret(storagetest.Secret)
	c.Security.BcryptCost = bcryptCost
	c.RateLimit.Enabled = false
	c.Database.URL = config.Secret(databaseURL)
	return c
}

// database returns the URL of a fresh SQLite database, with the sample data unless it is to be
// empty.
func database(t testing.TB, empty bool) string {
	t.Helper()
	if empty {
		return storagetest.Migrated(t, "sqlite")
	}
	sample, err := sampleData()
	if err != nil {
		t.Fatal(err)
	}
	return storagetest.Copy(t, sample)
}

// sampleData is the content of a database with the sample data, which is made once in a process:
// every test begins with a copy of it.
var sampleData = sync.OnceValues(func() ([]byte, error) {
	return storagetest.Content(func(url string) error {
		ctx := context.Background()
		services, err := server.Open(ctx, configuration("127.0.0.1:1", url))
		if err != nil {
			return err
		}
		_, err = services.Seed(ctx, audit.Shell())
		return errors.Join(err, services.Close())
	})
})

// run serves until the test ends, or what it returns is called.
func run(t testing.TB, services *server.Services, l net.Listener) (end func()) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	services.Hasten()
	go func() { done <- services.Serve(ctx, l, "test") }()
	end = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
		knowsItsActions(t, services)
		if err := services.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(end)
	return end
}

// knowsItsActions fails when something was recorded that audit.Actions lacks. It looks at no more
// than the newest, and at nothing where the test has cut the database off.
func knowsItsActions(t testing.TB, services *server.Services) {
	t.Helper()
	events, err := services.DB.Events(context.WithoutCancel(t.Context()), 1000)
	if err != nil {
		return
	}
	for _, e := range events {
		if !audit.IsRecorded(e.Action) {
			t.Errorf("%s was recorded, and is not in audit.Actions", e.Action)
		}
	}
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
