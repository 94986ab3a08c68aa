package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"authy/server/registry"
	"authy/server/servertest"
)

// objectOf is a form as the claims of a request object.
func objectOf(form url.Values, pairs ...any) map[string]any {
	claims := map[string]any{}
	for name := range form {
		claims[name] = form.Get(name)
	}
	return changed(claims, pairs...)
}

// outer is what stands beside an object.
func (a app) outer(pairs ...string) url.Values {
	return with(url.Values{"client_id": {a.id}, "response_type": {"code"}, "scope": {"openid"}}, pairs...)
}

// granted lets bob agree to a request, and requires a code for a with the state.
func granted(t *testing.T, s *servertest.Server, browser *http.Client, a app, form url.Values) (code string) {
	t.Helper()
	page, steps := s.Visit(t, browser, authorizeURL(s, form), bob, bobPass)
	to := page.Location()
	if to == nil || !strings.HasPrefix(to.String(), a.redirect) || to.Query().Get("code") == "" || to.Query().Get("state") != "the state" {
		t.Fatalf("after %v: status %d, to %v, want a code at %s", steps, page.Response.StatusCode, to, a.redirect)
	}
	return to.Query().Get("code")
}

func TestARequestMayComeAsASignedObject(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	a := newKeyApp(t, s, "objects", "ES256", func(in *registry.Registration) {
		in.RedirectURIs = []string{callback, callback + "?second"}
	})
	verifier := oauth2.GenerateVerifier()
	inner := a.request(verifier)
	now := time.Now()
	for name, try := range map[string]struct {
		outer  url.Values
		change []any
	}{
		"all in the object":      {url.Values{"client_id": {a.id}}, nil},
		"OpenID Connect's least": {a.outer(), nil},
		"who and for whom":       {a.outer(), []any{"iss", a.id, "aud", s.URL, "exp", now.Add(time.Minute).Unix(), "nbf", now.Unix(), "jti", "x"}},
		"for others, too":        {a.outer(), []any{"aud", []string{"https://other.example", s.URL}}},
		"its redirect_uri wins":  {a.outer("redirect_uri", "https://evil.example/cb"), nil},
		"its state wins":         {a.outer("state", "another"), nil},
		"its scope wins":         {a.outer("scope", "nonsense"), nil},
		"max_age as a number":    {a.outer(), []any{"max_age", 1000}},
		"claims as an object":    {a.outer(), []any{"claims", map[string]any{"userinfo": map[string]any{"email": nil}}}},
		"state beside it":        {a.outer("state", "the state"), []any{"state", nothing{}}},
		"unknown parameters":     {a.outer("x", "y"), []any{"y", "z", "z", []string{"a", "b"}, "w", true}},
	} {
		form := with(try.outer, "request", a.sign(t, objectOf(inner, try.change...), "typ", "oauth-authz-req+jwt"))
		code := granted(t, s, browser, a.app, form)
		if got := a.post(t, s, tokenPath, a.redemption(code, verifier)).tokens(t); got.Scope != allScopes {
			t.Errorf("%s: scope %q, want that of the object", name, got.Scope)
		}
	}
	second := a.sign(t, objectOf(inner, "redirect_uri", callback+"?second"))
	granted(t, s, browser, app{redirect: callback + "?second&"}, a.outer("request", second))
}

