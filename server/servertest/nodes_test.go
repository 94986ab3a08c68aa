package servertest_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/brand"
	"authy/server/config"
	"authy/server/org"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/server/token"
	"authy/storage"
	"authy/storage/storagetest"
)

// fewSamples is how often each change is looked at from the other node, unless
// AUTHY_TEST_SAMPLES says.
const fewSamples = 5

// What a change may take to be seen on every node, at the 99th percentile and at most.
const seenSoon, seenAtLast = time.Second, 2 * time.Second

// cluster is two nodes under one name, each with its own way to the database and to Redis.
type cluster struct {
	nodes  [2]*servertest.Server
	toData [2]*storagetest.Relay
	toKeys [2]*storagetest.Relay // nil without Redis
}

// newCluster starts two nodes with the sample data; redis is the address of a server, or "".
func newCluster(t *testing.T, redis string, configure func(c *config.Config)) *cluster {
	t.Helper()
	database := storagetest.Migrated(t, "postgres")
	k := new(cluster)
	for i := range k.nodes {
		var listen, own string
		own, k.toData[i] = storagetest.Behind(t, database)
		node := servertest.Start(t, servertest.Options{DatabaseURL: own, Empty: i > 0, Configure: func(c *config.Config) {
			listen = c.Listen
			if i > 0 {
				c.PublicURL = k.nodes[0].URL
			}
			if redis != "" {
				k.toKeys[i] = storagetest.NewRelay(t, "tcp", redis)
				c.Redis.URL = config.Secret("redis://" + k.toKeys[i].Address)
			}
			if configure != nil {
				configure(c)
			}
		}})
		k.nodes[i] = &servertest.Server{Services: node.Services, URL: "http://" + listen, Stop: node.Stop}
	}
	return k
}

// fact is something that holds until it is changed on one node.
type fact struct {
	name string
	// make has a fact hold, made on one node; it returns what ends it there, and whether it
	// holds, as a node says.
	make func(t *testing.T, at *servertest.Server) (end func() error, holds func(at *servertest.Server) bool)
}

