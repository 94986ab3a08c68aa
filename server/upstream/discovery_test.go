package upstream

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"authy/server/outbound"
)

// library is a server with metadata.
type library struct {
	url  string
	n    atomic.Int64
	down atomic.Bool
}

func newLibrary(t *testing.T) *library {
	t.Helper()
	l := new(library)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		l.n.Add(1)
		if l.down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Write([]byte(strings.ReplaceAll( //nolint:errcheck // a test
			`{"issuer":"U","authorization_endpoint":"U/a","token_endpoint":"U/t","jwks_uri":"U/k"}`, "U", l.url)))
	}))
	t.Cleanup(server.Close)
	l.url = server.URL
	return l
}

func newTestDocuments() *documents {
	return newDocuments(outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}))
}

// age makes all that is known of an authority so much older.
func (d *documents) age(authority string, by time.Duration) {
	kept := d.of(authority)
	kept.mu.Lock()
	defer kept.mu.Unlock()
	kept.at, kept.tried = kept.at.Add(-by), kept.tried.Add(-by)
}

func TestMetadataIsAskedForOnceInAWhile(t *testing.T) {
	t.Parallel()
	l, d := newLibrary(t), newTestDocuments()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if m, err := d.get(t.Context(), l.url); err != nil || m.Issuer != l.url {
				t.Errorf("get() = %v, %v", m, err)
			}
		})
	}
	all.Wait()
	if n := l.n.Load(); n != 1 {
		t.Errorf("asked %d times for 50 at once, want once", n)
	}
	d.age(l.url, fresh)
	if _, err := d.get(t.Context(), l.url); err != nil {
		t.Error(err)
	}
	d.settle(l.url)
	if n := l.n.Load(); n != 2 {
		t.Errorf("asked %d times after an hour, want twice", n)
	}
}

// settle waits for the attempt that is being made.
func (d *documents) settle(authority string) {
	kept := d.of(authority)
	kept.mu.Lock()
	pending := kept.pending
	kept.mu.Unlock()
	if pending != nil {
		<-pending
	}
}

func TestMetadataOutlivesAProviderThatIsDownForAWhile(t *testing.T) {
	t.Parallel()
	l, d := newLibrary(t), newTestDocuments()
	if _, err := d.get(t.Context(), l.url); err != nil {
		t.Fatal(err)
	}
	l.down.Store(true)
	for range 3 {
		d.age(l.url, fresh)
		if m, err := d.get(t.Context(), l.url); err != nil || m == nil {
			t.Errorf("while it is down: %v, %v", m, err)
		}
		d.settle(l.url)
	}
	before := l.n.Load()
	if _, err := d.get(t.Context(), l.url); err != nil || l.n.Load() != before {
		t.Errorf("soon after a failure: %v, asked %d times more", err, l.n.Load()-before)
	}
	d.age(l.url, stale)
	if m, err := d.get(t.Context(), l.url); err == nil {
		t.Errorf("after a day: %v, want an error", m)
	}
	l.down.Store(false)
	d.age(l.url, retry)
	if _, err := d.get(t.Context(), l.url); err != nil {
		t.Errorf("when it is back: %v", err)
	}
}

func TestMetadataIsKeptOfSoManyProviders(t *testing.T) {
	t.Parallel()
	d := newTestDocuments()
	for i := range maxKept + 10 {
		d.of(strings.Repeat("x", i))
	}
	if n := len(d.kept); n > maxKept {
		t.Errorf("metadata of %d providers is kept", n)
	}
}