// AZ-21: what an object says counts only once it is certain whose it is.
func TestARequestObjectThatIsNotTheClientsIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	a := newKeyApp(t, s, "objects", "ES256")
	legacy := newKeyApp(t, s, "objects-too", "ES256", func(in *registry.Registration) {
		in.Options.Profile, in.Options.RequestAlg = registry.Legacy, "PS256"
	})
	inner := a.request("v")
	now := time.Now()
	stranger := newSigner(t, "ES256", a.kid)
	evil := objectOf(inner, "redirect_uri", "https://evil.example/cb")
	for name, request := range map[string]string{
		"unsigned":                unsigned(t, objectOf(inner)),
		"unsigned, elsewhere":     unsigned(t, evil),
		"a stranger's, elsewhere": stranger.sign(t, evil),
		"a stranger's":            stranger.sign(t, objectOf(inner)),
		"a stranger's with jwk":   stranger.sign(t, objectOf(inner), "jwk", stranger.public()),
		"another client's":        legacy.sign(t, objectOf(inner)),
		"a shared secret":         signer{alg: "HS256", key: []byte(letters(40))}.sign(t, objectOf(inner)),
		"another iss":             a.sign(t, objectOf(inner, "iss", acmePortal.id)),
		"iss of a list":           a.sign(t, objectOf(inner, "iss", []string{a.id})),
		"for others":              a.sign(t, objectOf(inner, "aud", "https://other.example")),
		"Z-22 aud of a number":    a.sign(t, objectOf(inner, "aud", []int{1})),
		"Z-10 expired":            a.sign(t, objectOf(inner, "exp", now.Add(-time.Minute).Unix())),
		"Z-10 not good yet":       a.sign(t, objectOf(inner, "nbf", now.Add(time.Hour).Unix())),
		"Z-10 an empty iss":       a.sign(t, objectOf(inner, "iss", "")),
		"another client_id":       a.sign(t, objectOf(inner, "client_id", acmePortal.id)),
		"another response_type":   a.sign(t, objectOf(inner, "response_type", "token")),
		"an object within":        a.sign(t, objectOf(inner, "request", "x.y.z")),
		"a reference within":      a.sign(t, objectOf(inner, "request_uri", "https://a.example/")),
		"a client assertion":      a.sign(t, changed(objectOf(inner), "iss", a.id, "sub", a.id, "aud", s.URL)),
		"an access token's type":  a.sign(t, objectOf(inner), "typ", "at+jwt"),
		"encrypted":               "a.b.c.d.e",
		"no JWT":                  "x",
		"state of null":           a.sign(t, objectOf(inner, "state", nil)),
		"two states":              a.sign(t, objectOf(inner, "state", []string{"a", "b"})),
		"a claim twice":           a.signRaw(t, `{"client_id":"objects","client_id":"objects"}`),
		"critical":                a.sign(t, objectOf(inner), "crit", []string{"x"}, "x", 1),
	} {
		t.Run("AZ-21 "+name, func(t *testing.T) {
			form := with(inner, "request", request)
			refusedThere(t, s, servertest.Get(t, browser, authorizeURL(s, form)), a.app, "invalid_request_object")
			// Where no redirect URI is certain nobody is sent anywhere.
			refusedHere(t, servertest.Get(t, browser, authorizeURL(s, without(form, "redirect_uri"))), "request")
			refusedHere(t, servertest.Get(t, browser, authorizeURL(s, with(form, "redirect_uri", "https://evil.example/cb"))), "request")
		})
	}
	form := with(inner, "request", a.sign(t, evil))
	refusedHere(t, servertest.Get(t, browser, authorizeURL(s, form)), "redirect_uri")
	refusedHere(t, servertest.Get(t, browser, authorizeURL(s, without(form, "client_id"))), "client_id")
	refusedHere(t, servertest.Get(t, browser, authorizeURL(s, with(form, "client_id", "nobody"))), "client_id")
	both := with(inner, "request", a.sign(t, objectOf(inner)), "request_uri", "https://a.example/")
	refusedThere(t, s, servertest.Get(t, browser, authorizeURL(s, both)), a.app, "invalid_request")
	again := twice(with(inner, "request", a.sign(t, objectOf(inner))), "request", a.sign(t, objectOf(inner)))
	refusedThere(t, s, servertest.Get(t, browser, authorizeURL(s, again)), a.app, "invalid_request")
	for name, request := range map[string]string{
		"another algorithm than registered": legacy.sign(t, objectOf(legacy.request("v"))),
		"unsigned where one is registered":  unsigned(t, objectOf(legacy.request("v"))),
	} {
		t.Run("AZ-21 "+name, func(t *testing.T) {
			page := servertest.Get(t, browser, authorizeURL(s, legacy.request("v", "request", request)))
			refusedThere(t, s, page, legacy.app, "invalid_request_object")
		})
	}
}

func TestAnUnsignedObjectIsForWhoHasRegisteredThat(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	for id, options := range map[string]registry.Options{
		"registered-none": {RequestAlg: "none"}, "legacy-client": {Profile: registry.Legacy},
	} {
		a := register(t, s, registry.Registration{ClientID: id, Secret: "a secret of its own", Name: id, Options: options})
		outer := a.outer("redirect_uri", "https://evil.example/cb") // ensure-request-object-with-redirect-uri
		granted(t, s, browser, a, with(outer, "request", unsigned(t, objectOf(a.request("v")))))
	}
	strict := register(t, s, registry.Registration{
		ClientID: "signs-all", Secret: "a secret of its own", Name: "x", Options: registry.Options{SignedRequest: true, JWKS: publicJWKS(t, newSigner(t, "ES256", "key"))},
	})
	form := strict.request("v", "request", unsigned(t, objectOf(strict.request("v"))))
	refusedThere(t, s, servertest.Get(t, browser, authorizeURL(s, form)), strict, "invalid_request_object")
}

