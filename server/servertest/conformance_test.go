package servertest_test

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"authy/server/registry"
	"authy/server/servertest"
)

// The plans of the OpenID Foundation's conformance suite, module by module under the suite's own
// names: the requests that each sends and what it holds against the answers, its warnings included.
// They stand in for the suite where that cannot run; they do not replace it.

// conformance is a plan that runs: a server, the suite's clients, and its browser.
type conformance struct {
	*testing.T
	s             *servertest.Server
	ad            advertised
	browser       *http.Client
	mode          string // the response_mode that is sent, "" for none
	kind          string // the response_type, "" for code
	first, second app
	auth          string // token_endpoint_auth_method
}

// module is one module of a plan.
type module struct {
	name string
	run  func(c *conformance)
}

// certify registers the suite's clients, as its manual says to, and runs the modules of a plan,
// each in a browser that nobody has signed in with.
func certify(t *testing.T, mode string, modules []module) {
	t.Helper()
	certifyOn(t, servertest.New(t), mode, "", modules, registry.Registration{})
}

// certifyOn is certify at a server, with a response_type unless it is "", for clients of some
// grants and response types.
func certifyOn(t *testing.T, s *servertest.Server, mode, kind string, modules []module, of registry.Registration) {
	t.Helper()
	saysEverything(t, s)
	ad := advertised(raw(t, http.MethodGet, s.URL+"/.well-known/openid-configuration", "", nil).fields)
	client := func(id, method string) app {
		return register(t, s, registry.Registration{
			ClientID: id, Secret: "a secret of the suite's own", Name: id, AuthMethod: method,
			Scopes:     []string{"openid", "profile", "email", "address", "phone", "offline_access"},
			GrantTypes: of.GrantTypes, ResponseTypes: of.ResponseTypes,
			RedirectURIs: []string{"https://suite.example/test/a/" + id + "/callback"},
			Options:      registry.Options{Profile: registry.Legacy, LeanIDToken: true},
		})
	}
	first, second := client("suite-1", registry.AuthBasic), client("suite-2", registry.AuthBasic)
	for _, m := range modules {
		t.Run(m.name, func(t *testing.T) {
			m.run(&conformance{
				T: t, s: s, ad: ad, browser: servertest.Browser(t), mode: mode, kind: kind, first: first, second: second,
				auth: registry.AuthBasic,
			})
		})
	}
}

// request is the suite's authorization request: no PKCE, and the scope openid alone.
func (c *conformance) request(a app, pairs ...string) url.Values {
	form := without(a.request("", "scope", "openid", "state", letters(10), "nonce", letters(10)), "code_challenge", "code_challenge_method")
	if c.mode != "" {
		form.Set("response_mode", c.mode)
	}
	if c.kind != "" {
		form.Set("response_type", c.kind)
	}
	form = with(form, pairs...)
	for name := range form {
		if form.Get(name) == "" {
			form.Del(name)
		}
	}
	return form
}

// firstAction finds where a page's first form leads.
var firstAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)

// answerOf returns the parameters of an answer at a's redirect URI; nil if there is none.
func (c *conformance) answerOf(a app, page *servertest.Page) url.Values {
	c.Helper()
	if c.mode != "form_post" {
		to := page.Location()
		if to == nil || !strings.HasPrefix(to.String(), a.redirect) {
			return nil
		}
		if c.kind != "" {
			return c.fragment(to)
		}
		return to.Query()
	}
	found := firstAction.FindStringSubmatch(page.Body)
	if page.Response.StatusCode != http.StatusOK || found == nil || html.UnescapeString(found[1]) != a.redirect {
		return nil
	}
	return page.Hidden()
}

// authorize sends an authorization request, signs in and agrees if asked, and returns the answer
// and the steps that it took.
func (c *conformance) authorize(a app, form url.Values) (answer url.Values, steps []string) {
	c.Helper()
	page, steps := c.s.Visit(c, c.browser, authorizeURL(c.s, form), bob, bobPass)
	answer = c.answerOf(a, page)
	if answer == nil {
		c.Fatalf("no answer after %v: %d %v %s", steps, page.Response.StatusCode, page.Location(), page.Body)
	}
	if answer.Get("state") != form.Get("state") || answer.Get("iss") != c.s.URL {
		c.Errorf("answer %v, want state %q and iss %q", answer, form.Get("state"), c.s.URL)
	}
	return answer, steps
}

// grantedTo is what a whole code flow gave.
type grantedTo struct {
	tokens
	code, nonce     string
	header, claims  map[string]any
	userinfo        map[string]any
	rawTokenRequest url.Values
}

// flow is a whole code flow with every check that all modules make. pairs change the
// authorization request; an empty value leaves a parameter out.
func (c *conformance) flow(a app, pairs ...string) grantedTo {
	c.Helper()
	form := c.request(a, pairs...)
	answer, _ := c.authorize(a, form)
	return c.exchange(a, form, answer)
}

func (c *conformance) exchange(a app, form, answer url.Values) grantedTo {
	c.Helper()
	if c.kind != "" {
		return c.inFront(a, form, answer)
	}
	if answer.Get("code") == "" || answer.Has("error") {
		c.Fatalf("answer %v, want a code", answer)
	}
	out := grantedTo{code: answer.Get("code"), nonce: form.Get("nonce")}
	out.rawTokenRequest = url.Values{"grant_type": {"authorization_code"}, "code": {out.code}, "redirect_uri": {a.redirect}}
	reply := c.post(a, out.rawTokenRequest)
	if got := reply.header.Get("Cache-Control"); got != "no-store" {
		c.Errorf("Cache-Control of the token response = %q", got)
	}
	if kind, _ := reply.fields["token_type"].(string); !strings.EqualFold(kind, "Bearer") {
		c.Errorf("token_type = %q", kind)
	}
	out.tokens = reply.tokens(c.T)
	out.header, out.claims = c.checkIDToken(a, out.ID, out.Access, out.nonce)
	out.userinfo = c.checkUserinfo(out)
	return out
}

