package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authy/server/servertest"
)

// signedInTo says whether a browser gets a code without being asked.
func signedInTo(t *testing.T, s *servertest.Server, browser *http.Client) bool {
	t.Helper()
	return gotCode(servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v", "prompt", "none"))))
}

func logoutURL(s *servertest.Server, pairs ...string) string {
	return s.URL + logoutPath + "?" + with(url.Values{}, pairs...).Encode()
}

const home = "http://localhost:3000/"

// Z-24: a hint ends no session of another browser.
func TestALogoutHintFromElsewhereEndsNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	got := acmePortal.tokens(t, s, browser)
	hint := []string{"id_token_hint", got.ID, "post_logout_redirect_uri", home}

	t.Run("TK-39 a stranger's browser", func(t *testing.T) {
		page := servertest.Get(t, servertest.Browser(t), logoutURL(s, hint...))
		if page.Response.StatusCode >= 500 || !signedInTo(t, s, browser) {
			t.Errorf("status %d; bob was signed out", page.Response.StatusCode)
		}
		alive(t, s, got.Access, true)
	})
	t.Run("TK-39 another person's browser", func(t *testing.T) {
		carols := servertest.Browser(t)
		s.SignIn(t, carols, "carol@acme-corp.com", bobPass)
		page := servertest.Get(t, carols, logoutURL(s, hint...))
		if !strings.Contains(page.Body, `id="sign-out-confirm"`) || page.Location() != nil {
			t.Errorf("status %d, to %v, want a question", page.Response.StatusCode, page.Location())
		}
		if servertest.Get(t, carols, s.URL+"/account").Response.StatusCode != http.StatusOK || !signedInTo(t, s, browser) {
			t.Error("somebody was signed out")
		}
	})
	t.Run("TK-39 the same person's other session", func(t *testing.T) {
		other := servertest.Browser(t)
		acmePortal.code(t, s, other)
		page := servertest.Get(t, other, logoutURL(s, hint...))
		if !strings.Contains(page.Body, `id="sign-out-confirm"`) || !signedInTo(t, s, other) || !signedInTo(t, s, browser) {
			t.Error("a session was ended that the hint does not name")
		}
	})
	t.Run("no hint, and the question", func(t *testing.T) {
		other := servertest.Browser(t)
		acmePortal.code(t, s, other)
		page := servertest.Get(t, other, logoutURL(s, "client_id", acmePortal.id, "post_logout_redirect_uri", home, "state", `"><script>`))
		if !strings.Contains(page.Body, "Acme Internal Portal") || strings.Contains(page.Body, `"><script>`) || !signedInTo(t, s, other) {
			t.Errorf("status %d, want the question, escaped: %s", page.Response.StatusCode, page.Body)
		}
		form := page.Hidden()
		for _, site := range []string{"cross-site", "same-site"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+logoutPath, strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", site)
			if servertest.Do(t, other, req); !signedInTo(t, s, other) {
				t.Errorf("a form from %s signed bob out", site)
			}
		}
		if servertest.Get(t, other, logoutURL(s, "confirm", "yes")); !signedInTo(t, s, other) {
			t.Error("a link confirmed")
		}
		page = servertest.Post(t, other, s.URL+logoutPath, form)
		if got := page.Response.Header.Get("Location"); got != home+"?state=%22%3E%3Cscript%3E" || signedInTo(t, s, other) {
			t.Errorf("the honest answer led to %q", got)
		}
	})
	t.Run("the honest hint", func(t *testing.T) {
		page := servertest.Get(t, browser, logoutURL(s, hint...))
		if got := page.Response.Header.Get("Location"); got != home || signedInTo(t, s, browser) {
			t.Errorf("led to %q, want %q and bob signed out", got, home)
		}
	})
}

func TestLogoutLeadsOnlyWhereTheClientRegistered(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	for _, c := range []struct{ name, uri string }{
		{"TK-40 unregistered", "https://evil.example/"},
		{"TK-40 another client's", "http://localhost:4200/"},
		{"TK-40 a redirect URI", callback},
		{"TK-40 userinfo", "http://localhost:3000@evil.example/"},
		{"TK-40 backslash", `http://localhost:3000\@evil.example/`},
		{"TK-40 encoded", url.QueryEscape(home)},
		{"TK-40 longer", home + "x"},
		{"TK-40 shorter", "http://localhost:3000"},
		{"TK-40 javascript", "javascript:alert(1)"},
		{"TK-40 relative", "//evil.example/"},
		{"TK-40 empty", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := acmePortal.tokens(t, s, browser)
			page := servertest.Get(t, browser, logoutURL(s, "id_token_hint", got.ID, "post_logout_redirect_uri", c.uri, "state", "x"))
			if to := page.Response.Header.Get("Location"); to != "/signed-out" || signedInTo(t, s, browser) {
				t.Errorf("led to %q, want our own page and bob signed out", to)
			}
			page = servertest.Get(t, browser, logoutURL(s, "client_id", acmePortal.id, "post_logout_redirect_uri", c.uri))
			if to := page.Response.Header.Get("Location"); to != "/signed-out" {
				t.Errorf("nobody there: led to %q, want our own page", to)
			}
			page = servertest.Get(t, browser, logoutURL(s, "post_logout_redirect_uri", home))
			if to := page.Response.Header.Get("Location"); to != "/signed-out" {
				t.Errorf("without a client: led to %q, want our own page", to)
			}
		})
	}
}

func TestALogoutRequestThatIsFalseIsRefusedHere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	got := acmePortal.tokens(t, s, browser)
	refused := func(name, parameter string, form url.Values) {
		t.Run(name, func(t *testing.T) {
			for _, page := range []*servertest.Page{
				servertest.Get(t, browser, s.URL+logoutPath+"?"+form.Encode()),
				servertest.Post(t, browser, s.URL+logoutPath, form),
			} {
				refusedHere(t, page, parameter)
			}
			if !signedInTo(t, s, browser) {
				t.Fatal("bob was signed out")
			}
		})
	}
	honest := url.Values{"id_token_hint": {got.ID}, "post_logout_redirect_uri": {home}, "state": {"x"}, "client_id": {acmePortal.id}}
	for name, bad := range forgeries(t, s, got.ID) {
		refused("TK-42 "+name, "id_token_hint", with(honest, "id_token_hint", bad))
	}
	for name, bad := range malformed(t, s) {
		if len(bad) > 0 && len(bad) < 10_000 {
			refused("TK-28 "+name, "id_token_hint", with(honest, "id_token_hint", bad))
		}
	}
	refused("TK-42 an access token", "id_token_hint", with(honest, "id_token_hint", got.Access))
	refused("TK-42 another's client_id", "client_id", with(honest, "client_id", dashboard.id))
	for name := range honest {
		refused(name+" twice", name, twice(honest, name, honest.Get(name)))
	}
	refused("a state with a NUL", "state", with(honest, "state", "\x00"))
	page := servertest.Post(t, browser, s.URL+logoutPath, honest)
	if to := page.Response.Header.Get("Location"); to != home+"?state=x" {
		t.Errorf("the honest form led to %q", to)
	}
}
