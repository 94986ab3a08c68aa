package servertest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/server/config"
	"authy/server/registry"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

// triesAssertions tries every algorithm that an endpoint advertises, with the method that it
// belongs to.
func triesAssertions(t *testing.T, s *servertest.Server, ad advertised) {
	t.Helper()
	const secret = "a shared secret that is as long as the longest hash, 64 bytes at least"
	form := url.Values{"token": {"x"}, "grant_type": {"refresh_token"}, "refresh_token": {"x"}}
	apps := map[string]keyApp{}
	for endpoint, path := range map[string]string{"token": tokenPath, "revocation": revokePath, "introspection": introspectPath} {
		algs := ad.list(endpoint + "_endpoint_auth_signing_alg_values_supported")
		if len(algs) != 14 {
			t.Errorf("%s: %d algorithms are advertised, want 14", endpoint, len(algs))
		}
		for _, alg := range algs {
			a, known := apps[alg]
			if !known && strings.HasPrefix(alg, "HS") {
				a = keyApp{register(t, s, registry.Registration{
					ClientID: "by-" + alg, Name: alg, Secret: secret, AuthMethod: "client_secret_jwt", Options: registry.Options{AuthAlg: alg},
				}), signer{alg: alg, key: []byte(secret)}}
			} else if !known {
				a = newKeyApp(t, s, "by-"+alg, alg, func(in *registry.Registration) { in.Options.AuthAlg = alg })
			}
			apps[alg] = a
			if r := a.post(t, s, path, form); r.status == http.StatusUnauthorized {
				t.Errorf("%s by %s: %d %s", path, alg, r.status, r.body)
			}
		}
	}
}

var nobodysToken = url.Values{"token": {"x"}, "grant_type": {"refresh_token"}, "refresh_token": {"x"}}

// let requires that the client was let in, whatever became of what it asked.
func (r reply) let(t *testing.T, what string) {
	t.Helper()
	if r.status == http.StatusUnauthorized || r.status >= http.StatusInternalServerError {
		t.Errorf("%s: %d %s, want the client let in", what, r.status, r.body)
	}
}

func TestAClientAssertionIsForThisServerAndGoodForAWhile(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := newKeyApp(t, s, "asserts", "ES256")
	now := time.Now()
	for name, change := range map[string][]any{
		"the issuer":                         nil,
		"the token endpoint":                 {"aud", s.URL + tokenPath},
		"a list of one":                      {"aud", []string{s.URL}},
		"two names of this server":           {"aud", []string{s.URL, s.URL + tokenPath}},
		"without iat":                        {"iat", nothing{}},
		"with nbf":                           {"nbf", now.Unix()},
		"a clock that is half a minute fast": {"iat", now.Unix() + 30, "nbf", now.Unix() + 30},
		"an hour but a bit":                  {"exp", now.Add(59 * time.Minute).Unix()},
		"a part of a second":                 {"exp", float64(now.Unix()) + 50.5},
		"more claims":                        {"x", map[string]any{"y": []int{1}}},
	} {
		send(t, s, tokenPath, asserting(nobodysToken, a.sign(t, a.claims(s, change...))), nil).let(t, name)
	}
	honest := func() string { return a.sign(t, a.claims(s)) }
	send(t, s, introspectPath, asserting(nobodysToken, a.sign(t, a.claims(s, "aud", s.URL+introspectPath))), nil).let(t, "the endpoint itself")
	send(t, s, tokenPath, with(asserting(nobodysToken, honest()), "client_id", a.id), nil).let(t, "client_id beside it")
	for _, typ := range []string{"JWT", "jwt", "client-authentication+jwt"} {
		send(t, s, tokenPath, asserting(nobodysToken, a.sign(t, a.claims(s), "typ", typ)), nil).let(t, typ)
	}
	for name, change := range map[string][]any{
		"TK-37 another server":            {"aud", "https://other-as.example"},
		"TK-37 this server and another":   {"aud", []string{s.URL, "https://other-as.example"}},
		"TK-37 ten years":                 {"exp", now.AddDate(10, 0, 0).Unix()},
		"TK-37 no jti":                    {"jti", nothing{}},
		"TK-37 two hours old":             {"iat", now.Add(-2 * time.Hour).Unix()},
		"Z-23 more than an hour":          {"exp", now.Add(61 * time.Minute).Unix()},
		"no aud":                          {"aud", nothing{}},
		"an empty aud":                    {"aud", []string{}},
		"the revocation endpoint":         {"aud", s.URL + revokePath},
		"the issuer and a slash":          {"aud", s.URL + "/"},
		"no exp":                          {"exp", nothing{}},
		"expired":                         {"exp", now.Add(-time.Second).Unix()},
		"not good yet":                    {"nbf", now.Add(2 * time.Minute).Unix()},
		"issued in the future":            {"iat", now.Add(2 * time.Minute).Unix()},
		"an empty jti":                    {"jti", ""},
		"a jti that is a number":          {"jti", 7},
		"a jti of a kilobyte":             {"jti", letters(1024)},
		"another iss":                     {"iss", "acme-portal-001"},
		"no iss":                          {"iss", nothing{}},
		"another sub":                     {"sub", "acme-portal-001"},
		"another sub and iss":             {"sub", "acme-portal-001", "iss", "acme-portal-001"},
		"no sub":                          {"sub", nothing{}},
		"a sub of two lines":              {"sub", "a\x00b"},
		"Z-22 TK-28 aud of a number":      {"aud", []int{1}},
		"Z-22 TK-28 aud of null":          {"aud", []any{nil}},
		"Z-22 TK-28 aud of an object":     {"aud", map[string]int{"a": 1}},
		"Z-22 TK-28 aud null":             {"aud", nil},
		"Z-22 TK-28 exp of text":          {"exp", "x"},
		"Z-22 TK-28 exp beyond all":       {"exp", 1e300},
		"Z-22 TK-28 exp below zero":       {"exp", -1},
		"Z-22 TK-28 iss of a list":        {"iss", []string{}},
		"Z-22 TK-28 sub of a list":        {"sub", []string{a.id}},
		"Z-22 TK-28 nbf of text":          {"nbf", "x"},
		"Z-22 TK-28 iat of null":          {"iat", nil},
		"ISS in capitals beside no iss":   {"iss", nothing{}, "ISS", a.id},
		"an audience in capitals instead": {"aud", nothing{}, "AUD", s.URL},
	} {
		t.Run(name, func(t *testing.T) {
			refusedClient(t, send(t, s, tokenPath, asserting(nobodysToken, a.sign(t, a.claims(s, change...))), nil))
		})
	}
	send(t, s, tokenPath, asserting(nobodysToken, honest()), nil).let(t, "after all that")
}

