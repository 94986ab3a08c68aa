package servertest_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/julienschmidt/httprouter"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/login"
	"authy/server/servertest"
)

// The read benchmarks compare authy's hot endpoints with a bare httprouter
// handler in the same process, over TCP and keep-alive connections, with a
// client that costs almost nothing. Run them together and read the ratio:
//
//	go test ./server/servertest -run '^$' -bench Read -cpu 1 -count 5

// hello is the floor: a router, a handler, twelve bytes.
func hello(b *testing.B) string {
	b.Helper()
	router := httprouter.New()
	router.GET("/hello", func(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
		io.WriteString(w, "hello, world") //nolint:errcheck // a benchmark
	})
	l, err := new(net.ListenConfig).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	hs := &http.Server{Handler: router, ReadHeaderTimeout: time.Minute}
	go hs.Serve(l)                   //nolint:errcheck // ends with the benchmark
	b.Cleanup(func() { hs.Close() }) //nolint:errcheck // a benchmark
	return l.Addr().String()
}

func BenchmarkRead(b *testing.B) {
	s := servertest.New(b)
	host := strings.TrimPrefix(s.URL, "http://")
	session, _, err := s.Login.Program(b.Context(), audit.Shell(), login.Credentials{Email: bob, Password: bobPass})
	if err != nil {
		b.Fatal(err)
	}
	access := accessToken(b, s)
	for _, one := range []struct{ name, host, path, token string }{
		{"hello", hello(b), "/hello", ""},
		{"me", host, "/api/v1/auth/me", session.Token},
		{"userinfo", host, "/oidc/userinfo", access},
		{"jwks", host, "/oidc/jwks", ""},
		{"discovery", host, "/.well-known/openid-configuration", ""},
	} {
		b.Run(one.name, func(b *testing.B) { readLoop(b, one.host, one.path, one.token) })
	}
}

