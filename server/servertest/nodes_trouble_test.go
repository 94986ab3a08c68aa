package servertest_test

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/dpop/dpoptest"
	"authy/server/keyring"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

// redis is a redis-server of the test's own, reached by a relay.
type redis struct {
	address, socket string
}

// newRedis starts a redis-server. Without the program the test is skipped, unless
// AUTHY_TEST_REQUIRE names redis.
func newRedis(t *testing.T) redis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), "redis") {
			t.Fatalf("redis-server is required by AUTHY_TEST_REQUIRE: %v", err)
		}
		t.Skipf("redis-server is not installed: %v", err)
	}
	r := redis{socket: t.TempDir() + "/redis"}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "redis-server", "--port", "0", "--unixsocket", r.socket,
		"--save", "", "--appendonly", "no", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // Wait reports the signal, which is no news here
		_ = cmd.Wait()
	})
	heardOf(t, "redis-server", func() bool { _, err := os.Stat(r.socket); return err == nil })
	r.address = storagetest.NewRelay(t, "unix", r.socket).Address
	return r
}

// tell has Redis do something.
func (r redis) tell(t *testing.T, command string) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "unix", r.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // only told
	answer := make([]byte, 100)
	if _, err := conn.Write([]byte(command + "\r\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(answer); err != nil || answer[0] != '+' {
		t.Fatalf("%s: %s, %v", command, answer[:n], err)
	}
}

// guess tries a wrong password on a node, and returns the status.
func guess(t *testing.T, s *servertest.Server, email string) int {
	t.Helper()
	return caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": email, "password": "wrong"}).Code
}

// guessed guesses on the nodes in turn, and returns how many guesses were not refused.
func (k *cluster) guessed(t *testing.T, email string, times int) (n int) {
	t.Helper()
	quickest := time.Hour // the machine itself may be slow
	for i := range times {
		began := time.Now()
		switch status := guess(t, k.nodes[i%2], email); status {
		case http.StatusUnauthorized:
			n++
		case http.StatusTooManyRequests:
		default:
			t.Errorf("guess %d: %d", i, status)
		}
		quickest = min(quickest, time.Since(began))
	}
	if quickest > time.Second {
		t.Errorf("the quickest guess took %v", quickest)
	}
	return n
}

func counting(c *config.Config) { c.RateLimit.Enabled = true }

func TestNodesCountGuessesTogether(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "", counting)
	if n := k.guessed(t, bob, 16); n != 10 {
		t.Errorf("%d guesses on two nodes, want 10", n)
	}
}

// Whoever has another secret key is no node of this installation.
func TestInstallationsOnOneRedisLockNobodyOfEachOther(t *testing.T) {
	t.Parallel()
	store := newRedis(t)
	for _, key := range []string{strings.Repeat("a", 32), strings.Repeat("b", 32)} {
		file := "sqlite://" + t.TempDir() + "/authy.db"
		s := servertest.Start(t, servertest.Options{DatabaseURL: file, Configure: func(c *config.Config) {
			counting(c)
			c.Security.SecretKey, c.Redis.URL = config.Secret(key), config.Secret("redis://"+store.address)
		}})
		k := &cluster{nodes: [2]*servertest.Server{s, s}}
		if n := k.guessed(t, bob, 14); n != 10 {
			t.Errorf("%d guesses, want 10", n)
		}
	}
}