// RFC 9101, sections 5 and 10.5.
func TestOfAClientThatSignsItsRequestsNothingElseCounts(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	a := newKeyApp(t, s, "signs-all", "ES256", func(in *registry.Registration) { in.Options.SignedRequest = true })
	inner := a.request("v")
	refusedThere(t, s, servertest.Get(t, browser, authorizeURL(s, inner)), a.app, "invalid_request")
	form := with(inner, "request", a.sign(t, objectOf(inner)))
	granted(t, s, browser, a.app, form)
	granted(t, s, browser, a.app, with(form, "scope", "nonsense", "prompt", "nonsense", "max_age", "x", "state", "another"))
	for name, missing := range map[string]string{"client_id": "invalid_request_object", "scope": "invalid_scope", "code_challenge": "invalid_request"} {
		request := a.sign(t, objectOf(inner, name, nothing{}))
		page := servertest.Get(t, browser, authorizeURL(s, with(inner, "request", request)))
		refusedThere(t, s, page, a.app, missing)
	}
	noRedirect := a.sign(t, objectOf(inner, "redirect_uri", nothing{}))
	refusedHere(t, servertest.Get(t, browser, authorizeURL(s, with(inner, "request", noRedirect))), "redirect_uri")
}

func TestARequestObjectIsFetchedFromWhereItIsRegistered(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: reaching})
	browser := servertest.Browser(t)
	shelf := newShelf(t)
	a := newKeyApp(t, s, "refers", "RS256", func(in *registry.Registration) {
		in.Options.RequestURIs = []string{
			shelf.URL + "/object", shelf.URL + "/object#a-random-hash", shelf.URL + "/missing", shelf.URL + "/garbage", shelf.URL + "/long",
		}
	})
	inner := a.request("v")
	shelf.put("/object", a.sign(t, objectOf(inner))+"\n")
	shelf.put("/garbage", "<html>")
	shelf.put("/long", strings.Repeat("x", 70_000))
	for _, uri := range []string{shelf.URL + "/object", shelf.URL + "/object#a-random-hash"} {
		granted(t, s, browser, a.app, a.outer("request_uri", uri))
	}
	asked := shelf.asked.Load()
	for uri, code := range map[string]string{
		shelf.URL + "/missing": "invalid_request_uri", shelf.URL + "/long": "invalid_request_uri", shelf.URL + "/garbage": "invalid_request_object",
	} {
		refusedThere(t, s, servertest.Get(t, browser, authorizeURL(s, with(inner, "request_uri", uri))), a.app, code)
	}
	if n := shelf.asked.Load() - asked; n != 3 {
		t.Errorf("%d requests for three objects", n)
	}
	asked = shelf.asked.Load()
	for _, uri := range []string{
		shelf.URL + "/other", shelf.URL + "/object?x=1", shelf.URL + "/object#other", shelf.URL + "/OBJECT", shelf.URL + "/object/../object",
		"http://127.0.0.1:1/", "file:///etc/passwd", "", "urn:ietf:params:oauth:request_uri:x",
	} {
		refusedThere(t, s, servertest.Get(t, browser, authorizeURL(s, with(inner, "request_uri", uri))), a.app, "invalid_request_uri")
		refusedHere(t, servertest.Get(t, browser, authorizeURL(s, with(inner, "request_uri", uri, "client_id", "nobody"))), "client_id")
	}
	page := servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v", "request_uri", shelf.URL+"/object")))
	refusedThere(t, s, page, acmePortal, "invalid_request_uri")
	if n := shelf.asked.Load() - asked; n != 0 {
		t.Errorf("AZ-21 %d requests for what nobody has registered", n)
	}
	// Without the leave of the configuration even a registered one is not asked.
	closed := servertest.New(t)
	b := newKeyApp(t, closed, "refers", "RS256", func(in *registry.Registration) { in.Options.RequestURIs = []string{shelf.URL + "/object"} })
	page = servertest.Get(t, browser, authorizeURL(closed, b.request("v", "request_uri", shelf.URL+"/object")))
	refusedThere(t, closed, page, b.app, "invalid_request_uri")
	if n := shelf.asked.Load() - asked; n != 0 {
		t.Errorf("AZ-21 %d requests to a private address", n)
	}
}
