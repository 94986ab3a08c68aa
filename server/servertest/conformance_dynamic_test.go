package servertest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/servertest"
)

// dynamic is the dynamic plan: each module registers its own client, which signs what it sends.
type dynamic struct {
	*conformance
	site *site
}

// site is the suite's web server: it serves what clients publish by URL.
type site struct {
	*httptest.Server
	mu    sync.Mutex
	files map[string]string
}

func newSite(t *testing.T) *site {
	t.Helper()
	w := &site{files: map[string]string{}}
	w.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		defer w.mu.Unlock()
		io.WriteString(rw, w.files[r.URL.Path]) //nolint:errcheck // a test
	}))
	t.Cleanup(w.Close)
	return w
}

// publish serves a text, and returns its URL.
func (w *site) publish(name, text string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files["/"+name] = text
	return w.URL + "/" + name
}

// registrant is a client that registered itself.
type registrant struct {
	app
	c   *dynamic
	key jose.JSONWebKey
	alg jose.SignatureAlgorithm
	got map[string]any
}

// rpKey returns a key for an algorithm.
func rpKey(t *testing.T, alg jose.SignatureAlgorithm) jose.JSONWebKey {
	t.Helper()
	var key any
	var err error
	if alg == jose.ES256 {
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: key, KeyID: letters(8), Use: "sig", Algorithm: string(alg)}
}

func rpKeys(keys ...jose.JSONWebKey) jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{}
	for _, key := range keys {
		set.Keys = append(set.Keys, key.Public())
	}
	return set
}

// metadata is what the suite registers: private_key_jwt, and the keys by value.
func (c *dynamic) metadata(key jose.JSONWebKey) map[string]any {
	return map[string]any{
		"client_name": "Suite " + letters(4), "redirect_uris": []string{"https://suite.example/test/a/dynamic/callback"},
		"grant_types": []string{"authorization_code"}, "response_types": []string{"code"},
		"token_endpoint_auth_method": "private_key_jwt", "jwks": rpKeys(key),
		"contacts": []string{"suite@example.com"},
	}
}

// register registers a client; change changes what it says of itself.
func (c *dynamic) register(change func(m map[string]any, key jose.JSONWebKey)) *registrant {
	c.Helper()
	key := rpKey(c.T, jose.RS256)
	m := c.metadata(key)
	if change != nil {
		change(m, key)
	}
	answer := c.send(m)
	if answer.status != http.StatusCreated {
		c.Fatalf("registration: %d %s", answer.status, answer.body)
	}
	id, _ := answer.fields["client_id"].(string)
	uris, _ := answer.fields["redirect_uris"].([]any)
	if id == "" || len(uris) == 0 {
		c.Fatalf("registration: %s", answer.body)
	}
	redirect, _ := uris[0].(string)
	return &registrant{app{id, "", redirect}, c, key, jose.RS256, answer.fields}
}

func (c *dynamic) send(metadata map[string]any) reply {
	return raw(c.T, http.MethodPost, c.s.URL+"/oidc/register", text(metadata), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
	})
}

// sign signs claims with the client's key.
func (p *registrant) sign(claims map[string]any) string {
	p.c.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: p.alg, Key: p.key}, nil)
	if err != nil {
		p.c.Fatal(err)
	}
	signed, err := signer.Sign([]byte(text(claims)))
	if err != nil {
		p.c.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		p.c.Fatal(err)
	}
	return compact
}

// post sends a token request with a client assertion for an audience.
func (p *registrant) post(form url.Values, audience any) reply {
	p.c.Helper()
	now := time.Now().Unix()
	return send(p.c.T, p.c.s, tokenPath, with(form,
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
		"client_assertion", p.sign(map[string]any{
			"iss": p.id, "sub": p.id, "aud": audience, "jti": letters(20), "iat": now, "exp": now + 60,
		})), nil)
}

// flow is a whole code flow of the client.
func (p *registrant) flow(pairs ...string) (tokens, map[string]any) {
	p.c.Helper()
	form := p.c.request(p.app, pairs...)
	answer, _ := p.c.authorize(p.app, form)
	return p.exchange(form, answer)
}

func (p *registrant) exchange(form, answer url.Values) (tokens, map[string]any) {
	p.c.Helper()
	got := p.post(url.Values{
		"grant_type": {"authorization_code"}, "code": {answer.Get("code")}, "redirect_uri": {p.redirect},
	}, p.c.s.URL+tokenPath).tokens(p.c.T)
	header, claims := p.c.checkIDToken(p.app, got.ID, got.Access, form.Get("nonce"))
	if header["alg"] != "RS256" {
		p.c.Errorf("the ID token is signed with %v", header["alg"])
	}
	p.c.only(claims)
	return got, claims
}

func TestDynamicCertification(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.OpenID.Registration, c.OpenID.RegistrationProfile = "open", "legacy"
		c.OpenID.Implicit = true
		c.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}})
	saysEverything(t, s)
	ad := advertised(raw(t, http.MethodGet, s.URL+"/.well-known/openid-configuration", "", nil).fields)
	w := newSite(t)
	for _, m := range dynamicModules {
		t.Run(m.name, func(t *testing.T) {
			m.run(&dynamic{&conformance{T: t, s: s, ad: ad, browser: servertest.Browser(t)}, w})
		})
	}
}

