package demo_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"authy/server/demo"
)

// unsigned returns the payload as a JWT with alg none.
func unsigned(payload []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"none"}`)) + "." + encode(payload) + "."
}

func TestRefreshingRotates(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	b := open(t, p)
	b.get("/sign-in")
	first := only(t, p.fresh)
	p.set(func(p *stub) { p.grant = func(token map[string]any) { token["expires_in"] = 600 } })
	got := b.post("/refresh")
	second := only(t, p.fresh)
	got.shows(t, http.StatusOK, "access token: valid for 10m0s",
		"the refresh token rotated, from "+first[:12]+"… to "+second[:12]+"…")
	if strings.Contains(got.body, second) {
		t.Error("the page shows the whole refresh token")
	}
	b.post("/refresh").shows(t, http.StatusOK, "from "+second[:12]+"… to ")
}

func TestARefreshMayKeepTheRefreshToken(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	b := open(t, p)
	b.get("/sign-in")
	p.set(func(p *stub) {
		p.grant = func(token map[string]any) {
			delete(token, "refresh_token")
			delete(token, "id_token")
		}
	})
	b.post("/refresh").shows(t, http.StatusOK, "the refresh token stayed the same", "user-1")
}

func TestARefreshForSomebodyElseIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ claim, value, want string }{
		{"sub", "user-2", "about somebody else"},
		{"nonce", "old", "nonce of another sign-in"},
		{"aud", "other", "The ID token is not valid"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			t.Parallel()
			p := newStub(t)
			b := open(t, p)
			b.get("/sign-in")
			p.set(func(p *stub) {
				p.claim = func(claims map[string]any) { claims[test.claim] = test.value }
			})
			if got := b.post("/refresh"); !strings.Contains(got.body, test.want) {
				t.Errorf("the page does not contain %q:\n%s", test.want, got.body)
			}
			b.get("/").shows(t, http.StatusOK, "user-1")
		})
	}
}

func TestARevokedGrantIsExplained(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	b := open(t, p)
	b.get("/sign-in")
	p.set(func(p *stub) { clear(p.fresh); clear(p.access) })
	b.post("/refresh").shows(t, http.StatusBadGateway, "did not refresh", "invalid_grant")
	b.post("/userinfo").shows(t, http.StatusBadGateway, "Userinfo did not answer", "401")
}

func TestUserinfoIsAskedAgain(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	b := open(t, p)
	b.get("/sign-in")
	p.set(func(p *stub) {
		p.tell = func(info map[string]any) { info["email"] = "countess@example.com" }
	})
	b.post("/userinfo").shows(t, http.StatusOK, "countess@example.com", "Userinfo answered")
	p.set(func(p *stub) { p.tell = func(info map[string]any) { info["sub"] = "user-2" } })
	b.post("/userinfo").shows(t, http.StatusBadRequest, "user-2")
}

func TestButtonsWithoutASessionLeadHome(t *testing.T) {
	t.Parallel()
	b := open(t, newStub(t))
	for _, path := range []string{"/refresh", "/userinfo", "/sign-out"} {
		got := b.post(path)
		got.shows(t, http.StatusOK, "You are not signed in")
		if got.url.Path != "/" {
			t.Errorf("POST %s ended on %s, want /", path, got.url.Path)
		}
	}
}

func TestSigningOutEndsBothSessions(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	b := open(t, p)
	b.get("/sign-in")
	b.post("/sign-out").shows(t, http.StatusOK, "You are not signed in",
		"You are signed out, here and at the provider.")
	b.get("/").shows(t, http.StatusOK, "You are not signed in")
	if got := strings.Count(p.ended.Get("id_token_hint"), "."); got != 2 {
		t.Errorf("id_token_hint = %q, want a JWT", p.ended.Get("id_token_hint"))
	}
	if p.ended.Get("state") == "" {
		t.Error("the sign-out has no state")
	}
	for name, want := range map[string]string{
		"client_id": clientID, "post_logout_redirect_uri": b.url + "/",
	} {
		if got := p.ended.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
}

func TestASignOutThatDidNotBeginHereIsNotBelieved(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	b := open(t, p)
	b.get("/sign-in")
	b.stay()
	b.post("/sign-out").shows(t, http.StatusSeeOther)
	b.roam()
	for _, path := range []string{"/?state=guessed", "/?state=", "/"} {
		if got := b.get(path); strings.Contains(got.body, `id="notice"`) {
			t.Errorf("GET %s says that the sign-out is done", path)
		}
	}
}

func TestAProviderWithoutSignOutIsLeftAlone(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	p.announce = func(document map[string]any) { delete(document, "end_session_endpoint") }
	b := open(t, p, func(c *demo.Config) { c.PostLogoutRedirectURL = "https://example.com/" })
	b.get("/sign-in")
	b.post("/sign-out").shows(t, http.StatusOK, "You are not signed in")
	if p.ended != nil {
		t.Errorf("the provider was asked to end a session: %v", p.ended)
	}
}

// only returns the one token in the set.
func only(t *testing.T, tokens map[string]bool) string {
	t.Helper()
	if len(tokens) != 1 {
		t.Fatalf("there are %d tokens, want 1", len(tokens))
	}
	for token := range tokens {
		return token
	}
	return ""
}
