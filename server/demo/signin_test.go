package demo_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authy/server/demo"
)

func TestSigningInShowsWhatTheProviderSaid(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	b := open(t, p)
	home := b.get("/sign-in")
	home.shows(t, http.StatusOK,
		"Ada &lt;b&gt;Lovelace&lt;/b&gt;</h1>",
		`<th scope="row">sub</th><td><code>user-1</code></td>`,
		`<th scope="row">iss</th><td><code>`+p.url+`</code></td>`,
		"&#34;email&#34;: &#34;ada@example.com&#34;",
		"openid profile email offline_access",
		"valid for 5m0s",
		"issued; renews the others",
		"Signed in: ",
		`action="/refresh"`, `action="/userinfo"`, `action="/sign-out"`,
	)
	if home.url.Path != "/" || home.url.RawQuery != "" {
		t.Errorf("the sign-in ended on %s, want the front page", home.url)
	}
	for token := range p.access {
		if strings.Contains(home.body, token) {
			t.Error("the page shows the whole access token")
		}
		if !strings.Contains(home.body, token[:12]+"…") {
			t.Error("the page does not show the beginning of the access token")
		}
	}
}

func TestAPublicClientSignsInWithoutASecret(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	p.public = true
	b := open(t, p, func(c *demo.Config) { c.ClientSecret = "" })
	b.get("/sign-in").shows(t, http.StatusOK, `id="name"`, ", public")
}

func TestTheSecretGoesTheWayTheProviderAnnounces(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		methods []string
		post    bool
	}{
		{[]string{"client_secret_post"}, true},
		{[]string{"client_secret_post", "client_secret_basic"}, false},
	} {
		p := newStub(t)
		p.post = test.post
		p.announce = func(document map[string]any) {
			document["token_endpoint_auth_methods_supported"] = test.methods
		}
		open(t, p).get("/sign-in").shows(t, http.StatusOK, `id="name"`)
	}
}

// Z-33: sign-ins at once do not get in the way of each other.
func TestEachSignInAsksWithItsOwnSecrets(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	b := open(t, p).stay()
	first, second := location(t, b.get("/sign-in")), location(t, b.get("/sign-in?prompt=login"))
	for _, name := range []string{"state", "nonce", "code_challenge"} {
		if first.Get(name) == "" || first.Get(name) == second.Get(name) {
			t.Errorf("%s = %q, then %q; want two different ones",
				name, first.Get(name), second.Get(name))
		}
	}
	for name, want := range map[string]string{
		"response_type": "code", "client_id": clientID, "code_challenge_method": "S256",
		"scope": "openid profile email offline_access", "redirect_uri": b.url + "/auth/callback",
	} {
		if got := first.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if first.Has("prompt") || second.Get("prompt") != "login" {
		t.Errorf("prompt = %q, then %q; want none, then login", first["prompt"], second["prompt"])
	}
	b.get("/sign-in?prompt=create").shows(t, http.StatusBadRequest, "prompt=login, none or consent")
}

func TestCookiesAreOutOfReachOfScriptsAndOtherSites(t *testing.T) {
	t.Parallel()
	b := open(t, newStub(t)).stay()
	got := b.get("/sign-in").header.Get("Set-Cookie")
	if !strings.HasPrefix(got, "demo_sign_in=") || !strings.HasSuffix(got, "; Path=/; HttpOnly; SameSite=Lax") {
		t.Errorf("Set-Cookie = %q, want demo_sign_in, HttpOnly and SameSite=Lax", got)
	}
}

// Z-33: an answer without iss, or with that of another, is none.
func TestAResponseThatIsNotOursIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		respond func(response url.Values)
		want    string
	}{
		{"wrong state", func(r url.Values) { r.Set("state", "guessed") }, "The state in the response"},
		{"no state", func(r url.Values) { r.Del("state") }, "The state in the response"},
		{"wrong iss", func(r url.Values) { r.Set("iss", "https://evil.example") }, "https://evil.example"},
		{"no iss", func(r url.Values) { r.Del("iss") }, "The response has no iss"},
		{"no code", func(r url.Values) { r.Del("code") }, "neither a code nor an error"},
		{
			"an error of another issuer",
			func(r url.Values) { r.Set("iss", "https://evil.example"); r.Set("error", "access_denied") },
			"https://evil.example",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newStub(t)
			p.respond = test.respond
			b := open(t, p)
			b.get("/sign-in").shows(t, http.StatusBadRequest, "This was refused", test.want)
			b.get("/").shows(t, http.StatusOK, "You are not signed in")
		})
	}
}

