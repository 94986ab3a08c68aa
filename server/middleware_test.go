package server

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/overview"
)

func request(peer string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = peer
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// forged are headers by which a client could pretend to be somewhere else.
var forged = []string{
	"X-Forwarded-For", "198.51.100.7", "X-Real-IP", "198.51.100.7", "Forwarded", "for=198.51.100.7",
	"True-Client-IP", "198.51.100.7", "CF-Connecting-IP", "198.51.100.7", "X-Client-IP", "198.51.100.7",
}

func TestAnUntrustedPeerIsWhereTheRequestCameFrom(t *testing.T) {
	t.Parallel()
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, trusted := range [][]netip.Prefix{nil, proxies} {
		address := clientAddress(trusted)
		for peer, want := range map[string]string{
			"192.0.2.1:1234":          "192.0.2.1",
			"[2001:db8::1]:1234":      "2001:db8::1",
			"[fe80::1%eth0]:1234":     "fe80::1%eth0",
			"[::ffff:192.0.2.1]:1234": "::ffff:192.0.2.1",
			"@":                       "@",
		} {
			if got := address(request(peer, forged...)); got != want {
				t.Errorf("from %s, trusting %v: %q, want %q", peer, trusted, got, want)
			}
		}
	}
}

func TestATrustedProxyTellsWhereARequestCameFrom(t *testing.T) {
	t.Parallel()
	address := clientAddress([]netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:ffff::/48"),
	})
	for _, c := range []struct {
		name, peer string
		forwarded  []string // X-Forwarded-For, a header each
		want       string
	}{
		{"one hop", "10.0.0.1:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"an IPv6 proxy", "[2001:db8:ffff::1]:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"a mapped proxy", "[::ffff:10.0.0.1]:1", []string{"198.51.100.7"}, "198.51.100.7"},
		{"two proxies", "10.0.0.1:1", []string{"198.51.100.7, 10.0.0.2"}, "198.51.100.7"},
		{"what the client claims stands left", "10.0.0.1:1", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7"},
		{"in a header of its own", "10.0.0.1:1", []string{"203.0.113.9", "198.51.100.7"}, "198.51.100.7"},
		{"a proxy's address claimed", "10.0.0.1:1", []string{"10.0.0.9, 198.51.100.7"}, "198.51.100.7"},
		{"proxies only", "10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{"nothing said", "10.0.0.1:1", nil, "10.0.0.1"},
		{"nothing in it", "10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"nonsense", "10.0.0.1:1", []string{"x"}, "10.0.0.1"},
		{"nonsense to the right", "10.0.0.1:1", []string{"198.51.100.7, x"}, "10.0.0.1"},
		{"nonsense to the left", "10.0.0.1:1", []string{"x, 198.51.100.7"}, "198.51.100.7"},
		{"nonsense behind a proxy", "10.0.0.1:1", []string{"198.51.100.7, x, 10.0.0.2"}, "10.0.0.2"},
		{"with a port", "10.0.0.1:1", []string{"1.2.3.4:80, x"}, "10.0.0.1"},
		{"with a zone", "10.0.0.1:1", []string{"fe80::1%eth0"}, "fe80::1"},
		{"mapped", "10.0.0.1:1", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		{"a mapped proxy", "10.0.0.1:1", []string{"198.51.100.7, ::ffff:10.0.0.2"}, "198.51.100.7"},
	} {
		var header []string
		for _, value := range c.forwarded {
			header = append(header, "X-Forwarded-For", value)
		}
		header = append(header, forged[2:]...)
		if got := address(request(c.peer, header...)); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestRequestIDsAreRepeatedIfTheyAreFit(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"abcd1234", "ABC-def_123", uuid.NewString(), strings.Repeat("a", 64)} {
		if got := requestID(request("192.0.2.1:1", "X-Request-ID", id)); got != id {
			t.Errorf("%q became %q", id, got)
		}
	}
	for _, id := range []string{
		"", "short", strings.Repeat("a", 65), strings.Repeat("a", 1<<20), "with space", "semi;colon", "a\r\nb: c12",
		"\x1b[31mred!", "<script>1", "äöüäöüäö", "../../../..", "null\x00null", `"}quoted`, "%0d%0a%0d%0a",
	} {
		got := requestID(request("192.0.2.1:1", "X-Request-ID", id))
		if _, err := uuid.Parse(got); err != nil || got == id {
			t.Errorf("%q became %q, want a fresh UUID", id, got)
		}
	}
}

// around puts what every request has around h.
func around(h http.HandlerFunc) http.Handler {
	c := config.Defaults()
	return (&Services{Config: c, Overview: overview.New(nil, c)}).wrap(h)
}

func TestAHandlerLearnsWhoAsks(t *testing.T) {
	t.Parallel()
	var by audit.Actor
	r := request("192.0.2.1:1", "X-Request-ID", "request-1", "User-Agent", "agent")
	around(func(_ http.ResponseWriter, r *http.Request) { by = audit.FromContext(r.Context()) }).
		ServeHTTP(httptest.NewRecorder(), r)
	want := audit.Actor{Kind: audit.Anonymous, IPAddress: "192.0.2.1", UserAgent: "agent", RequestID: "request-1"}
	if by != want {
		t.Errorf("actor = %+v, want %+v", by, want)
	}
}

func TestAPanicIsAnsweredAndTellsNothing(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/account", "/api/v1/auth/me"} {
		r := request("192.0.2.1:1", "X-Request-ID", "request-1")
		r.URL.Path = path
		w := httptest.NewRecorder()
		around(func(http.ResponseWriter, *http.Request) { panic("secret DSN") }).ServeHTTP(w, r)
		if w.Code != 500 || strings.Contains(w.Body.String(), "DSN") || !strings.Contains(w.Body.String(), "request-1") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestAnAnswerThatHasBegunStaysAsItIs(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	around(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half")) // a recorder takes everything
		panic("late")
	}).ServeHTTP(w, request("192.0.2.1:1"))
	if w.Code != 200 || w.Body.String() != "half" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// A client that does not wait for its answer is nobody's trouble; a panic is, all the same.
func TestAClientThatHasGoneIsNoFailure(t *testing.T) {
	t.Parallel()
	gone, leave := context.WithCancel(t.Context())
	leave()
	fails := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	for _, test := range []struct {
		name   string
		ctx    context.Context
		handle http.HandlerFunc
		want   int
	}{
		{"it waits", t.Context(), fails(500), 500},
		{"it has gone", gone, fails(500), statusGone},
		{"it has gone from a busy server", gone, fails(503), statusGone},
		{"it was answered before", gone, fails(200), 200},
		{"a panic", gone, func(http.ResponseWriter, *http.Request) { panic("at the disco") }, 500},
	} {
		w, r := &recorder{ResponseWriter: httptest.NewRecorder()}, request("192.0.2.1:1").WithContext(test.ctx)
		func() {
			defer finish(w, r, &audit.Actor{}, time.Now())
			test.handle(w, r)
		}()
		if w.status != test.want {
			t.Errorf("%s: the status is %d, want %d", test.name, w.status, test.want)
		}
	}
}

func TestAHandlerMayCutTheConnection(t *testing.T) {
	t.Parallel()
	defer func() {
		if p := recover(); p != http.ErrAbortHandler { //nolint:errorlint // the very value
			t.Errorf("recovered %v, want http.ErrAbortHandler", p)
		}
	}()
	around(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }).
		ServeHTTP(httptest.NewRecorder(), request("192.0.2.1:1"))
}

func TestARecorderKeepsTheFirstStatus(t *testing.T) {
	t.Parallel()
	w := &recorder{ResponseWriter: httptest.NewRecorder()}
	w.WriteHeader(http.StatusTeapot)
	w.WriteHeader(http.StatusOK)
	if w.status != http.StatusTeapot {
		t.Errorf("status = %d", w.status)
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		t.Errorf("the writer below is not found: %v", err)
	}
}

func TestHTTPSIsRemembered(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{true, false} {
		h := http.Header{}
		setHeaders(h, "request-1", secure)
		if got := h.Get("Strict-Transport-Security") != ""; got != secure {
			t.Errorf("secure %v: HSTS %v", secure, got)
		}
	}
}

// open builds the services over a fresh database as config says.
func open(t *testing.T, change func(c *config.Config)) *Services {
	t.Helper()
	c := config.Defaults()
	c.DataDir = t.TempDir()
	c.Security.SecretKey = "a secret key of thirty-two bytes"
	c.Security.BcryptCost = 4
	if change != nil {
		change(c)
	}
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestClosingTwiceIsNoError(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAWrongSecretKeyStopsTheStart(t *testing.T) {
	t.Parallel()
	s := open(t, nil)
	other := *s.Config
	other.Security.SecretKey = "another key of thirty-two bytes!"
	again, err := Open(context.WithoutCancel(t.Context()), &other)
	if err == nil {
		_ = again.Close() // the test has failed already
		t.Fatal("it opened")
	}
	for _, secret := range []string{"another key", "thirty-two"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%v shows %q", err, secret)
		}
	}
}
