package servertest_test

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/registry"
	"authy/server/servertest"
)

// Z-19: the type of a token and its id are looked at.
func TestOnlyOurOwnLiveAccessTokensOpenUserinfo(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	got := acmePortal.tokens(t, s, servertest.Browser(t))
	refused := func(name, token string) {
		t.Run(name, func(t *testing.T) {
			r := userinfo(t, s, token)
			if r.status == http.StatusRequestHeaderFieldsTooLarge {
				return
			}
			r.refused(t, http.StatusUnauthorized, "invalid_token")
			if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), `Bearer realm="authy", error="invalid_token"`) {
				t.Errorf("WWW-Authenticate = %q", r.header.Get("WWW-Authenticate"))
			}
		})
	}
	for name, token := range forgeries(t, s, got.Access) {
		refused(name, token)
	}
	for name, token := range malformed(t, s) {
		refused("TK-28 "+name, token)
	}
	refused("TK-18 an ID token", got.ID)
	refused("TK-18 a refresh token", got.Refresh)
	refused("TK-18 an API session", apiSession(t, s))
	alive(t, s, got.Access, true)

	for name, token := range map[string]string{"an access token": got.Access, "an ID token": got.ID, "a refresh token": got.Refresh} {
		t.Run("TK-18 "+name+" at the API", func(t *testing.T) {
			if r := raw(t, http.MethodGet, s.URL+"/api/v1/auth/me", "", bearerOf(token)); r.status != http.StatusUnauthorized {
				t.Errorf("answer %d, want 401", r.status)
			}
		})
	}
}

// apiSession signs bob in at the JSON API.
func apiSession(t *testing.T, s *servertest.Server) string {
	t.Helper()
	body := string(encode(t, map[string]string{"email": bob, "password": bobPass}))
	r := raw(t, http.MethodPost, s.URL+"/api/v1/auth/login", body, func(r *http.Request) { r.Header.Set("Content-Type", "application/json") })
	data, _ := r.fields["data"].(map[string]any)
	token, _ := data["token"].(string)
	if token == "" {
		t.Fatalf("login = %d %s", r.status, r.body)
	}
	if r := raw(t, http.MethodGet, s.URL+"/api/v1/auth/me", "", bearerOf(token)); r.status != http.StatusOK {
		t.Fatalf("me = %d %s", r.status, r.body)
	}
	return token
}

func TestNoOtherSpellingOfATokenIsTheToken(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	got := acmePortal.tokens(t, s, servertest.Browser(t))
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	// Every letter of the signature, and some of the rest, gets its neighbour.
	signature := strings.LastIndexByte(got.Access, '.') + 1
	for i := range got.Access {
		at := strings.IndexByte(alphabet, got.Access[i])
		if at < 0 || i < signature && i%9 != 0 && got.Access[min(i+1, len(got.Access)-1)] != '.' {
			continue
		}
		flipped := got.Access[:i] + alphabet[at^1:at^1+1] + got.Access[i+1:]
		if r := userinfo(t, s, flipped); r.status != http.StatusUnauthorized {
			t.Errorf("TK-47 letter %d of %d flipped: %d, want 401", i, len(got.Access), r.status)
		}
	}
	alive(t, s, got.Access, true)
}

func TestBearerTokensComeInOneWay(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	got := acmePortal.tokens(t, s, servertest.Browser(t))
	form := url.Values{"access_token": {got.Access}}
	inQuery := s.URL + userinfoPath + "?" + form.Encode()
	if r := raw(t, http.MethodGet, inQuery, "", nil); r.status != http.StatusBadRequest && r.status != http.StatusUnauthorized {
		t.Errorf("TK-26 in the query: %d %s", r.status, r.body)
	}
	raw(t, http.MethodGet, inQuery, "", bearerOf(got.Access)).refused(t, http.StatusBadRequest, "invalid_request")
	send(t, s, userinfoPath, form, bearerOf(got.Access)).refused(t, http.StatusBadRequest, "invalid_request")
	send(t, s, userinfoPath, twice(form, "access_token", got.Access), nil).refused(t, http.StatusBadRequest, "invalid_request")
	if r := send(t, s, userinfoPath, form, nil); r.status != http.StatusOK {
		t.Errorf("TK-26 in a form: %d %s", r.status, r.body)
	}
	if r := raw(t, http.MethodPost, s.URL+userinfoPath, "", bearerOf(got.Access)); r.status != http.StatusOK {
		t.Errorf("a POST with the header: %d %s", r.status, r.body)
	}

	r := raw(t, http.MethodGet, s.URL+userinfoPath, "", nil)
	if h := r.header.Get("WWW-Authenticate"); r.status != http.StatusUnauthorized || h != `Bearer realm="authy"` {
		t.Errorf("TK-27 no token: %d, WWW-Authenticate %q, want 401 without an error code", r.status, h)
	}
	for _, header := range []string{"Bearer", "Bearer ", "Basic " + got.Access, got.Access, "Token " + got.Access} {
		r := raw(t, http.MethodGet, s.URL+userinfoPath, "", func(r *http.Request) { r.Header.Set("Authorization", header) })
		if !strings.HasPrefix(r.header.Get("WWW-Authenticate"), "Bearer ") || r.status != http.StatusUnauthorized {
			t.Errorf("TK-27 %.10q: %d, WWW-Authenticate %q", header, r.status, r.header.Get("WWW-Authenticate"))
		}
	}
	profile := acmePortal.tokens(t, s, servertest.Browser(t), "scope", "profile")
	if profile.ID != "" {
		t.Error("Z-12 an ID token without the scope openid")
	}
	r = userinfo(t, s, profile.Access)
	r.refused(t, http.StatusForbidden, "insufficient_scope")
	if !strings.Contains(r.header.Get("WWW-Authenticate"), `error="insufficient_scope"`) {
		t.Errorf("TK-27 WWW-Authenticate = %q", r.header.Get("WWW-Authenticate"))
	}
}