// Z-33: a token without the nonce of this sign-in is none.
func TestATokenThatIsNotOursIsRefused(t *testing.T) {
	t.Parallel()
	set := func(claim string, value any) func(*stub) {
		return func(p *stub) { p.claim = func(c map[string]any) { c[claim] = value } }
	}
	for _, test := range []struct {
		name   string
		lie    func(p *stub)
		status int
		want   string
	}{
		{"wrong nonce", set("nonce", "old"), http.StatusBadRequest, "The nonce"},
		{"empty nonce", set("nonce", ""), http.StatusBadRequest, "The nonce"},
		{"wrong issuer", set("iss", "https://evil.example"), http.StatusBadGateway, "different provider"},
		{"wrong audience", set("aud", "other"), http.StatusBadGateway, "expected audience"},
		{"wrong party", set("azp", "other"), http.StatusBadRequest, "issued to the client"},
		{
			"audiences without a party",
			set("aud", []string{clientID, "other"}), http.StatusBadRequest, "several audiences",
		},
		{"expired", set("exp", 1), http.StatusBadGateway, "token is expired"},
		{"wrong at_hash", set("at_hash", "AAAA"), http.StatusBadGateway, "another access token"},
		{"wrong subject in userinfo", func(p *stub) {
			p.tell = func(info map[string]any) { info["sub"] = "user-2" }
		}, http.StatusBadRequest, "Userinfo is about &#34;user-2&#34;"},
		{"no ID token", func(p *stub) {
			p.grant = func(token map[string]any) { delete(token, "id_token") }
		}, http.StatusBadRequest, "no ID token"},
		{"bad signature", func(p *stub) {
			p.sign = func(payload []byte) string { return signed(p.t, strangerKey(p.t), payload) }
		}, http.StatusBadGateway, "failed to verify signature"},
		{"no signature", func(p *stub) {
			p.sign = unsigned
		}, http.StatusBadGateway, "The ID token is not valid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := newStub(t)
			test.lie(p)
			b := open(t, p)
			b.get("/sign-in").shows(t, test.status, test.want)
			b.get("/").shows(t, http.StatusOK, "You are not signed in")
		})
	}
}

func TestClaimsThatMayBeMissingAreNotMissed(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	p.announce = func(d map[string]any) { delete(d, "authorization_response_iss_parameter_supported") }
	p.respond = func(r url.Values) { r.Del("iss") }
	p.claim = func(c map[string]any) { delete(c, "at_hash"); delete(c, "name") }
	p.grant = func(token map[string]any) { delete(token, "scope"); delete(token, "refresh_token") }
	b := open(t, p, func(c *demo.Config) { c.Scopes = []string{"openid", "email"} })
	b.get("/sign-in").shows(t, http.StatusOK, subject+"</h1>", "<code>openid email</code>",
		"offline_access asks for one", `<button id="refresh" disabled>`)
	b.post("/refresh").shows(t, http.StatusBadRequest, "no refresh token")
}

func TestAResponseWithoutTheCookieIsRefused(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	b := open(t, p).stay()
	answer := follow(t, b, b.get("/sign-in"))
	b.forget("demo_sign_in")
	b.get(answer).shows(t, http.StatusBadRequest, "no sign-in in progress")
}

func TestAResponseIsUsedOnce(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	b := open(t, p).stay()
	answer := follow(t, b, b.get("/sign-in"))
	cookie := b.cookie("demo_sign_in")
	b.get("/auth/callback?code=x&state=guessed").shows(t, http.StatusBadRequest, "The state")
	b.get(answer).shows(t, http.StatusSeeOther)
	u, err := url.Parse(b.url)
	if err != nil {
		t.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "demo_sign_in", Value: cookie, Path: "/"}})
	b.get(answer).shows(t, http.StatusBadRequest, "no sign-in in progress")
}

func TestASecondSignInEndsTheFirstSession(t *testing.T) {
	t.Parallel()
	b := open(t, newStub(t))
	b.get("/sign-in")
	first := b.cookie("demo_session")
	b.get("/sign-in")
	if second := b.cookie("demo_session"); second == first || second == "" {
		t.Fatalf("the session cookie is %q, then %q; want a new one", first, second)
	}
	u, err := url.Parse(b.url)
	if err != nil {
		t.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: "demo_session", Value: first, Path: "/"}})
	b.get("/").shows(t, http.StatusOK, "You are not signed in")
}

func TestAnErrorOfTheProviderIsShownAsText(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	p.respond = func(response url.Values) {
		response.Del("code")
		response.Set("error", "access_denied")
		response.Set("error_description", "<script>alert(1)</script>")
	}
	got := open(t, p).get("/sign-in")
	got.shows(t, http.StatusBadRequest, "access_denied", "&lt;script&gt;alert(1)&lt;/script&gt;")
	if strings.Contains(got.body, "<script") {
		t.Error("the page contains a script")
	}
}

func TestACodeThatIsNotExchangedIsExplained(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	p.respond = func(response url.Values) { response.Set("code", "another") }
	open(t, p).get("/sign-in").shows(t, http.StatusBadGateway, "did not exchange the code",
		"invalid_grant", "The code is not valid.")
}

// location returns the parameters of the address that the page redirects to.
func location(t *testing.T, p page) url.Values {
	t.Helper()
	u, err := url.Parse(p.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query()
}

// follow takes the redirect to the provider and returns where that sends the browser back to.
func follow(t *testing.T, b *browser, p page) string {
	t.Helper()
	resp, err := b.client.Get(p.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	back, ok := strings.CutPrefix(resp.Header.Get("Location"), b.url)
	if !ok {
		t.Fatalf("the provider sends the browser to %q", resp.Header.Get("Location"))
	}
	return back
}

// strangerKey returns a key that the provider does not publish.
func strangerKey(t *testing.T) *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Error(err)
	}
	return key
}