// readLoop sends the same request over and over on 16 connections.
func readLoop(b *testing.B, host, path, token string) {
	b.Helper()
	request := "GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\n"
	if token != "" {
		request += "Authorization: Bearer " + token + "\r\n"
	}
	request += "\r\n"
	b.SetParallelism(16 / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	began := processorTime(b)
	b.RunParallel(func(pb *testing.PB) {
		conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", host)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close() //nolint:errcheck // a benchmark
		in := bufio.NewReader(conn)
		for pb.Next() {
			if err := roundTrip(conn, in, request); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
}

var contentLength = []byte("Content-Length: ")

// processorTime returns the processor time this process has used, which other
// processes on the machine do not change.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// roundTrip sends a request and reads a whole answer of status 200.
func roundTrip(conn net.Conn, in *bufio.Reader, request string) error {
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	length := 0
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && string(line[9:12]) != "200" {
			return fmt.Errorf("answer %q", line)
		}
		if len(line) <= 2 {
			break
		}
		if size, ok := bytes.CutPrefix(line, contentLength); ok {
			for _, digit := range bytes.TrimSpace(size) {
				length = length*10 + int(digit-'0')
			}
		}
	}
	if length == 0 {
		return fmt.Errorf("answer without Content-Length")
	}
	_, err := in.Discard(length)
	return err
}

// accessToken signs bob in at the portal and returns what it gets.
func accessToken(b *testing.B, s *servertest.Server) string {
	b.Helper()
	c := &oauth2.Config{
		ClientID: "acme-portal-001", ClientSecret: "acme_secret_portal_2024", RedirectURL: callback,
		Scopes:   []string{"openid", "profile", "email"},
		Endpoint: oauth2.Endpoint{AuthURL: s.URL + "/oidc/authorize", TokenURL: s.URL + "/oidc/token"},
	}
	verifier := oauth2.GenerateVerifier()
	page, _ := s.Visit(b, servertest.Browser(b), c.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)), bob, bobPass)
	token, err := c.Exchange(b.Context(), page.Location().Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		b.Fatal(err)
	}
	return token.AccessToken
}

// BenchmarkCodeFlow is a whole code flow with PKCE for someone who is signed
// in and has agreed: authorize and token, two durable commits, an RS256 and an
// ES256 signature.
func BenchmarkCodeFlow(b *testing.B) {
	s := servertest.New(b)
	browser := servertest.Browser(b)
	browser.Transport.(*http.Transport).MaxIdleConnsPerHost = 64
	verifier := oauth2.GenerateVerifier()
	start := s.URL + "/oidc/authorize?" + url.Values{
		"client_id": {"acme-portal-001"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid profile email"},
		"state": {"s"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(verifier)}, "code_challenge_method": {"S256"},
	}.Encode()
	s.Visit(b, browser, start, bob, bobPass)
	b.SetParallelism(16)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			page := servertest.Get(b, browser, start)
			form := url.Values{
				"grant_type": {"authorization_code"}, "code": {page.Location().Query().Get("code")},
				"redirect_uri": {callback}, "code_verifier": {verifier},
				"client_id": {"acme-portal-001"}, "client_secret": {"acme_secret_portal_2024"},
			}
			if got := servertest.Post(b, browser, s.URL+"/oidc/token", form); got.Response.StatusCode != http.StatusOK {
				b.Errorf("token: %s", got.Body)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "flows/s")
}

const benchCost = 10

// BenchmarkSignIn compares sign-ins by password with bcrypt alone on the same
// processors, and watches what GET /auth/me takes meanwhile.
func BenchmarkSignIn(b *testing.B) {
	b.Run("bcrypt", func(b *testing.B) {
		hash, err := bcrypt.GenerateFromPassword([]byte(bobPass), benchCost)
		if err != nil {
			b.Fatal(err)
		}
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if err := bcrypt.CompareHashAndPassword(hash, []byte(bobPass)); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("login", benchmarkLogin)
}

func benchmarkLogin(b *testing.B) {
	s := servertest.Start(b, servertest.Options{Configure: func(c *config.Config) { c.Security.BcryptCost = benchCost }})
	// The hasher gives the runtime processors of its own; the testing package
	// has taken them away again.
	before := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(2 * before)
	b.Cleanup(func() { runtime.GOMAXPROCS(before) })
	host := strings.TrimPrefix(s.URL, "http://")
	session, _, err := s.Login.Program(b.Context(), audit.Shell(), login.Credentials{Email: bob, Password: bobPass})
	if err != nil {
		b.Fatal(err)
	}
	watch := watchMe(b, host, session.Token)
	body := `{"email":"` + bob + `","password":"` + bobPass + `"}`
	request := fmt.Sprintf("POST /api/v1/auth/login HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
		host, len(body), body)
	b.SetParallelism(8 / before)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", host)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close() //nolint:errcheck // a benchmark
		in := bufio.NewReader(conn)
		for pb.Next() {
			if err := roundTrip(conn, in, request); err != nil {
				b.Error(err)
				return
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(watch().Microseconds())/1000, "me-p99-ms")
}

// watchMe asks who is signed in, a hundred times a second, until the result is
// called, which returns the 99th percentile of the time that took.
func watchMe(b *testing.B, host, token string) (stop func() time.Duration) {
	b.Helper()
	var took []time.Duration
	var ended atomic.Bool
	var running sync.WaitGroup
	running.Go(func() {
		conn, err := new(net.Dialer).DialContext(context.Background(), "tcp", host)
		if err != nil {
			b.Error(err)
			return
		}
		defer conn.Close() //nolint:errcheck // a benchmark
		in := bufio.NewReader(conn)
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if ended.Load() {
				return
			}
			began := time.Now()
			err := roundTrip(conn, in, "GET /api/v1/auth/me HTTP/1.1\r\nHost: "+host+"\r\nAuthorization: Bearer "+token+"\r\n\r\n")
			if err != nil {
				b.Error(err)
				return
			}
			took = append(took, time.Since(began))
		}
	})
	return func() time.Duration {
		ended.Store(true)
		running.Wait()
		if len(took) == 0 {
			return 0
		}
		slices.Sort(took)
		return took[len(took)*99/100]
	}
}
