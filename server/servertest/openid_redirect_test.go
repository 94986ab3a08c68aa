package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/registry"
	"authy/server/servertest"
)

func TestARedirectURIThatIsNotRegisteredIsNeverFollowed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const web = "https://portal.acme-corp.com/auth/callback"
	cases := []struct {
		name string
		app  app
		uris []string
	}{
		{"AZ-01 path traversal after a registered URI", acmePortal, []string{
			web + "/../../evil", web + "/..%2f..%2fevil", web + "/%2e%2e/evil", web + "/", web + "x",
		}},
		{"AZ-03 a twin that needs another decode", acmePortal, []string{
			"https://portal.acme-corp.com/auth%2Fcallback", url.QueryEscape(web), "https://portal.acme-corp.com/%61uth/callback",
		}},
		{"AZ-05 userinfo and host confusion", acmePortal, []string{
			"https://portal.acme-corp.com@evil.example/auth/callback",
			"https://portal.acme-corp.com:443@evil.example/auth/callback",
			"https://evil.example#@portal.acme-corp.com/auth/callback",
			"https://evil.example?@portal.acme-corp.com/auth/callback",
			"https://evil.example\\@portal.acme-corp.com/auth/callback",
			"https://portal.acme-corp.com.evil.example/auth/callback", "https://portal.acme-corp.com:443/auth/callback",
			"HTTPS://portal.acme-corp.com/auth/callback", "https://PORTAL.acme-corp.com/auth/callback",
			"http://portal.acme-corp.com/auth/callback", "//portal.acme-corp.com/auth/callback", "/auth/callback",
		}},
		{"AZ-07 a fragment", acmePortal, []string{web + "#frag", web + "#"}},
		{"AZ-09 a query that was added", acmePortal, []string{
			web + "?foo=bar", web + "?", web + "?code=x&state=y", web + "&x=y", web + ";x",
		}},
		{"AZ-10 loopback freedom at a web client", acmePortal, []string{
			"http://localhost:3001/auth/callback", "http://127.0.0.1:3000/auth/callback",
			"https://localhost:3000/auth/callback", "http://localhost/auth/callback", "http://[::1]:3000/auth/callback",
		}},
		{"AZ-11 loopback look-alikes", acmeMobile, []string{
			"http://localhost.evil.example:8080/callback", "http://127.0.0.1.evil.example/callback",
			"http://localhost:8080@evil.example/callback", "http://localhost%2eevil.example/callback",
			"http://localhost:8081/callback", "http://127.0.0.1:51234/callback",
		}},
		{"AZ-13 neighbouring and dangerous schemes", acmeMobile, []string{
			"com.acmecorp.app.evil://oauth/callback", "com.acmecorp.app:/oauth/callback",
			"com.acmecorp.app://oauth/callback/", "COM.ACMECORP.APP://oauth/callback",
			"javascript:alert(1)//", "data:text/html,x", "vbscript:x", "file:///etc/passwd",
		}},
		{"AZ-14 a pattern", acmePortal, []string{
			"https://*.acme-corp.com/auth/callback", "https://portalXacme-corp.com/auth/callback", "*", web + "*",
		}},
		{"AZ-15 another client's URI", acmePortal, []string{dashboard.redirect, "https://evil.example/"}},
		{"text that is none", acmePortal, []string{web + "\r\nX: y", web + "\x00", " " + web, web + " ", "\xff"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			browser := servertest.Browser(t)
			for _, uri := range c.uris {
				form := c.app.request("v", "redirect_uri", uri)
				refusedHere(t, servertest.Get(t, browser, authorizeURL(s, form)), "redirect_uri")
			}
			c.app.code(t, s, browser)
		})
	}
}

func TestARequestWithoutACertainClientIsAnsweredHere(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	honest := acmePortal.request("v")
	evil := with(honest, "redirect_uri", "https://evil.example/")
	for _, c := range []struct {
		name, parameter string
		form            url.Values
	}{
		{"AZ-15 an unknown client", "client_id", with(evil, "client_id", "nope")},
		{"AZ-15 a client_id in other letters", "client_id", with(honest, "client_id", "ACME-PORTAL-001")},
		{"AZ-15 no client_id", "client_id", without(evil, "client_id")},
		{"AZ-15 an empty client_id", "client_id", with(honest, "client_id", "")},
		{"AZ-15 no redirect_uri", "redirect_uri", without(honest, "redirect_uri")},
		{"AZ-15 an unregistered URI and a wrong response_type", "redirect_uri", with(evil, "response_type", "token")},
		{"AZ-17 client_id twice", "client_id", twice(honest, "client_id", "tech-dashboard-001")},
		{"AZ-17 redirect_uri twice, evil last", "redirect_uri", twice(honest, "redirect_uri", "https://evil.example/")},
		{"AZ-17 redirect_uri twice, evil first", "redirect_uri", twice(evil, "redirect_uri", callback)},
		{"AZ-17 redirect_uri twice, both good", "redirect_uri", twice(honest, "redirect_uri", callback)},
		{"a client_id of control characters", "client_id", with(honest, "client_id", "a\x00b")},
		{"a client_id of 5,000 letters", "client_id", with(honest, "client_id", letters(5000))},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			page := servertest.Get(t, servertest.Browser(t), authorizeURL(s, c.form))
			refusedHere(t, page, c.parameter)
			if strings.Contains(page.Body, "evil.example") {
				t.Error("the page repeats the URI to a stranger")
			}
		})
	}
}