// signInPage returns the page on which the client's users sign in.
func (p *registrant) signInPage() string {
	p.c.Helper()
	page := servertest.Get(p.c, p.c.browser, authorizeURL(p.c.s, p.c.request(p.app)))
	if page.Location() == nil {
		p.c.Fatalf("status %d %s", page.Response.StatusCode, page.Body)
	}
	return servertest.Get(p.c, p.c.browser, page.Location().String()).Body
}

// shows is a module that registers the URL of something people are to see.
func shows(name string) func(c *dynamic) {
	return func(c *dynamic) {
		address := "https://suite.example/" + name
		p := c.register(func(m map[string]any, _ jose.JSONWebKey) { m[name] = address })
		if !strings.Contains(p.signInPage(), `"`+address+`"`) {
			c.Errorf("the sign-in page does not show %s", address)
		}
	}
}

// byReference is a module that sends its request by request_uri.
func byReference(alg string) func(c *dynamic) {
	return func(c *dynamic) {
		name := letters(12)
		p := c.register(func(m map[string]any, _ jose.JSONWebKey) {
			m["request_uris"], m["request_object_signing_alg"] = []string{c.site.URL + "/" + name}, alg
		})
		form := c.request(p.app)
		object := map[string]any{"iss": p.id, "aud": c.s.URL}
		for parameter := range form {
			object[parameter] = form.Get(parameter)
		}
		address := c.site.publish(name, p.sign(object))
		if alg == "none" {
			c.site.publish(name, unsignedObject(c.T, form))
		}
		answer, _ := c.authorize(p.app, with(c.request(p.app), "request_uri", address, "state", form.Get("state"), "nonce", form.Get("nonce")))
		p.exchange(form, answer)
	}
}