// refusedClient requires the one answer to a client that has not proved who it is
// (RFC 6749, section 5.2).
func refusedClient(t *testing.T, r reply) {
	t.Helper()
	r.refused(t, http.StatusUnauthorized, "invalid_client")
	if r.header.Get("WWW-Authenticate") == "" || r.header.Get("Cache-Control") != "no-store" {
		t.Errorf("header %v, want WWW-Authenticate and no-store", r.header)
	}
}

func TestAClientAssertionIsSignedByItsClientAlone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := newKeyApp(t, s, "asserts", "ES256")
	rs := newKeyApp(t, s, "asserts-by-rs", "PS256", func(in *registry.Registration) { in.Options.AuthAlg = "PS256" })
	stranger := newSigner(t, "ES256", a.kid)
	publicKey, err := a.public().MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	honest := a.sign(t, a.claims(s))
	parts := strings.Split(honest, ".")
	good, err := json.Marshal(a.claims(s))
	if err != nil {
		t.Fatal(err)
	}
	body := strings.TrimSuffix(string(good), "}")
	none := unsigned(t, a.claims(s))
	for name, assertion := range map[string]string{
		"a stranger's key":            stranger.sign(t, a.claims(s)),
		"a stranger's key in the jwk": stranger.sign(t, a.claims(s), "jwk", stranger.public()),
		"a stranger's key at the jku": stranger.sign(t, a.claims(s), "jku", "https://evil.example/jwks"),
		"another kid":                 signer{"ES256", "another", a.key}.sign(t, a.claims(s)),
		"none":                        none,
		"none and a signature":        none + parts[2],
		"None":                        strings.Replace(none, "eyJhbGciOiJub25lIn0", "eyJhbGciOiJOb25lIn0", 1),
		"HS256 by the public key":     signer{alg: "HS256", key: publicKey}.sign(t, a.claims(s)),
		"a critical claim":            a.sign(t, a.claims(s), "crit", []string{"exp"}, "exp", 1),
		"an unencoded payload":        a.sign(t, a.claims(s), "b64", true),
		"an access token's type":      a.sign(t, a.claims(s), "typ", "at+jwt"),
		"a request object's type":     a.sign(t, a.claims(s), "typ", "oauth-authz-req+jwt"),
		"a claim twice":               a.signRaw(t, body+`,"aud":"`+s.URL+`"}`),
		"a claim twice, deeper":       a.signRaw(t, body+`,"x":{"a":1,"a":2}}`),
		"more after the payload":      a.signRaw(t, string(good)+"{}"),
		"no payload":                  a.signRaw(t, ""),
		"a list":                      a.signRaw(t, "[1]"),
		"null":                        a.signRaw(t, "null"),
		"TK-28 deep":                  a.signRaw(t, body+`,"x":`+strings.Repeat("[", 5000)+strings.Repeat("]", 5000)+"}"),
		"TK-28 two megabytes":         parts[0] + "." + strings.Repeat("A", 60_000) + "." + parts[2],
		"no signature":                parts[0] + "." + parts[1] + ".",
		"two parts":                   parts[0] + "." + parts[1],
		"a JWE's five parts":          honest + ".AA.AA",
		"padding":                     honest + "=",
		"not base64":                  "!.!.!",
		"another payload":             parts[0] + "." + strings.Split(a.sign(t, a.claims(s)), ".")[1] + "." + parts[2],
		"an algorithm for another":    signer{"RS256", rs.kid, rs.key}.sign(t, rs.claims(s)),
		"another client's key":        signer{"PS256", rs.kid, rs.key}.sign(t, a.claims(s)),
	} {
		t.Run(name, func(t *testing.T) {
			refusedClient(t, send(t, s, tokenPath, asserting(nobodysToken, assertion), nil))
		})
	}
	refusedClient(t, send(t, s, tokenPath, with(asserting(nobodysToken, honest), "client_id", rs.id), nil))
	refusedClient(t, send(t, s, tokenPath, with(asserting(nobodysToken, honest), "client_assertion_type", "x"), nil))
	refusedClient(t, send(t, s, tokenPath, without(asserting(nobodysToken, honest), "client_assertion_type"), nil))
	refusedClient(t, send(t, s, tokenPath, without(asserting(nobodysToken, honest), "client_assertion"), nil))
	send(t, s, tokenPath, with(asserting(nobodysToken, honest), "client_secret", "x"), nil).
		refused(t, http.StatusBadRequest, "invalid_request")
	send(t, s, tokenPath, asserting(nobodysToken, honest), acmePortal.basic).refused(t, http.StatusBadRequest, "invalid_request")
	send(t, s, tokenPath, twice(asserting(nobodysToken, honest), "client_assertion", honest), nil).
		refused(t, http.StatusBadRequest, "invalid_request")
	send(t, s, tokenPath, asserting(nobodysToken, honest), nil).let(t, "the honest one, which none of these used up")
	for _, reason := range []string{"malformed_assertion", "wrong_signature", "wrong_algorithm", "not_an_assertion", "assertion_of_another_client"} {
		if !recorded(t, s, "client.auth_failed", reason) {
			t.Errorf("no failure is recorded for %s", reason)
		}
	}
}