func TestOnlyAnAdministratorSeesWhatWasSentAndWhatIsRegistered(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	_, err := s.Accounts.Create(t.Context(), audit.Shell(), account.NewUser{
		Email: "root@example.com", FullName: "Root", Password: "a long enough secret", EmailVerified: true, Admin: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	sent := "https://portal.acme-corp.com/auth/callback<b>"
	address := authorizeURL(s, acmePortal.request("v", "redirect_uri", sent))
	for _, c := range []struct {
		who, email, password string
		sees                 bool
	}{
		{"nobody", "", "", false},
		{"bob", bob, bobPass, false},
		{"an owner of the organization", "admin@acme-corp.com", "AdminPass123!", false},
		{"an administrator", "root@example.com", "a long enough secret", true},
	} {
		t.Run(c.who, func(t *testing.T) {
			t.Parallel()
			browser := servertest.Browser(t)
			if c.email != "" {
				s.SignIn(t, browser, c.email, c.password)
			}
			page := servertest.Get(t, browser, address)
			refusedHere(t, page, "redirect_uri")
			if strings.Contains(page.Body, sent) {
				t.Error("the URI was not escaped")
			}
			for _, text := range []string{"https://portal.acme-corp.com/auth/callback&lt;b&gt;", callback} {
				if got := strings.Contains(page.Body, text); got != c.sees {
					t.Errorf("shows %q = %v, want %v", text, got, c.sees)
				}
			}
		})
	}
}

func TestANativeAppChoosesThePortOfALoopbackAddressAndNothingElse(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	native := register(t, s, registry.Registration{
		ClientID: "native", Name: "Native", ApplicationType: "native",
		RedirectURIs: []string{"http://127.0.0.1/callback", "http://[::1]:1/cb"},
	})
	for _, uri := range []string{"http://127.0.0.1:51234/callback", "http://127.0.0.1/callback", "http://[::1]:65000/cb"} {
		app{native.id, "", uri}.tokens(t, s, servertest.Browser(t))
	}
	browser := servertest.Browser(t)
	for _, uri := range []string{
		"http://127.0.0.1:51234/callback/x", "http://127.0.0.1:51234/cb", "https://127.0.0.1:51234/callback",
		"http://127.0.0.1:51234@evil.example/callback", "http://127.0.0.1.evil.example/callback",
		"http://127.0.0.1:/callback", "http://127.0.0.1:123456/callback", "http://127.0.0.1:1x/callback",
		"http://localhost:51234/callback", "http://127.0.0.2:51234/callback", "http://[::1].evil.example:1/cb",
		"http://127.0.0.1:51234/callback?x=y", "http://127.0.0.1:51234/callback#x", "http://127.0.0.1:1\\@evil.example/callback",
	} {
		refusedHere(t, servertest.Get(t, browser, authorizeURL(s, native.request("v", "redirect_uri", uri))), "redirect_uri")
	}
}

// register registers a client, with lifetimes, grants and scopes where in has none.
func register(t *testing.T, s *servertest.Server, in registry.Registration) app {
	t.Helper()
	if in.AccessTokenLifetime == 0 {
		in.AccessTokenLifetime = time.Hour
	}
	if in.RefreshTokenLifetime == 0 {
		in.RefreshTokenLifetime = time.Hour
	}
	in.IDTokenLifetime, in.RequirePKCE = time.Hour, in.Options.Profile == ""
	if in.GrantTypes == nil {
		in.GrantTypes = []string{"authorization_code", "refresh_token"}
	}
	if in.Scopes == nil {
		in.Scopes = strings.Fields(allScopes)
	}
	if in.RedirectURIs == nil {
		in.RedirectURIs = []string{callback}
	}
	if _, err := s.Clients.Create(t.Context(), audit.Shell(), in); err != nil {
		t.Fatal(err)
	}
	return app{in.ClientID, in.Secret, in.RedirectURIs[0]}
}

func TestAPostedAuthorizationRequestIsReadFromItsBodyAlone(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	form := acmePortal.request("v")
	follow := func(address string, body url.Values, kind string) *servertest.Page {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Origin", "http://localhost:3000")
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		page := servertest.Do(t, browser, req)
		if to := page.Location(); to != nil {
			if !strings.HasPrefix(to.String(), s.URL+"/") || page.Response.StatusCode != http.StatusSeeOther {
				t.Fatalf("status %d, to %v", page.Response.StatusCode, to)
			}
			page = servertest.Get(t, browser, to.String())
		}
		return page
	}
	const kind = "application/x-www-form-urlencoded"
	if page := follow(s.URL+authorizePath, form, kind); page.Location() == nil || page.Location().Path != "/sign-in" {
		t.Errorf("a posted request: status %d, to %v, want the sign-in page", page.Response.StatusCode, page.Location())
	}
	refusedHere(t, follow(authorizeURL(s, form), nil, kind), "client_id")
	if page := follow(s.URL+authorizePath, form, "text/plain"); page.Response.StatusCode != http.StatusBadRequest || page.Location() != nil {
		t.Errorf("a body that is no form: status %d, to %v, want 400 here", page.Response.StatusCode, page.Location())
	}
	refusedHere(t, follow(s.URL+authorizePath, twice(form, "redirect_uri", "https://evil.example/"), kind), "redirect_uri")
	refusedHere(t, follow(authorizeURL(s, with(form, "redirect_uri", "https://evil.example/")), without(form, "redirect_uri"), kind),
		"redirect_uri")
	if page := follow(s.URL+authorizePath, with(form, "state", letters(100_000)), kind); page.Response.StatusCode != http.StatusBadRequest {
		t.Errorf("a body of 100 kB: status %d, want 400", page.Response.StatusCode)
	}
}