// post sends a token request as the client authenticates.
func (c *conformance) post(a app, form url.Values) reply {
	c.Helper()
	if c.auth == registry.AuthPost {
		return send(c.T, c.s, tokenPath, with(form, "client_id", a.id, "client_secret", a.secret), nil)
	}
	return a.post(c.T, c.s, tokenPath, form)
}

// allowedInIDToken are the claims that an ID token has without anyone asking.
var allowedInIDToken = strings.Fields("iss sub aud exp iat auth_time nonce acr amr azp at_hash")

// checkIDToken verifies an ID token as OpenID Connect Core 1.0, section 3.1.3.7 says to.
func (c *conformance) checkIDToken(a app, token, access, nonce string) (header, claims map[string]any) {
	c.Helper()
	header, claims = claimsOf(c.T, token)
	set, _ := keysOf(c.T, c.s)
	kid, _ := header["kid"].(string)
	keys := set.Key(kid)
	if kid == "" || len(keys) != 1 || header["alg"] != keys[0].Algorithm {
		c.Fatalf("the header %v names no one key of the JWKS", header)
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(keys[0].Algorithm)})
	if err == nil {
		_, err = signed.Verify(keys[0].Key)
	}
	if err != nil {
		c.Fatalf("the signature: %v", err)
	}
	now := float64(time.Now().Unix())
	number := func(name string) float64 { n, _ := claims[name].(float64); return n }
	sub, _ := claims["sub"].(string)
	switch {
	case claims["iss"] != c.s.URL, fmt.Sprint(claims["aud"]) != a.id && fmt.Sprint(claims["aud"]) != "["+a.id+"]":
		c.Errorf("iss %v, aud %v", claims["iss"], claims["aud"])
	case claims["azp"] != nil && claims["azp"] != a.id:
		c.Errorf("azp = %v", claims["azp"])
	case number("exp") <= now, number("iat") > now+5, number("iat") < now-60, number("auth_time") > now+5:
		c.Errorf("exp %v, iat %v, auth_time %v at %v", claims["exp"], claims["iat"], claims["auth_time"], now)
	case sub == "" || len(sub) > 255:
		c.Errorf("sub = %q", sub)
	case nonce != "" && claims["nonce"] != nonce, nonce == "" && claims["nonce"] != nil:
		c.Errorf("nonce = %v, want %q", claims["nonce"], nonce)
	}
	if hash := crypto.SHA256.New(); claims["at_hash"] != nil && header["alg"] == "RS256" {
		hash.Write([]byte(access))
		if want := base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16]); claims["at_hash"] != want {
			c.Errorf("at_hash = %v, want %s", claims["at_hash"], want)
		}
	}
	return header, claims
}

// checkUserinfo asks for the claims with the access token, and checks what all modules do.
func (c *conformance) checkUserinfo(got grantedTo) map[string]any {
	c.Helper()
	answer := userinfo(c.T, c.s, got.Access)
	if answer.status != http.StatusOK || !strings.HasPrefix(answer.header.Get("Content-Type"), "application/json") {
		c.Fatalf("userinfo = %d %q %s", answer.status, answer.header.Get("Content-Type"), answer.body)
	}
	if answer.fields["sub"] != got.claims["sub"] {
		c.Errorf("sub is %v at userinfo and %v in the ID token", answer.fields["sub"], got.claims["sub"])
	}
	return answer.fields
}

// only requires that the ID token has no claim beside those it may have unasked
// (EnsureIdTokenDoesNotContainNonRequestedClaims).
func (c *conformance) only(claims map[string]any, more ...string) {
	c.Helper()
	for name := range claims {
		if !slices.Contains(allowedInIDToken, name) && !slices.Contains(more, name) {
			c.Errorf("warning: the ID token contains %s, which nobody asked for", name)
		}
	}
}

// fails requires that a request is answered with one of codes, and no page.
func (c *conformance) fails(a app, form url.Values, codes ...string) url.Values {
	c.Helper()
	answer := c.answerOf(a, servertest.Get(c, c.browser, authorizeURL(c.s, form)))
	if answer == nil || !slices.Contains(codes, answer.Get("error")) || answer.Has("code") || answer.Has("access_token") ||
		answer.Has("id_token") || answer.Get("state") != form.Get("state") {
		c.Fatalf("answer %v, want an error %v with state %q", answer, codes, form.Get("state"))
	}
	return answer
}

// shown requires a page of ours that says what is wrong, and that nobody is sent anywhere.
func (c *conformance) shown(form url.Values) {
	c.Helper()
	page := servertest.Get(c, c.browser, authorizeURL(c.s, form))
	if status := page.Response.StatusCode; status != http.StatusBadRequest || page.Location() != nil {
		c.Errorf("status %d, to %v, want a page of our own", status, page.Location())
	}
}

// askedPassword says whether a password was asked for before there was an answer.
func askedPassword(steps []string) bool { return slices.Contains(steps, "sign-in") }

func text(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(out)
}