// Z-35: what a client has registered is the one way in which it can authenticate.
func TestAClientAuthenticatesOnlyAsItHasRegistered(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const secret = "a shared secret that has 32 bytes at the very least"
	ways := map[string]func(t *testing.T, id string) reply{
		"none": func(t *testing.T, id string) reply {
			return send(t, s, tokenPath, with(nobodysToken, "client_id", id), nil)
		},
		"client_secret_basic": func(t *testing.T, id string) reply {
			return send(t, s, tokenPath, nobodysToken, app{id, secret, ""}.basic)
		},
		"client_secret_post": func(t *testing.T, id string) reply {
			return send(t, s, tokenPath, with(nobodysToken, "client_id", id, "client_secret", secret), nil)
		},
	}
	keys := newSigner(t, "ES256", "k")
	for method, k := range map[string]signer{"client_secret_jwt": {alg: "HS256", key: []byte(secret)}, "private_key_jwt": keys} {
		ways[method] = func(t *testing.T, id string) reply { return keyApp{app{id: id}, k}.post(t, s, tokenPath, nobodysToken) }
	}
	for _, method := range append([]string{""}, authMethods...) {
		in := registry.Registration{
			ClientID: "only-" + method, Name: "Only " + method, AuthMethod: method, Options: registry.Options{JWKS: publicJWKS(t, keys)},
		}
		if method != "none" && method != "private_key_jwt" {
			in.Secret = secret
		}
		register(t, s, in)
		for way, try := range ways {
			r := try(t, in.ClientID)
			if way == method || method == "" && (way == "client_secret_basic" || way == "client_secret_post") {
				r.let(t, "Z-35 registered "+method+", comes by "+way)
			} else {
				refusedClient(t, r)
			}
		}
	}
}

