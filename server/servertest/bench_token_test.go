package servertest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
)

// The token benchmarks stand beside the bare handler and a raw signature. A
// durable write is part of each but introspection:
//
//	go test ./server/servertest -run '^$' -bench Token -cpu 1 -count 3

func BenchmarkToken(b *testing.B) {
	s := servertest.New(b)
	host := strings.TrimPrefix(s.URL, "http://")
	introspect := url.Values{"token": {accessToken(b, s)}}
	own := url.Values{"grant_type": {"client_credentials"}}
	b.Run("hello", func(b *testing.B) {
		floor := hello(b)
		sameRequest(b, 16, floor, getRequest(floor, "/hello", ""))
	})
	b.Run("sign", func(b *testing.B) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		sum := sha256.Sum256([]byte("a token"))
		began := processorTime(b)
		for b.Loop() {
			if _, err := ecdsa.SignASN1(rand.Reader, key, sum[:]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
	})
	b.Run("introspect", func(b *testing.B) {
		sameRequest(b, 16, host, formRequest(host, introspectPath, acmePortal.id, acmePortal.secret, introspect))
	})
	b.Run("client_credentials", func(b *testing.B) {
		sameRequest(b, 64, host, formRequest(host, tokenPath, dataAPI.id, dataAPI.secret, own))
	})
}

// BenchmarkTokenRefresh rotates the refresh tokens of 64 grants at once.
func BenchmarkTokenRefresh(b *testing.B) {
	s := servertest.New(b)
	host := strings.TrimPrefix(s.URL, "http://")
	for _, random := range []bool{false, true} {
		name := map[bool]string{false: "jwt", true: "opaque"}[random]
		b.Run(name, func(b *testing.B) {
			a, cookie := benchClient(b, s, fmt.Sprint("refresh-", name, b.N), "ES256", random)
			chains := make(chan string, 64)
			first, err := dial(host)
			if err != nil {
				b.Fatal(err)
			}
			for range 64 {
				got, err := a.flow(first, host, cookie)
				if err != nil {
					b.Fatal(err)
				}
				chains <- got.Refresh
			}
			b.SetParallelism(64 / runtime.GOMAXPROCS(0))
			b.ResetTimer()
			onWires(b, host, func(w *wire) func() error {
				token := <-chains
				return func() error {
					got, err := a.token(w, host, url.Values{
						"grant_type": {"refresh_token"}, "refresh_token": {token}, "scope": {"offline_access"},
					})
					token = got.Refresh
					return err
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refreshes/s")
		})
	}
}

// BenchmarkTokenCodeFlow is a whole code flow with PKCE for someone who is signed
// in and has agreed: authorize and token, two durable commits, an ES256 signature
// and that of the ID token.
func BenchmarkTokenCodeFlow(b *testing.B) {
	s := servertest.New(b)
	host := strings.TrimPrefix(s.URL, "http://")
	for _, alg := range []string{"ES256", "RS256"} {
		b.Run(alg, func(b *testing.B) {
			a, cookie := benchClient(b, s, fmt.Sprint("flows-", alg, b.N), alg, false)
			b.SetParallelism(64 / runtime.GOMAXPROCS(0))
			b.ResetTimer()
			onWires(b, host, func(w *wire) func() error {
				return func() error {
					_, err := a.flow(w, host, cookie)
					return err
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "flows/s")
		})
	}
}

// benchClient makes a client that bob agrees to, and returns the cookies of the
// browser in which he is signed in.
func benchClient(b *testing.B, s *servertest.Server, id, alg string, random bool) (app, string) {
	b.Helper()
	in := registry.Defaults()
	in.ClientID, in.Secret, in.Name, in.RedirectURIs = id, "a secret of its own", id, []string{callback}
	in.IDTokenAlg, in.Options.OpaqueTokens = alg, random
	if _, err := s.Clients.Create(b.Context(), audit.Shell(), in); err != nil {
		b.Fatal(err)
	}
	a, browser := app{id, in.Secret, callback}, servertest.Browser(b)
	s.Visit(b, browser, s.URL+authorizePath+"?"+a.request("verifier").Encode(), bob, bobPass)
	home, err := url.Parse(s.URL)
	if err != nil {
		b.Fatal(err)
	}
	var cookies []string
	for _, c := range browser.Jar.Cookies(home) {
		cookies = append(cookies, c.Name+"="+c.Value)
	}
	return a, strings.Join(cookies, "; ")
}

// flow runs one code flow in a browser with cookies.
func (a app) flow(w *wire, host, cookies string) (tokens, error) {
	verifier := oauth2.GenerateVerifier()
	header, _, err := w.ask("GET "+authorizePath+"?"+a.request(verifier).Encode()+" HTTP/1.1\r\nHost: "+host+
		"\r\nCookie: "+cookies+"\r\n\r\n", http.StatusSeeOther)
	if err != nil {
		return tokens{}, err
	}
	to, err := url.Parse(header.Get("Location"))
	if err != nil {
		return tokens{}, err
	}
	return a.token(w, host, a.redemption(to.Query().Get("code"), verifier))
}

// token asks for tokens.
func (a app) token(w *wire, host string, form url.Values) (out tokens, err error) {
	_, body, err := w.ask(formRequest(host, tokenPath, a.id, a.secret, form), http.StatusOK)
	if err == nil {
		err = json.Unmarshal(body, &out)
	}
	return out, err
}