// what is locked stays locked, what was used stays used, and whoever needs nothing of
// Redis does not notice, whatever becomes of it.
func TestNothingOpensWithoutRedis(t *testing.T) {
	t.Parallel()
	store := newRedis(t)
	k := newCluster(t, store.address, counting)
	eve := logIn(t, k.nodes[0], "eve@acme-corp.com", bobPass)
	key := dpoptest.NewProver(t, "ES256")
	form := url.Values{"grant_type": {"client_credentials"}}
	proof := key.Sign(t, dpoptest.Claims(http.MethodPost, k.nodes[0].URL+tokenPath))
	prove := func(s *servertest.Server) int {
		return send(t, s, tokenPath, form, proving(proof, dataAPI.basic)).status
	}
	if n := k.guessed(t, bob, 14); n != 10 {
		t.Fatalf("%d guesses on two nodes, want 10", n)
	}
	if status := prove(k.nodes[0]); status != http.StatusOK {
		t.Fatalf("a proof is not taken: %d", status)
	}
	for _, trouble := range []struct {
		name        string
		begin, over func(r *storagetest.Relay)
	}{
		{"emptied", func(*storagetest.Relay) { store.tell(t, "FLUSHALL") }, func(*storagetest.Relay) {}},
		{"silent", func(r *storagetest.Relay) { r.Mute(true) }, func(r *storagetest.Relay) { r.Mute(false) }},
		{
			"refusing", func(r *storagetest.Relay) { r.Refuse(true); r.HangUp() }, func(r *storagetest.Relay) { r.Refuse(false) },
		},
		{
			"read-only", func(*storagetest.Relay) { store.tell(t, "REPLICAOF 127.0.0.1 1") },
			func(*storagetest.Relay) { store.tell(t, "REPLICAOF NO ONE") },
		},
		{
			"full", func(*storagetest.Relay) { store.tell(t, "CONFIG SET maxmemory 1") },
			func(*storagetest.Relay) { store.tell(t, "CONFIG SET maxmemory 0") },
		},
	} {
		for _, relay := range k.toKeys {
			trouble.begin(relay)
		}
		if n := k.guessed(t, bob, 6); n != 0 {
			t.Errorf("%s: %d guesses more", trouble.name, n)
		}
		for _, s := range k.nodes {
			if !eve.answers(s, mePath) {
				t.Errorf("%s: eve is not served", trouble.name)
			}
			if status := prove(s); status == http.StatusOK {
				t.Errorf("%s: a proof works twice", trouble.name)
			}
			if ready := raw(t, http.MethodGet, s.URL+"/api/ready", "", nil); ready.status != http.StatusOK {
				t.Errorf("%s: %s", trouble.name, ready.body)
			}
		}
		for _, relay := range k.toKeys {
			trouble.over(relay)
		}
		for _, s := range k.nodes {
			heardOf(t, "Redis", func() bool { return s.Store.Ping(t.Context()) == nil })
		}
		if n := k.guessed(t, bob, 6); n != 0 {
			t.Errorf("after it was %s: %d guesses more", trouble.name, n)
		}
	}
}

func TestNodesOfWhichOneDoesNotReachRedisCountTogether(t *testing.T) {
	t.Parallel()
	k := newCluster(t, newRedis(t).address, counting)
	k.toKeys[1].Refuse(true)
	k.toKeys[1].HangUp()
	for _, s := range k.nodes { // the one says so, and the other will have heard of it
		if status := guess(t, s, carol); status != http.StatusUnauthorized {
			t.Errorf("carol's guess: %d", status)
		}
	}
	time.Sleep(1500 * time.Millisecond)
	if n := k.guessed(t, bob, 24); n != 10 {
		t.Errorf("%d guesses on two nodes, want 10", n)
	}
}

// who is asked says so in time, and the other node goes on.
func TestANodeWithoutItsDatabaseSaysSo(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "", nil)
	p := logIn(t, k.nodes[1], bob, bobPass)
	if !p.answers(k.nodes[0], mePath) {
		t.Fatal("bob is not served")
	}
	for _, way := range []struct {
		name        string
		begin, over func(r *storagetest.Relay)
		within      time.Duration
	}{
		{"silent", func(r *storagetest.Relay) { r.Mute(true) }, func(r *storagetest.Relay) { r.Mute(false) }, 6 * time.Second},
		{
			"refusing", func(r *storagetest.Relay) { r.Refuse(true); r.HangUp() },
			func(r *storagetest.Relay) { r.Refuse(false) }, 3 * time.Second,
		},
	} {
		began := time.Now()
		way.begin(k.toData[0])
		var first reply
		for first.status != http.StatusServiceUnavailable { // it may still know him
			if first = raw(t, http.MethodGet, k.nodes[0].URL+mePath, "", bearerOf(p.token)); time.Since(began) > 2*way.within {
				t.Fatalf("%s: after %v still %d", way.name, time.Since(began), first.status)
			}
		}
		if took := time.Since(began); took > way.within || first.header.Get("Retry-After") == "" {
			t.Errorf("%s: told after %v, %v", way.name, took, first.header)
		}
		if ready := raw(t, http.MethodGet, k.nodes[0].URL+"/api/ready", "", nil); ready.status != http.StatusServiceUnavailable {
			t.Errorf("%s: ready all the same: %s", way.name, ready.body)
		}
		if !p.answers(k.nodes[1], mePath) {
			t.Errorf("%s: the other node does not serve", way.name)
		}
		way.over(k.toData[0])
		began = time.Now()
		heardOf(t, "the database", func() bool { return p.answers(k.nodes[0], mePath) })
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: back after %v", way.name, took)
		}
	}
}