func TestAnAccessTokenEndsWhenItSays(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	brief := register(t, s, registry.Registration{
		ClientID: "brief", Secret: "a secret of its own", Name: "Brief", AccessTokenLifetime: 2 * time.Second,
	})
	got := brief.tokens(t, s, servertest.Browser(t))
	alive(t, s, got.Access, true)
	if got.Expires != 2 {
		t.Errorf("expires_in = %d, want 2", got.Expires)
	}
	time.Sleep(2100 * time.Millisecond)
	alive(t, s, got.Access, false)
	if r := brief.introspect(t, s, got.Access); r.fields["active"] != false {
		t.Errorf("introspection = %s", r.body)
	}
	brief.refresh(t, s, got.Refresh).tokens(t)
}

func TestTokensSayWhatTheyShouldAndNoMore(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	set, _ := keysOf(t, s)
	before := time.Now().Unix()
	got := acmePortal.tokens(t, s, browser, "scope", "openid")

	header, claims := claimsOf(t, got.ID)
	if header["alg"] != "RS256" || header["typ"] != "JWT" || len(set.Key(header["kid"].(string))) != 1 {
		t.Errorf("TK-35 header %v, want RS256, JWT and a published kid", header)
	}
	sum := sha256.Sum256([]byte(got.Access))
	want := map[string]any{
		"iss": s.URL, "sub": userID(t, s, bob), "aud": []any{acmePortal.id}, "azp": acmePortal.id, "nonce": "the nonce",
		"at_hash": b64(sum[:16]), "amr": []any{"pwd"}, "client_id": nil,
	}
	for name, value := range want {
		if value == nil {
			delete(claims, name)
		} else if diff := cmp.Diff(value, claims[name]); diff != "" {
			t.Errorf("TK-35 %s (-want +got):\n%s", name, diff)
		}
	}
	exp, iat, at := claims["exp"].(float64), claims["iat"].(float64), claims["auth_time"].(float64)
	if exp-iat != 3600 || iat < float64(before) || at < float64(before) || at > iat {
		t.Errorf("TK-35 exp %v, iat %v, auth_time %v, begun at %d", exp, iat, at, before)
	}
	for _, name := range []string{"email", "email_verified", "name", "picture", "updated_at", "roles"} {
		if _, there := claims[name]; there {
			t.Errorf("TK-35 the ID token says %s without its scope", name)
		}
	}
	info := userinfo(t, s, got.Access)
	if diff := cmp.Diff(map[string]any{"sub": userID(t, s, bob)}, info.fields); diff != "" {
		t.Errorf("userinfo of openid alone (-want +got):\n%s", diff)
	}

	header, claims = claimsOf(t, got.Access)
	if header["alg"] != "ES256" || header["typ"] != "at+jwt" || len(set.Key(header["kid"].(string))) != 1 {
		t.Errorf("access token header %v, want ES256, at+jwt and a published kid", header)
	}
	// RFC 9068, section 2.2.
	for _, name := range []string{"iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope"} {
		if claims[name] == nil {
			t.Errorf("the access token does not say %s", name)
		}
	}
	if got.Expires != 3600 {
		t.Errorf("expires_in = %d, want 3600", got.Expires)
	}
}

func TestThePublishedKeysArePublic(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, path := range []string{"/oidc/jwks", "/.well-known/openid-configuration"} {
		r := raw(t, http.MethodGet, s.URL+path, "", nil)
		if r.status != http.StatusOK || r.header.Get("Content-Type") != "application/json" ||
			!strings.HasPrefix(r.header.Get("Cache-Control"), "public, max-age=") || r.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %v", path, r.status, r.header)
		}
		tag := r.header.Get("Etag")
		again := raw(t, http.MethodGet, s.URL+path, "", func(r *http.Request) { r.Header.Set("If-None-Match", tag) })
		if tag == "" || again.status != http.StatusNotModified || again.body != "" || again.header.Get("Etag") != tag {
			t.Errorf("%s again: %d, ETag %q, want 304 and %q", path, again.status, again.header.Get("Etag"), tag)
		}
		other := raw(t, http.MethodGet, s.URL+path, "", func(r *http.Request) { r.Header.Set("If-None-Match", `"x"`) })
		if other.status != http.StatusOK || other.body != r.body {
			t.Errorf("%s with another tag: %d", path, other.status)
		}
		if post := raw(t, http.MethodPost, s.URL+path, "", nil); post.status != http.StatusMethodNotAllowed {
			t.Errorf("POST %s = %d, want 405", path, post.status)
		}
	}
	var set struct{ Keys []map[string]any }
	if err := json.Unmarshal([]byte(raw(t, http.MethodGet, s.URL+"/oidc/jwks", "", nil).body), &set); err != nil || len(set.Keys) != 4 {
		t.Fatalf("keys %v, %v", set, err)
	}
	members := map[any][]string{
		"RSA": {"alg", "e", "kid", "kty", "n", "use"}, "EC": {"alg", "crv", "kid", "kty", "use", "x", "y"},
		"OKP": {"alg", "crv", "kid", "kty", "use", "x"},
	}
	for _, key := range set.Keys {
		allowed := strings.Join(members[key["kty"]], " ")
		for name := range key {
			if !strings.Contains(" "+allowed+" ", " "+name+" ") {
				t.Errorf("TK-33 a key of kind %v shows %s", key["kty"], name)
			}
		}
		if len(key) != len(strings.Fields(allowed)) || key["use"] != "sig" {
			t.Errorf("TK-33 key %v, want the members %s", key, allowed)
		}
	}
}
