package keyset

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/server/outbound"
)

// pair is a key with what it signed.
type pair struct {
	document string
	token    *Token
}

func newPair(t testing.TB, kid string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(`{"sub":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	token, err := Read(text, 1<<12)
	if err != nil {
		t.Fatal(err)
	}
	document, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: kid}}})
	if err != nil {
		t.Fatal(err)
	}
	return pair{string(document), token}
}

// publisher is a server with a set of keys.
type publisher struct {
	owner Owner
	asked atomic.Int64

	mu   sync.Mutex
	text string // "" answers with a failure
	hold chan struct{}
}

func newPublisher(t testing.TB, text string) *publisher {
	t.Helper()
	p := &publisher{text: text}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		p.mu.Lock()
		text, hold := p.text, p.hold
		p.mu.Unlock()
		if hold != nil {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		if text == "" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		w.Write([]byte(text)) //nolint:errcheck // a test
	}))
	t.Cleanup(server.Close)
	p.owner = Owner{ID: "owner", URL: server.URL}
	return p
}

func (p *publisher) publish(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = text
}

func newTestCache() *Cache {
	return NewCache(outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}))
}

// age makes all that is known of an owner so much older.
func (c *Cache) age(o Owner, by time.Duration) {
	s := c.source(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at, s.looked = s.at.Add(-by), s.looked.Add(-by)
	if !s.failed.IsZero() {
		s.failed = s.failed.Add(-by)
	}
}

func TestKeysAreAskedForOnceInAWhile(t *testing.T) {
	t.Parallel()
	one := newPair(t, "one")
	p, c := newPublisher(t, one.document), newTestCache()
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if err := c.Verify(t.Context(), p.owner, one.token); err != nil {
				t.Errorf("Verify() = %v", err)
			}
		})
	}
	all.Wait()
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times for 50 at once, want once", n)
	}
	c.age(p.owner, fresh)
	if err := c.Verify(t.Context(), p.owner, one.token); err != nil || p.asked.Load() != 2 {
		t.Errorf("after a while: %v, asked %d times, want twice", err, p.asked.Load())
	}
}

func TestAnUnknownKeyIsLookedForOnceInAWhile(t *testing.T) {
	t.Parallel()
	one, two, three := newPair(t, "one"), newPair(t, "two"), newPair(t, "three")
	p, c := newPublisher(t, one.document), newTestCache()
	verify := func(what string, token *Token, want error, asked int64) {
		t.Helper()
		if err := c.Verify(t.Context(), p.owner, token); !errors.Is(err, want) || p.asked.Load() != asked {
			t.Errorf("%s: Verify() = %v, asked %d times, want %v and %d", what, err, p.asked.Load(), want, asked)
		}
	}
	verify("the first key", one.token, nil, 1)
	p.publish(two.document)
	verify("the key that took its place", two.token, nil, 2)
	verify("the one that went", one.token, ErrSignature, 2)
	p.publish(three.document)
	verify("a third at once", three.token, ErrSignature, 2)
	c.age(p.owner, again)
	verify("a third later", three.token, nil, 3)
}

func TestOldKeysServeWhileTheirServerIsAway(t *testing.T) {
	t.Parallel()
	one := newPair(t, "one")
	p, c := newPublisher(t, one.document), newTestCache()
	verify := func(what string, want error, asked int64) {
		t.Helper()
		if err := c.Verify(t.Context(), p.owner, one.token); !errors.Is(err, want) || p.asked.Load() != asked {
			t.Errorf("%s: Verify() = %v, asked %d times, want %v and %d", what, err, p.asked.Load(), want, asked)
		}
	}
	verify("at first", nil, 1)
	p.publish("")
	c.age(p.owner, fresh)
	verify("its server is away", nil, 2)
	verify("and was asked a moment ago", nil, 2)
	c.age(p.owner, retry)
	verify("and again", nil, 3)
	c.age(p.owner, stale)
	verify("for an hour", ErrKeys, 4)
	p.publish("nonsense")
	c.age(p.owner, retry)
	verify("it is back, with nonsense", ErrKeys, 5)
	p.publish(one.document)
	c.age(p.owner, retry)
	verify("it is back", nil, 6)
}

func TestASlowServerHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	one := newPair(t, "one")
	slow, c := newPublisher(t, one.document), newTestCache()
	slow.hold = make(chan struct{})
	waiting := make(chan error)
	go func() { waiting <- c.Verify(t.Context(), slow.owner, one.token) }()
	other := newPublisher(t, one.document)
	other.owner.ID = "other"
	if err := c.Verify(t.Context(), other.owner, one.token); err != nil {
		t.Errorf("the other owner: %v", err)
	}
	// Who gives up does not end it for those who wait on.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Verify(gone, slow.owner, one.token); !errors.Is(err, context.Canceled) {
		t.Errorf("who gives up: %v, want context.Canceled", err)
	}
	close(slow.hold)
	if err := <-waiting; err != nil || slow.asked.Load() != 1 {
		t.Errorf("who waited: %v, asked %d times", err, slow.asked.Load())
	}
}

func TestKeysByValueAreReadOnce(t *testing.T) {
	t.Parallel()
	one, two := newPair(t, "one"), newPair(t, "two")
	c := newTestCache()
	o := Owner{ID: "owner", Document: one.document}
	if err := c.Verify(t.Context(), o, one.token); err != nil {
		t.Errorf("Verify() = %v", err)
	}
	if first := c.source(o); first != c.source(o) {
		t.Error("the set was read again")
	}
	if err := c.Verify(t.Context(), o, two.token); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: %v, want ErrSignature", err)
	}
	o.Document = two.document
	if err := c.Verify(t.Context(), o, two.token); err != nil {
		t.Errorf("after a change: %v", err)
	}
	for _, o := range []Owner{{ID: "none"}, {ID: "bad", Document: "{"}, {ID: "elsewhere", URL: "http://10.0.0.1/"}} {
		if err := c.Verify(t.Context(), o, one.token); !errors.Is(err, ErrKeys) {
			t.Errorf("%s: %v, want ErrKeys", o.ID, err)
		}
	}
}

func TestAKeyThatNamesAnIssuerSignsForNoOther(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		issuer, claims string
		want           bool
	}{
		{"https://op.example/a", `{"iss":"https://op.example/a"}`, true},
		{"https://op.example/a", `{"iss":"https://op.example/b"}`, false},
		{"https://op.example/{tenantid}", `{"iss":"https://op.example/a","tid":"a"}`, true},
		{"https://op.example/{tenantid}", `{"iss":"https://op.example/a","tid":"b"}`, false},
		{"https://op.example/{tenantid}", `{"iss":"https://op.example/a"}`, false},
		{"https://op.example/{tenantid}", `{"iss":"https://op.example/a","tid":["a"]}`, false},
		{"{tenantid}", `{"tid":""}`, false},
		{"https://op.example", `{"iss":1}`, false},
	} {
		var claims Claims
		if err := json.Unmarshal([]byte(c.claims), &claims); err != nil {
			t.Fatal(err)
		}
		if got := (&key{issuer: c.issuer}).isOf(&Token{Claims: claims}); got != c.want {
			t.Errorf("a key for %s, a token with %s: %v, want %v", c.issuer, c.claims, got, c.want)
		}
	}
	one := newPair(t, "one")
	document := strings.Replace(one.document, `"kid":`, `"issuer":"https://op.example","kid":`, 1)
	set, err := Parse([]byte(document))
	if err != nil || set.Len() != 1 || set.keys[0].issuer != "https://op.example" {
		t.Fatalf("Parse(%s) = %v, %v", document, set, err)
	}
	named, plain := Owner{ByIssuer: true}, Owner{}
	if named.verifies(set, one.token) || !plain.verifies(set, one.token) {
		t.Error("a token of nobody is signed by a key for an issuer")
	}
}
