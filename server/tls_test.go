package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/server/config"
	"authy/server/machine/machinetest"
)

// a certificate is replaced under load; nobody is refused, and half a file is not taken.
func TestACertificateIsReplacedUnderLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	put := func(p machinetest.Pair, part int, later time.Duration) {
		machinetest.Write(t, certFile, p.Cert[:len(p.Cert)/part], later)
		machinetest.Write(t, keyFile, p.Key, later)
	}
	first, second := machinetest.Good(t, "localhost"), machinetest.Good(t, "localhost")
	put(first, 1, 0)
	s := open(t, func(c *config.Config) {
		c.PublicURL, c.TLS = "https://localhost", config.TLS{CertFile: certFile, KeyFile: keyFile}
	})
	address := serve(t, s)

	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(first.Cert)
	roots.AppendCertsFromPEM(second.Cert)
	newClient := func(keep bool) *http.Client {
		return &http.Client{Transport: &http.Transport{
			ForceAttemptHTTP2: true, DisableKeepAlives: !keep, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "localhost"},
		}}
	}
	ask := func(c *http.Client) (serial string, err error) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+"/api/health", nil)
		if err != nil {
			return "", err
		}
		res, err := c.Do(r)
		if err != nil {
			return "", err
		}
		if res.ProtoMajor != 2 {
			t.Errorf("%s, want HTTP/2", res.Proto)
		}
		return res.TLS.PeerCertificates[0].SerialNumber.String(), res.Body.Close()
	}
	shown := func() string {
		serial, err := ask(newClient(false))
		if err != nil {
			t.Fatal(err)
		}
		return serial
	}

	var load sync.WaitGroup
	var stop atomic.Bool
	var asked atomic.Int64
	for i := range 4 {
		load.Go(func() {
			c := newClient(i%2 == 0)
			for !stop.Load() {
				if _, err := ask(c); err != nil {
					t.Errorf("after %d requests: %v", asked.Load(), err)
					return
				}
				asked.Add(1)
			}
		})
	}
	before := shown()
	put(second, 2, time.Second)
	for until := time.Now().Add(1500 * time.Millisecond); time.Now().Before(until); {
		if shown() != before {
			t.Error("half a certificate is taken")
		}
	}
	put(second, 1, 2*time.Second)
	for began := time.Now(); shown() == before; {
		if time.Since(began) > 5*time.Second {
			t.Fatal("the new certificate is not shown within 5 s")
		}
	}
	stop.Store(true)
	load.Wait()
	if asked.Load() == 0 {
		t.Error("there was no load")
	}
}

func TestACertificateThatCannotBeReadStopsTheStart(t *testing.T) {
	t.Parallel()
	s := open(t, func(c *config.Config) {
		c.PublicURL, c.TLS = "https://localhost", config.TLS{CertFile: "absent.crt", KeyFile: "absent.key"}
	})
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	err = s.Serve(t.Context(), l, "test")
	if err == nil || err.Error() != "read the certificate: stat absent.crt: no such file or directory" {
		t.Errorf("%v", err)
	}
}

// serve runs s until the test is over, and returns where.
func serve(t *testing.T, s *Services) (address string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Hasten()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, "test") }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}
