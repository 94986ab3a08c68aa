//go:build faults

package cmd

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"authy/server"
	"authy/server/servertest"
)

// refreshing returns what uses the newest refresh token of bob's, each time.
func refreshing(t *testing.T, u *unit) func(ctx context.Context) error {
	t.Helper()
	c := &oauth2.Config{
		ClientID: "acme-portal-001", ClientSecret: "acme_secret_portal_2024",
		RedirectURL: "http://localhost:3000/auth/callback",
		Scopes:      []string{"openid", "offline_access"},
		Endpoint:    oauth2.Endpoint{AuthURL: u.url + "/oidc/authorize", TokenURL: u.url + "/oidc/token"},
	}
	verifier, s := oauth2.GenerateVerifier(), &servertest.Server{URL: u.url}
	page, _ := s.Visit(t, servertest.Browser(t), c.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier),
		oauth2.SetAuthURLParam("prompt", "consent")), restartUser, server.SeedPassword(restartUser))
	if page.Location() == nil {
		t.Fatalf("no code: %s", page.Body)
	}
	token, err := c.Exchange(t.Context(), page.Location().Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil || token.RefreshToken == "" {
		t.Fatalf("no refresh token: %v", err)
	}
	refresh := token.RefreshToken
	return func(ctx context.Context) error {
		next, err := c.TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
		if err == nil {
			refresh = next.RefreshToken
		}
		return err
	}
}

// flood signs in, as one who does not exist or as bob with a wrong password, from an address that
// nobody has used before, until ctx ends; it returns how many were answered with each status.
func flood(ctx context.Context, u *unit, at int) (statuses map[int]int, slowestRefusal time.Duration) {
	statuses = map[int]int{}
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 4}}
	for i := 0; ctx.Err() == nil; i++ {
		email := restartUser
		if i%2 == 0 {
			email = fmt.Sprintf("nobody-%d-%d@example.com", at, i)
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url+"/api/v1/auth/login",
			strings.NewReader(fmt.Sprintf(`{"email":%q,"password":"wrong horse"}`, email)))
		if err != nil {
			panic(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.%d", at, i>>8&0xff, i&0xff))
		began := time.Now()
		res, err := c.Do(r)
		if err != nil {
			continue
		}
		_ = res.Body.Close() // nobody reads it
		statuses[res.StatusCode]++
		if res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusTooManyRequests {
			slowestRefusal = max(slowestRefusal, time.Since(began))
			if res.Header.Get("Retry-After") == "" {
				statuses[-1]++
			}
			select {
			case <-time.After(200 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
	return statuses, slowestRefusal
}

// floodAll floods for a while beside those who ask steadily; it returns how many of the flood were
// answered with each status, and the slowest refusal.
func floodAll(t *testing.T, u *unit, flooders int, all []*steady) (sum map[int]int, slowest time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), floodFor)
	defer cancel()
	var wg sync.WaitGroup
	var mu sync.Mutex
	sum = map[int]int{}
	for at := range flooders {
		wg.Go(func() {
			statuses, slow := flood(ctx, u, at)
			mu.Lock()
			defer mu.Unlock()
			for status, n := range statuses {
				sum[status] += n
			}
			slowest = max(slowest, slow)
		})
	}
	for _, s := range all {
		wg.Go(func() { s.during(ctx) })
	}
	wg.Wait()
	for _, s := range all {
		t.Logf("%2d flooding: %-13s %4d asked, %d failed, p50 %v, p99 %v, longest %v", flooders, s.what,
			len(s.took), len(s.bad), percentile(s.took, .5), percentile(s.took, .99), percentile(s.took, 1))
	}
	t.Logf("%2d flooding: answers %v, slowest refusal %v", flooders, sum, slowest)
	return sum, slowest
}

func TestAFloodOfSignInsLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	u := newUnit(t, "AUTHY_SECURITY_BCRYPT_COST=11", "AUTHY_TRUSTED_PROXIES=127.0.0.1/32", "AUTHY_RATE_LIMIT_ENABLED=true")
	u.start()
	defer u.stop()
	token, err := u.signIn(t.Context(), http.DefaultClient)
	if err != nil {
		t.Fatal(err)
	}
	get := func(path, token string) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := request(ctx, http.DefaultClient, http.MethodGet, u.url+path, token, "")
			return err
		}
	}
	all := []*steady{
		{what: "keys", ask: get("/oidc/jwks", "")},
		{what: "session check", ask: get("/api/v1/auth/me", token)},
		{what: "refresh", ask: refreshing(t, u)},
		{what: "sign-in", ask: func(ctx context.Context) error {
			_, err := u.signIn(ctx, http.DefaultClient)
			return err
		}},
	}
	floodAll(t, u, 0, all)
	quiet := map[string]time.Duration{}
	for _, s := range all {
		quiet[s.what] = percentile(s.took, .99)
	}
	answers, _ := floodAll(t, u, 60, all)
	for _, s := range all {
		if len(s.bad) > 0 {
			t.Errorf("%s: %d of %d failed in the flood, such as: %v", s.what, len(s.bad), len(s.took), s.bad[0])
		}
		if p99 := percentile(s.took, .99); p99 > max(floodBound, 10*quiet[s.what]) {
			t.Errorf("%s: p99 is %v in the flood, %v without", s.what, p99, quiet[s.what])
		}
	}
	if answers[http.StatusServiceUnavailable] == 0 || answers[-1] > 0 {
		t.Errorf("the flood was answered %v; want refusals, and no more than none (-1) without Retry-After", answers)
	}
}