// RC-13: both nodes rotate in the same second, window after window.
func TestNodesThatRotateTogetherMakeOneKey(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "", nil)
	when := time.Now()
	for window := range 6 {
		when = when.Add(keyring.RotateEvery - keyring.PublishFor + time.Minute)
		if window%2 == 1 { // the published ones begin to sign
			when = when.Add(2*keyring.PublishFor - keyring.RotateEvery)
		}
		var turn atomic.Int32
		for _, err := range atOnce(4, func() error {
			return k.nodes[turn.Add(1)%2].Keys.Advance(t.Context(), when)
		}) {
			if err != nil {
				t.Errorf("window %d: %v", window, err)
			}
		}
		states := map[string]int{}
		keys, err := k.nodes[0].DB.Keys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			states[key.Algorithm+" "+key.State]++
		}
		for _, alg := range keyring.Algorithms {
			if states[alg+" signing"] != 1 || states[alg+" published"] > 1 {
				t.Errorf("window %d: %v", window, states)
			}
		}
		heardOf(t, "one JWKS", func() bool {
			a, b := jwks(t, k.nodes[0]), jwks(t, k.nodes[1])
			return len(a.Keys) == len(b.Keys) && len(a.Keys) == len(keys)
		})
	}
	for _, s := range k.nodes {
		fresh := acmePortal.tokens(t, k.nodes[1], servertest.Browser(t))
		alive(t, s, fresh.Access, true)
	}
}

// One code, both nodes, and a database that hangs up all the time: used once or not at all,
// and never again. What was revoked and acknowledged stays revoked.
func TestOnceIsOnceWhateverBecomesOfTheDatabase(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "", nil)
	browser := servertest.Browser(t)
	doubles, nobody, unknown := 0, 0, 0
	for range samplesOf(t) {
		code, verifier := acmePortal.code(t, k.nodes[0], browser)
		p := logIn(t, k.nodes[0], bob, bobPass)
		id := p.current()
		stop := make(chan struct{})
		go func() {
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-tick.C:
					k.toData[n%2].HangUp()
				}
			}
		}()
		var turn atomic.Int32
		won := 0
		for _, r := range atOnce(8, func() reply {
			return acmePortal.post(t, k.nodes[turn.Add(1)%2], tokenPath, acmePortal.redemption(code, verifier))
		}) {
			switch r.status {
			case http.StatusOK:
				won++
			case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
				done := r.status == http.StatusGatewayTimeout // perhaps
				if done {
					unknown++
				}
				if done != (r.header.Get("Retry-After") == "") || r.text("error") != "temporarily_unavailable" {
					t.Errorf("%v %s", r.header, r.body)
				}
			case http.StatusBadRequest:
			default:
				t.Errorf("%d %s", r.status, r.body)
			}
		}
		revoked := k.nodes[1].Sessions.Revoke(t.Context(), audit.Shell(), id) == nil
		close(stop)
		switch {
		case won > 1:
			doubles++
		case won == 0:
			nobody++
		}
		for _, s := range k.nodes {
			heardOf(t, "the database", func() bool { return s.DB.Ping(t.Context()) == nil })
			var after reply
			heardOf(t, "an answer", func() bool {
				after = acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, verifier))
				return after.status != http.StatusServiceUnavailable
			})
			if won > 0 && after.status == http.StatusOK {
				t.Error("a code that was used works again")
			}
			heardOf(t, "an answer about the session", func() bool {
				status := raw(t, http.MethodGet, s.URL+mePath, "", bearerOf(p.token)).status
				if revoked && status == http.StatusOK {
					t.Error("a session that was ended lives")
				}
				return status != http.StatusServiceUnavailable
			})
			if after.status == http.StatusOK {
				won++
			}
		}
	}
	if doubles > 0 {
		t.Errorf("%d doubles", doubles)
	}
	t.Logf("%d codes, %d of them used by nobody before the trouble was over, %d answers unknown", samplesOf(t), nobody, unknown)
}
