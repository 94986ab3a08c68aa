package servertest_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"authy/server/registry"
	"authy/server/servertest"
)

const signedIntrospection = "application/token-introspection+jwt"

// introspectSigned asks about a token, and for a signed answer.
func (a app) introspectSigned(t *testing.T, s *servertest.Server, token string) reply {
	t.Helper()
	return send(t, s, introspectPath, url.Values{"token": {token}}, func(r *http.Request) {
		a.basic(r)
		r.Header.Set("Accept", signedIntrospection)
	})
}

// introspectionSignedBy asks about a token as a client that wants answers signed by alg.
func introspectionSignedBy(t *testing.T, s *servertest.Server, browser *http.Client, alg string) {
	t.Helper()
	a := register(t, s, registry.Registration{
		ClientID: "introspects-" + alg, Name: alg, Secret: "a secret of its own", Options: registry.Options{IntrospectionAlg: alg},
	})
	r := a.introspectSigned(t, s, a.tokens(t, s, browser).Access)
	header, payload := claimsOf(t, r.body)
	if header["alg"] != alg || payload["aud"] != a.id {
		t.Errorf("an answer signed by %v for %v, want %s for %s", header["alg"], payload["aud"], alg, a.id)
	}
	set, _ := keysOf(t, s)
	signed, err := jose.ParseSignedCompact(r.body, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := signed.Verify(set); err != nil {
		t.Errorf("an answer signed by %s: %v", alg, err)
	}
}

// RFC 9701, section 5.
func TestASignedAnswerSaysWhatThePlainOneSays(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const resource = "https://api.example/"
	a := register(t, s, registry.Registration{ClientID: "asks", Secret: "a secret of its own", Name: "Asks", Options: registry.Options{Resources: []string{resource}}})
	api := register(t, s, registry.Registration{ClientID: "the-api", Secret: "a secret of its own", Name: "API", Options: registry.Options{Resources: []string{resource}}})
	stranger := register(t, s, registry.Registration{ClientID: "stranger", Secret: "a secret of its own", Name: "Stranger"})
	got := a.tokens(t, s, servertest.Browser(t), "resource", resource)
	for name, c := range map[string]struct {
		by    app
		token string
		live  bool
	}{
		"an access token":    {a, got.Access, true},
		"a refresh token":    {a, got.Refresh, true},
		"for a resource":     {api, got.Access, true},
		"of somebody else":   {stranger, got.Access, false},
		"another's refresh":  {api, got.Refresh, false},
		"nobody's":           {a, "nonsense", false},
		"an ID token":        {a, got.ID, false},
		"longer than any is": {a, letters(9000), false},
		"a signed answer":    {a, a.introspectSigned(t, s, got.Access).body, false},
	} {
		began := time.Now().Unix()
		r := c.by.introspectSigned(t, s, c.token)
		if r.status != http.StatusOK || r.header.Get("Content-Type") != signedIntrospection || r.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%s: %d, %v", name, r.status, r.header)
		}
		header, payload := claimsOf(t, r.body)
		if header["typ"] != "token-introspection+jwt" || header["alg"] != "RS256" || header["kid"] == "" {
			t.Errorf("%s: header %v", name, header)
		}
		at, _ := payload["iat"].(float64)
		if payload["iss"] != s.URL || payload["aud"] != c.by.id || int64(at) < began || int64(at) > time.Now().Unix() || len(payload) != 4 {
			t.Errorf("%s: says %v", name, payload)
		}
		plain := c.by.introspect(t, s, c.token)
		if diff := cmp.Diff(any(plain.fields), payload["token_introspection"]); diff != "" || plain.fields["active"] != c.live {
			t.Errorf("%s: active %v, want %v (-plain +signed):\n%s", name, plain.fields["active"], c.live, diff)
		}
	}
	refused := send(t, s, introspectPath, url.Values{"token": {got.Access}}, func(r *http.Request) {
		r.SetBasicAuth(a.id, "wrong")
		r.Header.Set("Accept", signedIntrospection)
	})
	refused.refused(t, http.StatusUnauthorized, "invalid_client")
	send(t, s, introspectPath, nil, func(r *http.Request) {
		a.basic(r)
		r.Header.Set("Accept", signedIntrospection)
	}).refused(t, http.StatusBadRequest, "invalid_request")
}

// RFC 9701, section 8.1: nobody takes such an answer for a token.
func TestASignedAnswerIsNoToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	a := register(t, s, registry.Registration{ClientID: "asks", Secret: "a secret of its own", Name: "Asks"})
	answer := a.introspectSigned(t, s, a.tokens(t, s, browser).Access).body
	if r := userinfo(t, s, answer); r.status != http.StatusUnauthorized {
		t.Errorf("userinfo answers %d %s", r.status, r.body)
	}
	page := servertest.Get(t, browser, authorizeURL(s, a.request(oauth2.GenerateVerifier(), "id_token_hint", answer)))
	refusedThere(t, s, page, a, "invalid_request")
}
