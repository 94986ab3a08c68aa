package servertest_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net"
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

// formRequest is an HTTP request that posts a form.
func formRequest(host, path, id, secret string, form url.Values) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(id, secret)
	body := form.Encode()
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nContent-Type: application/x-www-form-urlencoded\r\n"+
		"Content-Length: %d\r\n\r\n%s", path, host, r.Header.Get("Authorization"), len(body), body)
}

func BenchmarkToken(b *testing.B) {
	s := servertest.New(b)
	host := strings.TrimPrefix(s.URL, "http://")
	introspect := url.Values{"token": {accessToken(b, s)}}
	own := url.Values{"grant_type": {"client_credentials"}}
	b.Run("hello", func(b *testing.B) { readLoop(b, hello(b), "/hello", "") })
	b.Run("sign", func(b *testing.B) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		sum := sha256.Sum256([]byte("a token"))
		for b.Loop() {
			if _, err := ecdsa.SignASN1(rand.Reader, key, sum[:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("introspect", func(b *testing.B) {
		sameRequest(b, 16, host, formRequest(host, introspectPath, acmePortal.id, acmePortal.secret, introspect))
	})
	b.Run("client_credentials", func(b *testing.B) {
		sameRequest(b, 64, host, formRequest(host, tokenPath, dataAPI.id, dataAPI.secret, own))
	})
}

// sameRequest sends one request over and over on so many connections.
func sameRequest(b *testing.B, connections int, host, request string) {
	b.Helper()
	b.SetParallelism(connections / runtime.GOMAXPROCS(0))
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

// BenchmarkTokenRefresh rotates the refresh tokens of 64 grants at once.
func BenchmarkTokenRefresh(b *testing.B) {
	s := servertest.New(b)
	for _, random := range []bool{false, true} {
		name := map[bool]string{false: "jwt", true: "opaque"}[random]
		b.Run(name, func(b *testing.B) {
			a := benchClient(b, s, "refresh-"+name+fmt.Sprint(b.N), random)
			browser := servertest.Browser(b)
			b.SetParallelism(64 / runtime.GOMAXPROCS(0))
			chains := make(chan string, 64)
			for range 64 {
				chains <- benchTokens(b, s, browser, a).Refresh
			}
			b.ResetTimer()
			began := processorTime(b)
			b.RunParallel(func(pb *testing.PB) {
				client := &http.Client{Transport: &http.Transport{}}
				token := <-chains
				for pb.Next() {
					form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "scope": {"offline_access"}}
					token = benchPost(b, client, s.URL+tokenPath, a, form).Refresh
				}
			})
			b.ReportMetric(float64(processorTime(b)-began)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "refreshes/s")
		})
	}
}

// BenchmarkTokenCodeFlow is [BenchmarkCodeFlow] for a client that wants ES256.
func BenchmarkTokenCodeFlow(b *testing.B) {
	s := servertest.New(b)
	a := benchClient(b, s, "flows", false)
	browser := servertest.Browser(b)
	benchTokens(b, s, browser, a)
	b.SetParallelism(64 / runtime.GOMAXPROCS(0))
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			benchTokens(b, s, browser, a)
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "flows/s")
}

func benchClient(b *testing.B, s *servertest.Server, id string, random bool) app {
	b.Helper()
	in := registry.Defaults()
	in.ClientID, in.Secret, in.Name, in.RedirectURIs = id, "a secret of its own", id, []string{callback}
	in.IDTokenAlg, in.Options.OpaqueTokens, in.SkipConsent = "ES256", random, true
	if _, err := s.Clients.Create(b.Context(), audit.Shell(), in); err != nil {
		b.Fatal(err)
	}
	return app{id, in.Secret, callback}
}

// benchTokens runs one code flow.
func benchTokens(b *testing.B, s *servertest.Server, browser *http.Client, a app) tokens {
	verifier := oauth2.GenerateVerifier()
	page, _ := s.Visit(b, browser, s.URL+authorizePath+"?"+a.request(verifier).Encode(), bob, bobPass)
	return benchPost(b, browser, s.URL+tokenPath, a, a.redemption(page.Location().Query().Get("code"), verifier))
}

func benchPost(b *testing.B, client *http.Client, address string, a app, form url.Values) (out tokens) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.Error(err)
		return out
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a.basic(req)
	res, err := client.Do(req)
	if err != nil {
		b.Error(err)
		return out
	}
	defer res.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || json.Unmarshal(body, &out) != nil {
		b.Errorf("answer %d %s, %v", res.StatusCode, body, err)
	}
	return out
}