// newcomer is somebody new with a session and a place in an organization.
func newcomer(t *testing.T, s *servertest.Server) (p caller, u *storage.User, orgID string) {
	t.Helper()
	ctx, id := t.Context(), storage.NewID()
	owner, err := s.DB.UserByEmail(ctx, bob)
	if err != nil {
		t.Fatal(err)
	}
	house, err := s.Orgs.Create(ctx, audit.Shell(), org.NewOrg{OwnerID: owner.ID, Name: "House", Slug: "house-" + id})
	if err != nil {
		t.Fatal(err)
	}
	u, err = s.Accounts.Create(ctx, audit.Shell(), account.NewUser{
		Email: id + "@example.com", Password: passphrase, EmailVerified: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Orgs.AddMember(ctx, audit.Shell(), house.ID, u.ID, storage.RoleAdmin); err != nil {
		t.Fatal(err)
	}
	return logIn(t, s, u.Email, passphrase), u, house.ID
}

// answers says whether a call on a node succeeds.
func (p caller) answers(s *servertest.Server, path string) bool {
	return raw(p.t, http.MethodGet, s.URL+path, "", bearerOf(p.token)).status == http.StatusOK
}

func userFacts() []fact {
	me := func(p caller) func(*servertest.Server) bool {
		return func(s *servertest.Server) bool { return p.answers(s, mePath) }
	}
	return []fact{
		{"session", func(t *testing.T, at *servertest.Server) (func() error, func(*servertest.Server) bool) {
			p, _, _ := newcomer(t, at)
			id := p.current()
			return func() error { return at.Sessions.Revoke(t.Context(), audit.Shell(), id) }, me(p)
		}},
		{"all sessions", func(t *testing.T, at *servertest.Server) (func() error, func(*servertest.Server) bool) {
			p, u, _ := newcomer(t, at)
			return func() error { _, err := at.Sessions.RevokeAll(t.Context(), audit.Shell(), u.ID); return err }, me(p)
		}},
		{"suspension", func(t *testing.T, at *servertest.Server) (func() error, func(*servertest.Server) bool) {
			p, u, _ := newcomer(t, at)
			return func() error { return at.Accounts.Suspend(t.Context(), audit.Shell(), u.ID) }, me(p)
		}},
		{"API token", func(t *testing.T, at *servertest.Server) (func() error, func(*servertest.Server) bool) {
			_, u, _ := newcomer(t, at)
			by := audit.Actor{}.As(u.ID)
			made, text, err := at.Tokens.Make(t.Context(), by, token.Owner{UserID: u.ID},
				token.NewToken{Name: "t", Scopes: []string{"profile:read"}, Days: 1})
			if err != nil {
				t.Fatal(err)
			}
			return func() error {
				return at.Tokens.Revoke(t.Context(), audit.Shell(), token.Owner{UserID: u.ID}, made.ID)
			}, me(caller{t, at, text})
		}},
		{"membership", func(t *testing.T, at *servertest.Server) (func() error, func(*servertest.Server) bool) {
			p, u, house := newcomer(t, at)
			return func() error { return at.Orgs.Remove(t.Context(), audit.Shell(), house, u.ID) },
				func(s *servertest.Server) bool { return p.answers(s, orgsPath+"/"+house) }
		}},
		{"role", func(t *testing.T, at *servertest.Server) (func() error, func(*servertest.Server) bool) {
			p, u, house := newcomer(t, at)
			return func() error {
					_, err := at.Orgs.SetRole(t.Context(), audit.Shell(), house, u.ID, storage.RoleMember)
					return err
				},
				func(s *servertest.Server) bool { return p.answers(s, orgsPath+"/"+house+"/invitations") }
		}},
		{"branding", func(t *testing.T, at *servertest.Server) (func() error, func(*servertest.Server) bool) {
			name := func(to string) error {
				_, err := at.Brand.Change(t.Context(), audit.Shell(), brand.Change{Name: &to})
				return err
			}
			was := "Name " + storage.NewID()[24:]
			if err := name(was); err != nil {
				t.Fatal(err)
			}
			return func() error { return name("Another") }, func(s *servertest.Server) bool {
				return strings.Contains(raw(t, http.MethodGet, s.URL+"/sign-in", "", nil).body, was)
			}
		}},
	}
}

func clientFacts() []fact {
	granted := func(t *testing.T, at *servertest.Server) tokens {
		return acmePortal.tokens(t, at, servertest.Browser(t))
	}
	of := func(t *testing.T, access string) func(*servertest.Server) bool {
		return func(s *servertest.Server) bool { return userinfo(t, s, access).status == http.StatusOK }
	}
	return []fact{
		{"access token", func(t *testing.T, at *servertest.Server) (func() error, func(*servertest.Server) bool) {
			got := granted(t, at)
			return func() error { return done(acmePortal.post(t, at, revokePath, url.Values{"token": {got.Access}})) }, of(t, got.Access)
		}},
		{"refresh family", func(t *testing.T, at *servertest.Server) (func() error, func(*servertest.Server) bool) {
			got := granted(t, at)
			return func() error { return done(acmePortal.post(t, at, revokePath, url.Values{"token": {got.Refresh}})) }, of(t, got.Access)
		}},
		{"client disabled", func(t *testing.T, at *servertest.Server) (func() error, func(*servertest.Server) bool) {
			set := func(disabled bool) error {
				_, err := at.Clients.Update(t.Context(), audit.Shell(), "", dataAPI.id, func(r *registry.Registration) { r.Disabled = disabled })
				return err
			}
			if err := set(false); err != nil {
				t.Fatal(err)
			}
			return func() error { return set(true) }, func(s *servertest.Server) bool {
				form := url.Values{"grant_type": {"client_credentials"}, "scope": {"api:read"}}
				return dataAPI.post(t, s, tokenPath, form).status == http.StatusOK
			}
		}},
		{"key retired", func(t *testing.T, at *servertest.Server) (func() error, func(*servertest.Server) bool) {
			got, ctx := granted(t, at), t.Context()
			parts := strings.Split(got.Access, ".")
			header, err := base64.RawURLEncoding.DecodeString(parts[0])
			var old struct{ Kid string }
			if err := errors.Join(err, json.Unmarshal(header, &old)); err != nil {
				t.Fatal(err)
			}
			if _, err := at.Keys.Rotate(ctx, audit.Shell(), "ES256", true); err != nil {
				t.Fatal(err)
			}
			return func() error { return at.Keys.Retire(ctx, audit.Shell(), old.Kid) }, of(t, got.Access)
		}},
	}
}

func done(r reply) error {
	if r.status != http.StatusOK {
		return fmt.Errorf("%d %s", r.status, r.body)
	}
	return nil
}

// What is changed on one node counts on the other: with Redis or without, and while it is away.
func TestAChangeOnOneNodeIsSeenOnTheOther(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) *cluster{
		"by NOTIFY alone": func(t *testing.T) *cluster { return newCluster(t, "", nil) },
		"with Redis":      func(t *testing.T) *cluster { return newCluster(t, newRedis(t).address, nil) },
		"Redis away": func(t *testing.T) *cluster {
			k := newCluster(t, newRedis(t).address, nil)
			for _, relay := range k.toKeys {
				relay.Mute(true)
			}
			return k
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := start(t)
			var all []time.Duration
			for _, f := range slices.Concat(userFacts(), clientFacts()) {
				took := k.spread(t, f, samplesOf(t))
				all = append(all, took...)
				slices.Sort(took)
				t.Logf("%-16s p50 %8v  p99 %8v  most %8v  of %d", f.name, at(took, 50), at(took, 99), at(took, 100), len(took))
			}
			slices.Sort(all)
			t.Logf("%-16s p50 %8v  p99 %8v  most %8v  of %d", "all", at(all, 50), at(all, 99), at(all, 100), len(all))
			if at(all, 99) > seenSoon || at(all, 100) > seenAtLast {
				t.Errorf("seen after %v at the 99th percentile and %v at most, want %v and %v",
					at(all, 99), at(all, 100), seenSoon, seenAtLast)
			}
		})
	}
}

