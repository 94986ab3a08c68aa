package outbound

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func TestOnlyPublicAddressesAreReached(t *testing.T) {
	t.Parallel()
	c := New([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")})
	for ip, want := range map[string]bool{
		"9.9.9.9": true, "2620:fe::fe": true, "10.1.2.3": true, "::ffff:10.1.2.3": true,
		"127.0.0.1": false, "::1": false, "::ffff:127.0.0.1": false, "0.0.0.0": false, "::": false,
		"10.0.0.1": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "fe80::1": false,
		"fd00:ec2::254": false, "100.64.0.1": false, "224.0.0.1": false, "ff02::1": false, "255.255.255.255": false,
		"64:ff9b::a00:1": false, "2002:a00:1::": false, "192.0.0.8": false, "2001:db8::1": false,
	} {
		if got := c.permits(netip.MustParseAddr(ip)); got != want {
			t.Errorf("permits(%s) = %v, want %v", ip, got, want)
		}
	}
}

func TestAURLThatCannotBeAskedIsRefusedBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	c := New(loopback)
	for address, want := range map[string]bool{
		"https://rp.example/jwks": true, "http://127.0.0.1:1/x": true, "http://localhost/x": true, "http://[::1]/x": true,
		"http://rp.example/jwks": false, "https:///x": false, "/x": false, "": false, "ftp://rp.example/": false,
		"file:///etc/passwd": false, "gopher://127.0.0.1/": false, "https://user@rp.example/": false, "http://10.0.0.1/": false,
		"https://rp.example\x00/": false,
	} {
		if err := c.Check(address); (err == nil) != want || err != nil && !errors.Is(err, ErrURL) {
			t.Errorf("Check(%q) = %v, want allowed: %v", address, err, want)
		}
	}
}

func TestAPrivateAddressIsRefusedWhateverNameLeadsThere(t *testing.T) {
	t.Parallel()
	asked := false
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	t.Cleanup(server.Close)
	for _, address := range []string{server.URL, strings.Replace(server.URL, "127.0.0.1", "localhost", 1)} {
		if _, err := New(nil).Get(t.Context(), address, 10); !errors.Is(err, ErrURL) {
			t.Errorf("Get(%s) = %v, want refused", address, err)
		}
	}
	if asked {
		t.Error("the server was asked")
	}
}

func TestAnAnswerIsReadUpToItsLimitAndNotFollowed(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	mux.HandleFunc("/ten", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("0123456789")) }) //nolint:errcheck // a test
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ten", http.StatusFound) })
	mux.HandleFunc("/endless", func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	mux.HandleFunc("/form", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		w.Write([]byte(r.PostFormValue("a"))) //nolint:errcheck // a test
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c := New(loopback)
	if a, err := c.Get(t.Context(), server.URL+"/ten", 10); err != nil || string(a.Body) != "0123456789" {
		t.Errorf("ten bytes of ten: %v, %v", a, err)
	}
	for path, limit := range map[string]int64{"/ten": 9, "/away": 100, "/missing": 100, "/endless": 1 << 20} {
		if a, err := c.Get(t.Context(), server.URL+path, limit); err == nil {
			t.Errorf("Get(%s) with %d bytes = %v, want refused", path, limit, a)
		}
	}
	if a, err := c.Post(t.Context(), server.URL+"/form", url.Values{"a": {"b c"}}, 10); err != nil ||
		a.Status != http.StatusTeapot || string(a.Body) != "b c" {
		t.Errorf("Post() = %v, %v", a, err)
	}
}

func TestHeadersAreSentOnceAndTooLongAnswersNamed(t *testing.T) {
	t.Parallel()
	var got []http.Header
	mux := http.NewServeMux()
	mux.HandleFunc("/away", func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header)
		http.Redirect(w, r, "/ten", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/ten", func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header)
		w.Write([]byte("0123456789")) //nolint:errcheck // a test
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	header := http.Header{"Authorization": {"Bearer secret"}, "Accept": {"application/json"}, "User-Agent": {"x"}}
	a, err := New(loopback).Ask(t.Context(), Question{URL: server.URL + "/away", Header: header, Limit: 100})
	if err != nil || a.Status != http.StatusTemporaryRedirect || len(got) != 1 {
		t.Fatalf("Ask() = %v, %v, want one redirect that is not followed", a, err)
	}
	if got[0].Get("Authorization") != "Bearer secret" || got[0].Get("Accept") != "application/json" || got[0].Get("User-Agent") != "authy" {
		t.Errorf("sent with %v", got[0])
	}
	if header.Get("User-Agent") != "x" {
		t.Error("the header of the question was changed")
	}
	for what, form := range map[string]url.Values{"a document": nil, "an answer to a form": {}} {
		if a, err := New(loopback).Ask(t.Context(), Question{URL: server.URL + "/ten", Form: form, Limit: 9}); !errors.Is(err, ErrLong) {
			t.Errorf("%s of ten bytes, up to nine: %v, %v, want ErrLong", what, a, err)
		}
	}
}

func TestASilentServerIsGivenUp(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-done }))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(done) })
	began := time.Now()
	_, err := New(loopback).Get(t.Context(), server.URL, 10)
	if err == nil || time.Since(began) > patience+time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}