// TK-37, Z-23: an assertion works once, also for those who come at the same time, also
// after its client has been deleted and registered anew.
func TestAClientAssertionWorksOnce(t *testing.T) {
	t.Parallel()
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			s := servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine)})
			a := newKeyApp(t, s, "asserts", "ES256")
			for _, claims := range []map[string]any{a.claims(s), a.claims(s, "jti", "x"), a.claims(s, "jti", "x\u0000\U0001F600")} {
				form := asserting(nobodysToken, a.sign(t, claims))
				var let int
				for _, r := range atOnce(50, func() reply { return send(t, s, tokenPath, form, nil) }) {
					if r.status == http.StatusUnauthorized {
						refusedClient(t, r)
						continue
					}
					r.let(t, "one of fifty")
					let++
				}
				if let != 1 {
					t.Errorf("TK-37 %d of 50 were let in, want 1", let)
				}
				// Signed anew it has the same jti, and so at the other endpoints.
				for _, path := range []string{tokenPath, revokePath, introspectPath, pushPath} {
					refusedClient(t, send(t, s, path, asserting(nobodysToken, a.sign(t, claims)), nil))
				}
			}
			if !recorded(t, s, "client.auth_failed", "assertion_replayed") {
				t.Error("no replay is recorded")
			}
			other := newKeyApp(t, s, "asserts-too", "ES256")
			send(t, s, tokenPath, asserting(nobodysToken, other.sign(t, other.claims(s, "jti", "x"))), nil).
				let(t, "another client with the same jti")
		})
	}
}

func TestOneAssertionRacesForOneToken(t *testing.T) {
	t.Parallel()
	onNodes(t, func(t *testing.T, s *servertest.Server, next func() *servertest.Server) {
		a := newKeyApp(t, s, "asserts", "ES256")
		for round := range roundsOf(t, 5) {
			form := asserting(nobodysToken, a.sign(t, a.claims(s)))
			let := 0
			for _, r := range atOnce(crowd(round), func() reply { return send(t, next(), tokenPath, form, nil) }) {
				if r.status == http.StatusUnauthorized {
					refusedClient(t, r)
					continue
				}
				r.let(t, "one of them")
				let++
			}
			if let != 1 {
				t.Fatalf("TK-37 %d of %d were let in, want 1", let, crowd(round))
			}
		}
	})
}

func TestAClientWithAKeyGetsItsTokens(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	a := newKeyApp(t, s, "asserts", "EdDSA")
	code, verifier := a.code(t, s, servertest.Browser(t))
	got := a.post(t, s, tokenPath, a.redemption(code, verifier)).tokens(t)
	next := a.post(t, s, tokenPath, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.Refresh}}).tokens(t)
	if r := a.post(t, s, introspectPath, url.Values{"token": {next.Access}}); r.fields["active"] != true {
		t.Errorf("introspection: %d %s", r.status, r.body)
	}
	if r := a.post(t, s, revokePath, url.Values{"token": {next.Access}}); r.status != http.StatusOK {
		t.Errorf("revocation: %d %s", r.status, r.body)
	}
	alive(t, s, next.Access, false)
}

// The module refresh-token-rp-key-rotation: a key that a client has just published works.
func TestAKeyThatWasJustPublishedWorks(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: reaching})
	shelf := newShelf(t)
	a := newKeyApp(t, s, "asserts", "ES256", func(in *registry.Registration) {
		in.Options = registry.Options{JWKSURI: shelf.URL + "/jwks"}
	})
	shelf.put("/jwks", publicJWKS(t, a.signer))
	for range 3 {
		a.post(t, s, tokenPath, nobodysToken).let(t, "the first key")
	}
	if n := shelf.asked.Load(); n != 1 {
		t.Errorf("the keys were asked for %d times, want once", n)
	}
	old := a
	a.signer = newSigner(t, "RS256", "the next key")
	shelf.put("/jwks", publicJWKS(t, a.signer))
	a.post(t, s, tokenPath, nobodysToken).let(t, "the next key")
	refusedClient(t, old.post(t, s, tokenPath, nobodysToken))
	strange := keyApp{a.app, newSigner(t, "ES256", "never published")}
	for range 3 {
		refusedClient(t, strange.post(t, s, tokenPath, nobodysToken))
	}
	if n := shelf.asked.Load(); n != 2 {
		t.Errorf("the keys were asked for %d times, want twice: an unknown key asks once in a while", n)
	}
}

func TestFailedAssertionsAreCounted(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.RateLimit.Enabled = true }})
	a := newKeyApp(t, s, "asserts", "ES256")
	stranger := keyApp{a.app, newSigner(t, "ES256", a.kid)}
	for range 31 {
		refusedClient(t, stranger.post(t, s, tokenPath, nobodysToken))
	}
	r := stranger.post(t, s, pushPath, nobodysToken)
	if r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
		t.Errorf("after 31 failures: %d %s, want 429", r.status, r.body)
	}
}
