package openid

import (
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/keyring"
	"authy/storage"
)

func FuzzParseLogout(f *testing.F) {
	p := newProvider(f)
	sign := func(kind keyring.Type, claims any) string {
		token, err := p.keys.Sign(f.Context(), keyring.ES256, kind, claims)
		if err != nil {
			f.Fatal(err)
		}
		return token
	}
	hint := sign(keyring.JWT, map[string]any{"iss": testIssuer, "sub": "bob", "aud": "web", "sid": "s", "exp": 1})
	for _, seed := range []string{
		"", "id_token_hint=" + hint, "id_token_hint=" + hint + "&client_id=web&state=x", "id_token_hint=a.b.c", "client_id=web",
		"client_id=web&post_logout_redirect_uri=https://web.example/out&state=a%26b", "state=%00", "state=a&state=b",
		"id_token_hint=" + sign(keyring.JWT, map[string]any{"iss": testIssuer, "sub": "bob", "aud": []string{"web", "x"}, "azp": "web"}),
		"id_token_hint=" + sign(keyring.JWT, map[string]any{"iss": testIssuer, "sub": "bob", "aud": 7, "sid": []int{1}}),
		"id_token_hint=" + sign(keyring.LogoutToken, map[string]any{"iss": testIssuer, "sub": "bob", "aud": "web"}),
		"logout_hint=x&ui_locales=de", "post_logout_redirect_uri=javascript:alert(1)&client_id=%ff", "id_token_hint=" + hint[:40],
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		form, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		l, err := p.ParseLogout(t.Context(), form)
		refusal, refused := errors.AsType[*Refusal](err)
		switch {
		case err != nil && !refused:
			t.Fatalf("%q: an internal error: %v", query, err)
		case refused && (l != nil || refusal.Location() != ""):
			t.Fatalf("%q: refused, and %v, to %q", query, l, refusal.Location())
		case refused:
			return
		case l.SessionID != "" && l.Client == nil && form.Get("client_id") == "web":
			t.Errorf("%q: a session without its client", query)
		case l.RedirectURL != "":
			uri, _, _ := strings.Cut(l.RedirectURL, "?")
			if l.Client == nil || !has(l.Client.PostLogoutRedirectURIs, uri) {
				t.Errorf("%q leads to %q", query, l.RedirectURL)
			}
		}
	})
}

func TestAFrameHasTheIssuerAndTheSession(t *testing.T) {
	t.Parallel()
	p := &Provider{Config: Config{Issuer: testIssuer}}
	for uri, want := range map[string]Frame{
		"https://rp.example/out": {URL: "https://rp.example/out?iss=https%3A%2F%2Fid.example&sid=s", Origin: "https://rp.example"},
		"https://rp.example:1/out?a=b%2Fc;d": {
			URL: "https://rp.example:1/out?a=b%2Fc;d&iss=https%3A%2F%2Fid.example&sid=s", Origin: "https://rp.example:1",
		},
		"http://[::1]:1/": {URL: "http://[::1]:1/?iss=https%3A%2F%2Fid.example&sid=s", Origin: "http://[::1]:1"},
		"":                {}, "javascript:alert(1)": {}, "data:text/html,x": {}, "https:///out": {}, "/out": {}, "%": {},
	} {
		got, ok := p.frameOf(&storage.Client{Options: storage.ClientOptions{FrontChannelURI: uri}}, "s")
		got.Client = nil
		if diff := cmp.Diff(want, got); diff != "" || ok != (want.URL != "") {
			t.Errorf("frame of %q: %v (-want +got):\n%s", uri, ok, diff)
		}
	}
}

func TestALogoutTokenIsSignedAsItsClientWants(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	client, err := p.clients.Client(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	l := &storage.Logout{ID: storage.NewID(), ClientID: storage.Ref(client.ID), Subject: "bob", SessionID: "s"}
	ids := map[string]bool{}
	for range 2 {
		token, err := p.LogoutToken(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		set, err := p.keys.Set(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		payload, err := set.Verify(token, keyring.LogoutToken)
		if err != nil {
			t.Fatalf("verify: %v", err)
		}
		var got map[string]any
		if err := json.Unmarshal(payload, &got); err != nil {
			t.Fatal(err)
		}
		issued, _ := got["iat"].(float64)
		expires, _ := got["exp"].(float64)
		id, _ := got["jti"].(string)
		ids[id] = true
		if d := time.Since(time.Unix(int64(issued), 0)); d < 0 || d > time.Minute || expires-issued != 120 {
			t.Errorf("iat %v, exp %v", issued, expires)
		}
		delete(got, "iat")
		delete(got, "exp")
		delete(got, "jti")
		want := map[string]any{
			"iss": testIssuer, "sub": "bob", "aud": "web", "sid": "s",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("claims (-want +got):\n%s", diff)
		}
		for _, other := range []keyring.Type{keyring.JWT, keyring.AccessToken} {
			if _, err := set.Verify(token, other); err == nil {
				t.Errorf("a logout token passes as %s", other)
			}
		}
	}
	if len(ids) != 2 || ids[""] {
		t.Errorf("jti: %v", ids)
	}
	l.ClientID = "gone"
	if _, err := p.LogoutToken(t.Context(), l); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("for a client that is gone: %v", err)
	}
}
