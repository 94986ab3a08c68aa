package servertest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/server/config"
	"authy/server/dpop/dpoptest"
	"authy/server/registry"
	"authy/server/servertest"
)

// The algorithms of signatures with a key pair, and the ways to authenticate.
var (
	signatures  = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"}
	authMethods = []string{"none", "client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"}
)

const pushPath = "/oidc/par"

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// signer is a client's key.
type signer struct {
	alg, kid string
	key      any
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // impossible: the size is one that there is
	}
	return key
})

// newSigner makes a key for an algorithm.
func newSigner(t testing.TB, alg, kid string) signer {
	t.Helper()
	var key any
	var err error
	switch alg {
	case "ES256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA", "Ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	default:
		key = rsaKey()
	}
	if err != nil {
		t.Fatal(err)
	}
	return signer{alg, kid, key}
}

// sign signs claims; pairs of names and values are added to the header.
func (s signer) sign(t testing.TB, claims map[string]any, extra ...any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return s.signRaw(t, string(payload), extra...)
}

func (s signer) signRaw(t testing.TB, payload string, extra ...any) string {
	t.Helper()
	options := &jose.SignerOptions{}
	for i := 0; i < len(extra); i += 2 {
		name, _ := extra[i].(string)
		options.WithHeader(jose.HeaderKey(name), extra[i+1])
	}
	key := dpoptest.SigningKey(s.key, s.alg)
	if _, shared := key.([]byte); !shared && s.kid != "" {
		key = jose.JSONWebKey{Key: key, KeyID: s.kid}
	}
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(s.alg), Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := made.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// public is the key as a client publishes it.
func (s signer) public() jose.JSONWebKey {
	pair, ok := s.key.(crypto.Signer)
	if !ok {
		panic("impossible: only key pairs are published")
	}
	return jose.JSONWebKey{Key: pair.Public(), KeyID: s.kid, Use: "sig"}
}

// publicJWKS is a set of keys as a document.
func publicJWKS(t testing.TB, signers ...signer) string {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, s := range signers {
		set.Keys = append(set.Keys, s.public())
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unsigned is an object of the algorithm none.
func unsigned(t testing.TB, claims map[string]any) string {
	t.Helper()
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return "eyJhbGciOiJub25lIn0." + base64.RawURLEncoding.EncodeToString(payload) + "."
}

// reaching lets a server ask those that listen on this machine.
func reaching(c *config.Config) {
	c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
}

// shelf is a server with documents, such as a client's.
type shelf struct {
	URL   string
	asked atomic.Int64

	mu        sync.Mutex
	documents map[string]string // by path; one that is missing is not found
}

func newShelf(t testing.TB) *shelf {
	t.Helper()
	s := &shelf{documents: map[string]string{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.mu.Lock()
		text, has := s.documents[r.URL.Path]
		s.mu.Unlock()
		if !has {
			http.NotFound(w, r)
			return
		}
		w.Write([]byte(text)) //nolint:errcheck // a test
	}))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *shelf) put(path, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.documents[path] = text
}

// keyApp is a client that authenticates by assertions.
type keyApp struct {
	app
	signer
}

// newKeyApp registers a client that authenticates by private_key_jwt.
func newKeyApp(t *testing.T, s *servertest.Server, id, alg string, change ...func(*registry.Registration)) keyApp {
	t.Helper()
	k := newSigner(t, alg, "key of "+id)
	in := registry.Registration{ClientID: id, Name: id, AuthMethod: "private_key_jwt", Options: registry.Options{JWKS: publicJWKS(t, k)}}
	for _, c := range change {
		c(&in)
	}
	return keyApp{register(t, s, in), k}
}

// claims are those of an honest assertion; pairs of names and values change them, and
// nothing takes one away.
func (a keyApp) claims(s *servertest.Server, pairs ...any) map[string]any {
	now := time.Now()
	return changed(map[string]any{
		"iss": a.id, "sub": a.id, "aud": s.URL, "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
	}, pairs...)
}

type nothing struct{}

func changed(claims map[string]any, pairs ...any) map[string]any {
	for i := 0; i < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		if claims[name] = pairs[i+1]; pairs[i+1] == (nothing{}) {
			delete(claims, name)
		}
	}
	return claims
}

// asserting adds an assertion to a form.
func asserting(form url.Values, assertion string) url.Values {
	return with(form, "client_assertion", assertion, "client_assertion_type", assertionType)
}

// post sends a form with an honest assertion.
func (a keyApp) post(t *testing.T, s *servertest.Server, path string, form url.Values) reply {
	t.Helper()
	return send(t, s, path, asserting(form, a.sign(t, a.claims(s))), nil)
}