var dynamicModules = []struct {
	name string
	run  func(c *dynamic)
}{
	{"oidcc-idtoken-rs256", func(c *dynamic) {
		c.register(func(m map[string]any, _ jose.JSONWebKey) { m["id_token_signed_response_alg"] = "RS256" }).flow()
	}},
	{"oidcc-idtoken-unsigned", func(c *dynamic) {
		if slices.Contains(c.ad.list("id_token_signing_alg_values_supported"), "none") {
			c.Error("none is advertised")
		}
	}},
	{"oidcc-userinfo-rs256", func(c *dynamic) {
		p := c.register(func(m map[string]any, _ jose.JSONWebKey) { m["userinfo_signed_response_alg"] = "RS256" })
		got, claims := p.flow()
		answer := userinfo(c.T, c.s, got.Access)
		if kind := answer.header.Get("Content-Type"); !strings.HasPrefix(kind, "application/jwt") {
			c.Fatalf("userinfo is %q: %s", kind, answer.body)
		}
		header, said := claimsOf(c.T, answer.body)
		if header["alg"] != "RS256" || said["sub"] != claims["sub"] || said["iss"] != c.s.URL || said["aud"] != p.id {
			c.Errorf("userinfo says %v %v", header, said)
		}
	}},
	{"oidcc-ensure-redirect-uri-in-authorization-request", func(c *dynamic) {
		p := c.register(func(m map[string]any, _ jose.JSONWebKey) {
			m["redirect_uris"] = []string{"https://suite.example/test/a/1/callback", "https://suite.example/test/a/2/callback"}
		})
		c.shown(c.request(p.app, "redirect_uri", ""))
	}},
	{"oidcc-redirect-uri-query-OK", func(c *dynamic) {
		c.register(func(m map[string]any, _ jose.JSONWebKey) {
			m["redirect_uris"] = []string{"https://suite.example/test/a/1/callback?foo=bar"}
		}).queryKept()
	}},
	{"oidcc-redirect-uri-query-mismatch", func(c *dynamic) {
		p := c.register(func(m map[string]any, _ jose.JSONWebKey) {
			m["redirect_uris"] = []string{"https://suite.example/test/a/1/callback?foo=bar"}
		})
		c.shown(c.request(p.app, "redirect_uri", "https://suite.example/test/a/1/callback?bar=foo"))
	}},
	{"oidcc-redirect-uri-query-added", func(c *dynamic) {
		p := c.register(nil)
		c.shown(c.request(p.app, "redirect_uri", p.redirect+"?foo=bar"))
	}},
	{"oidcc-redirect-uri-regfrag", func(c *dynamic) {
		m := c.metadata(rpKey(c.T, jose.RS256))
		m["redirect_uris"] = []string{"https://suite.example/test/a/1/callback#foobar"}
		c.send(m).refused(c.T, http.StatusBadRequest, "invalid_redirect_uri", "invalid_client_metadata")
	}},
	{"oidcc-discovery-endpoint-verification", verifyDiscovery},
	{"oidcc-server", func(c *dynamic) { c.register(nil).flow() }},
	{"oidcc-registration-logo-uri", shows("logo_uri")},
	{"oidcc-registration-policy-uri", shows("policy_uri")},
	{"oidcc-registration-tos-uri", shows("tos_uri")},
	{"oidcc-registration-jwks-uri", func(c *dynamic) {
		p := c.register(func(m map[string]any, key jose.JSONWebKey) {
			delete(m, "jwks")
			m["jwks_uri"] = c.site.publish(letters(12), text(rpKeys(key)))
		})
		p.flow()
	}},
	{"oidcc-registration-sector-uri", func(c *dynamic) {
		sector := c.site.publish(letters(12), `["https://suite.example/test/a/dynamic/callback"]`)
		p := c.register(func(m map[string]any, _ jose.JSONWebKey) {
			m["sector_identifier_uri"], m["subject_type"] = sector, "pairwise"
		})
		_, claims := p.flow()
		if claims["sub"] == userID(c.T, c.s, bob) {
			c.Error("the subject is not pairwise")
		}
	}},
	{"oidcc-registration-sector-bad", func(c *dynamic) {
		m := c.metadata(rpKey(c.T, jose.RS256))
		m["sector_identifier_uri"] = c.site.publish(letters(12), `["https://other.example/callback"]`)
		c.send(m).refused(c.T, http.StatusBadRequest, "invalid_redirect_uri", "invalid_client_metadata")
	}},
	{"oidcc-server-rotate-keys", rotateKeys},
	{"oidcc-refresh-token-rp-key-rotation", func(c *dynamic) {
		name := letters(12)
		p := c.register(func(m map[string]any, key jose.JSONWebKey) {
			delete(m, "jwks")
			m["jwks_uri"] = c.site.publish(name, text(rpKeys(key)))
			m["grant_types"] = []string{"authorization_code", "refresh_token"}
		})
		got, _ := p.flow("scope", "openid offline_access", "prompt", "consent")
		p.key = rpKey(c.T, jose.RS256)
		c.site.publish(name, text(rpKeys(p.key)))
		p.post(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}, c.s.URL+tokenPath).tokens(c.T)
	}},
	{"oidcc-request-uri-unsigned", byReference("none")},
	{"oidcc-request-uri-signed-rs256", byReference("RS256")},
	{"oidcc-ensure-request-object-with-redirect-uri", func(c *dynamic) {
		p := c.register(func(m map[string]any, _ jose.JSONWebKey) { m["request_object_signing_alg"] = "none" })
		form := c.request(p.app)
		answer, _ := c.authorize(p.app, with(form, "redirect_uri", p.redirect+"/other", "request", unsignedObject(c.T, form)))
		p.exchange(form, answer)
	}},
	{"oidcc-refresh-token", func(c *dynamic) {
		p := c.register(func(m map[string]any, _ jose.JSONWebKey) {
			m["grant_types"] = []string{"authorization_code", "refresh_token"}
		})
		got, _ := p.flow("scope", "openid offline_access", "prompt", "consent")
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}
		stranger := c.register(nil)
		if r := stranger.post(form, c.s.URL); r.status == http.StatusOK {
			c.Error("a stranger used the refresh token")
		}
		p.post(form, c.s.URL+tokenPath).tokens(c.T)
	}},
	{"oidcc-ensure-client-assertion-with-iss-aud-succeeds", func(c *dynamic) {
		p := c.register(nil)
		form := c.request(p.app)
		answer, _ := c.authorize(p.app, form)
		p.post(url.Values{"grant_type": {"authorization_code"}, "code": {answer.Get("code")}, "redirect_uri": {p.redirect}}, c.s.URL).tokens(c.T)
	}},
}

// queryKept requires that the query of a redirect URI comes back beside the answer.
func (p *registrant) queryKept() {
	p.c.Helper()
	form := p.c.request(p.app)
	page, _ := p.c.s.Visit(p.c, p.c.browser, authorizeURL(p.c.s, form), bob, bobPass)
	to := page.Location()
	if to == nil || to.Query().Get("foo") != "bar" || to.Query().Get("code") == "" {
		p.c.Fatalf("status %d, to %v", page.Response.StatusCode, to)
	}
	p.exchange(form, to.Query())
}

// rotateKeys rotates the server's keys: there is a new one, and the old one stays.
func rotateKeys(c *dynamic) {
	before, _ := keysOf(c.T, c.s)
	if _, err := c.s.Keys.Rotate(c.Context(), audit.Shell(), "", false); err != nil {
		c.Fatal(err)
	}
	after, body := keysOf(c.T, c.s)
	for _, key := range before.Keys {
		if len(after.Key(key.KeyID)) != 1 {
			c.Errorf("warning: the key %s is gone", key.KeyID)
		}
	}
	if len(after.Keys) <= len(before.Keys) {
		c.Error("there is no new key")
	}
	var private struct{ Keys []map[string]any }
	if err := json.Unmarshal(body, &private); err != nil {
		c.Fatal(err)
	}
	for _, key := range private.Keys {
		if key["d"] != nil || key["k"] != nil || key["kid"] == nil {
			c.Errorf("the JWKS holds %v", key)
		}
	}
}
