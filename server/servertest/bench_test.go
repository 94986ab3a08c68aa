package servertest_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
		b.Run(one.name, func(b *testing.B) { sameRequest(b, 16, one.host, getRequest(one.host, one.path, one.token)) })
	}
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
	text := []byte(request)
	onWires(b, host, func(w *wire) func() error {
		return func() error { return w.roundTrip(text) }
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
		w, err := dial(host)
		if err != nil {
			b.Error(err)
			return
		}
		defer w.conn.Close() //nolint:errcheck // a benchmark
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range tick.C {
			if ended.Load() {
				return
			}
			began := time.Now()
			err := w.roundTrip([]byte(getRequest(host, "/api/v1/auth/me", token)))
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