// spread ends a fact so many times, on the nodes in turn, and returns how long after that it
// still held on the other.
func (k *cluster) spread(t *testing.T, f fact, samples int) (took []time.Duration) {
	t.Helper()
	for n := range samples {
		here, there := k.nodes[n%2], k.nodes[(n+1)%2]
		end, holds := f.make(t, here)
		// What was made here is known there at once; then there it is in the cache.
		if !soon(func() bool { return holds(there) }, f.name == "branding" || f.name == "client disabled") || !holds(there) {
			t.Fatalf("%s: made on one node, it does not hold on the other", f.name)
		}
		if err := end(); err != nil {
			t.Fatalf("%s: %v", f.name, err)
		}
		began := time.Now()
		for holds(there) {
			if time.Since(began) > 2*seenAtLast {
				t.Fatalf("%s: it holds on the other node for ever", f.name)
			}
		}
		took = append(took, time.Since(began))
		for range 10 {
			if holds(there) {
				t.Fatalf("%s: it holds again", f.name)
			}
		}
		if holds(here) {
			t.Errorf("%s: it holds where it was ended", f.name)
		}
	}
	return took
}

// soon says whether done is true, or becomes so where a change has to be heard of first.
func soon(holds func() bool, change bool) bool {
	for end := time.Now().Add(seenAtLast); ; {
		if holds() {
			return true
		}
		if !change || time.Now().After(end) {
			return false
		}
	}
}

// at returns a percentile of what is in order.
func at(sorted []time.Duration, percent int) time.Duration {
	return sorted[max(0, (len(sorted)*percent+99)/100-1)].Round(10 * time.Microsecond)
}

func samplesOf(t *testing.T) int {
	t.Helper()
	text := os.Getenv("AUTHY_TEST_SAMPLES")
	if text == "" {
		return fewSamples
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("AUTHY_TEST_SAMPLES is %q; give how often each change is to be looked at", text)
	}
	return n
}

// A secret that one node gives a client is good on the other at once, which may not have heard of
// it and remembers the one before.
func TestANewSecretIsGoodOnTheOtherNodeAtOnce(t *testing.T) {
	t.Parallel()
	k := newCluster(t, "", nil)
	portal := acmePortal
	for n := range 50 {
		here, there := k.nodes[n%2], k.nodes[(n+1)%2]
		if got := portal.introspect(t, there, "x"); got.status != http.StatusOK {
			t.Fatalf("the secret before rotation %d: %d %s", n, got.status, got.body)
		}
		_, fresh, err := here.Clients.RotateSecret(t.Context(), audit.Shell(), "", portal.id, registry.Rotation{})
		if err != nil {
			t.Fatal(err)
		}
		old := portal
		portal.secret = fresh
		if got := portal.introspect(t, there, "x"); got.status != http.StatusOK {
			t.Fatalf("the secret of rotation %d on the other node: %d %s", n, got.status, got.body)
		}
		if got := old.introspect(t, here, "x"); n < 5 && got.status != http.StatusUnauthorized {
			t.Errorf("the secret before rotation %d is still good: %d", n, got.status)
		}
	}
}
