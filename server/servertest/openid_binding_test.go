package servertest_test

import (
	"database/sql"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"authy/server/servertest"
	"authy/storage/storagetest"
)

// begin starts a sign-in to a in a browser and returns its address and id.
func begin(t *testing.T, s *servertest.Server, browser *http.Client, a app, verifier string) (address, flow string) {
	t.Helper()
	to := servertest.Get(t, browser, authorizeURL(s, a.request(verifier))).Location()
	if to == nil || to.Query().Get("flow") == "" {
		t.Fatalf("led to %v, want a page of a flow", to)
	}
	return to.String(), to.Query().Get("flow")
}

// credentials is what bob types on the page of a flow.
func credentials(flow string) url.Values {
	return url.Values{"flow": {flow}, "email": {bob}, "password": {bobPass}}
}

// gotCode says whether an answer takes a code to a client.
func gotCode(page *servertest.Page) bool {
	return page.Location() != nil && page.Location().Query().Has("code")
}

// probe tries everything that could give the agent a code of a flow.
func probe(t *testing.T, s *servertest.Server, agent *http.Client, flow string) {
	t.Helper()
	for _, page := range []*servertest.Page{
		servertest.Get(t, agent, s.URL+"/sign-in?flow="+flow),
		servertest.Get(t, agent, s.URL+"/consent?flow="+flow),
		servertest.Post(t, agent, s.URL+"/consent", url.Values{"flow": {flow}, "decision": {"allow"}}),
		servertest.Get(t, agent, s.URL+authorizePath+"/callback?id="+flow),
	} {
		if gotCode(page) || strings.Contains(page.Body, `id="allow"`) {
			t.Fatalf("the agent was let in: status %d, to %v", page.Response.StatusCode, page.Location())
		}
	}
}

// Z-04: whoever holds the address of a sign-in and is another browser gets no code.
func TestASignInBelongsToTheBrowserThatBeganIt(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	t.Run("AZ-25 a link that was sent on", func(t *testing.T) {
		t.Parallel()
		agent, victim := servertest.Browser(t), servertest.Browser(t)
		address, flow := begin(t, s, agent, acmePortal, "v")
		page := servertest.Get(t, victim, address)
		if page.Response.StatusCode != http.StatusForbidden || strings.Contains(page.Body, `id="password"`) {
			t.Errorf("the victim gets %d and a form, want a refusal", page.Response.StatusCode)
		}
		if page := servertest.Post(t, victim, s.URL+"/sign-in", credentials(flow)); page.Response.StatusCode != http.StatusForbidden {
			t.Errorf("the victim's sign-in: %d, want 400", page.Response.StatusCode)
		}
		s.SignIn(t, victim, bob, bobPass)
		probe(t, s, victim, flow)
		probe(t, s, agent, flow)
	})
	t.Run("AZ-25 a planted cookie", func(t *testing.T) {
		t.Parallel()
		agent, victim := servertest.Browser(t), servertest.Browser(t)
		address, flow := begin(t, s, agent, dashboard, "v")
		plant(t, s, agent, victim)
		if page := servertest.Get(t, victim, address); !strings.Contains(page.Body, `id="password"`) {
			t.Fatal("the planted cookie binds nothing: the test proves nothing")
		}
		page := servertest.Post(t, victim, s.URL+"/sign-in", credentials(flow))
		if page.Location() == nil || page.Location().Path != "/consent" {
			t.Fatalf("the victim is led to %v, want the question", page.Location())
		}
		probe(t, s, agent, flow)
		if page := servertest.Post(t, victim, s.URL+"/consent", url.Values{"flow": {flow}, "decision": {"allow"}}); !gotCode(page) {
			t.Errorf("the victim's own answer leads to %v", page.Location())
		}
		probe(t, s, agent, flow)
	})
	t.Run("AZ-25 a planted cookie and a victim who is signed in", func(t *testing.T) {
		t.Parallel()
		agent, victim := servertest.Browser(t), servertest.Browser(t)
		acmePortal.code(t, s, victim)
		address, flow := begin(t, s, agent, acmePortal, "v")
		plant(t, s, agent, victim)
		if page := servertest.Get(t, victim, address); !gotCode(page) {
			t.Errorf("the victim is led to %v, want their own code", page.Location())
		}
		probe(t, s, agent, flow)
	})
	t.Run("a flow is used once", func(t *testing.T) {
		t.Parallel()
		browser := servertest.Browser(t)
		_, flow := begin(t, s, browser, dataAPI, "v")
		servertest.Post(t, browser, s.URL+"/sign-in", credentials(flow))
		allow := url.Values{"flow": {flow}, "decision": {"allow"}}
		if page := servertest.Post(t, browser, s.URL+"/consent", allow); !gotCode(page) {
			t.Fatalf("led to %v", page.Location())
		}
		probe(t, s, browser, flow)
	})
}

// plant gives one browser the cookies of another.
func plant(t *testing.T, s *servertest.Server, from, to *http.Client) {
	t.Helper()
	home, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	var planted []*http.Cookie
	for _, c := range from.Jar.Cookies(home) {
		if c.Name == "authy_browser" {
			planted = append(planted, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/"})
		}
	}
	if len(planted) != 1 {
		t.Fatalf("the browser has %d cookies to plant, want 1", len(planted))
	}
	to.Jar.SetCookies(home, planted)
}

func TestAgreementCannotBeForged(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	victim := servertest.Browser(t)
	_, flow := begin(t, s, victim, acmePortal, "v")
	allow := url.Values{"flow": {flow}, "decision": {"allow"}}
	forged := func(name string, want int, browser *http.Client, form url.Values, header ...string) {
		t.Run("AZ-39 "+name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/consent", strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for i := 0; i < len(header); i += 2 {
				req.Header.Set(header[i], header[i+1])
			}
			page := servertest.Do(t, browser, req)
			if page.Response.StatusCode != want || page.Location() != nil {
				t.Errorf("status %d, to %v, want %d", page.Response.StatusCode, page.Location(), want)
			}
		})
	}
	forged("before anybody signed in", http.StatusForbidden, victim, allow)

	servertest.Post(t, victim, s.URL+"/sign-in", credentials(flow))
	page := servertest.Get(t, victim, s.URL+"/consent?flow="+flow)
	for _, text := range []string{
		"Acme Internal Portal", "localhost:3000", bob, "See your email address", "See your name and picture", "Stay connected",
	} {
		if !strings.Contains(page.Body, text) {
			t.Errorf("the question does not say %q", text)
		}
	}
	carols := servertest.Browser(t)
	s.SignIn(t, carols, "carol@acme-corp.com", bobPass)
	forged("from another site", http.StatusForbidden, victim, allow, "Origin", "https://evil.example")
	forged("from another site, said by the browser", http.StatusForbidden, victim, allow, "Sec-Fetch-Site", "cross-site")
	forged("from a neighbouring site", http.StatusForbidden, victim, allow, "Sec-Fetch-Site", "same-site")
	forged("without the flow", http.StatusForbidden, victim, without(allow, "flow"))
	forged("with another flow", http.StatusForbidden, victim, with(allow, "flow", letters(26)))
	forged("in another's session", http.StatusForbidden, carols, allow)
	forged("without any cookie", http.StatusForbidden, servertest.Browser(t), allow)
	if page := servertest.Get(t, victim, s.URL+"/consent?flow="+flow+"&decision=allow"); gotCode(page) {
		t.Error("a link agreed")
	}
	if page := servertest.Post(t, victim, s.URL+"/consent", allow); !gotCode(page) {
		t.Errorf("the honest answer leads to %v", page.Location())
	}
}

func TestDenialIsToldToTheClientAndNotRemembered(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	_, flow := begin(t, s, browser, acmePortal, "v")
	servertest.Post(t, browser, s.URL+"/sign-in", credentials(flow))
	for _, decision := range []string{"deny", "", "ALLOW"} {
		_, flow := begin(t, s, browser, acmePortal, "v")
		page := servertest.Post(t, browser, s.URL+"/consent", url.Values{"flow": {flow}, "decision": {decision}})
		refusedThere(t, s, page, acmePortal, "access_denied")
	}
	if !recorded(t, s, "authorize.denied", "access_denied") {
		t.Error("the denial is not in the audit log")
	}
}

func TestPagesOfASignInLeakNothingAndCannotBeFramed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	browser := servertest.Browser(t)
	check := func(name string, page *servertest.Page) *servertest.Page {
		h := page.Response.Header
		if got := h.Get("Cache-Control"); got != "no-store" {
			t.Errorf("AZ-34 %s: Cache-Control = %q", name, got)
		}
		if got := h.Get("Referrer-Policy"); got != "no-referrer" {
			t.Errorf("AZ-34 %s: Referrer-Policy = %q", name, got)
		}
		if !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") || h.Get("X-Frame-Options") != "DENY" {
			t.Errorf("AZ-35 %s can be framed: %v", name, h)
		}
		if status := page.Response.StatusCode; page.Location() != nil && status != http.StatusSeeOther {
			t.Errorf("AZ-34 %s: redirected by %d, want 303", name, status)
		}
		return page
	}
	to := check("authorize", servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v")))).Location()
	flow := to.Query().Get("flow")
	check("sign-in", servertest.Get(t, browser, to.String()))
	check("a wrong password", servertest.Post(t, browser, s.URL+"/sign-in", with(credentials(flow), "password", "no")))
	check("a password", servertest.Post(t, browser, s.URL+"/sign-in", credentials(flow)))
	check("consent", servertest.Get(t, browser, s.URL+"/consent?flow="+flow))
	check("agreement", servertest.Post(t, browser, s.URL+"/consent", url.Values{"flow": {flow}, "decision": {"allow"}}))
	check("a code at once", servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v"))))
	check("an answer by form", servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v", "response_mode", "form_post"))))
	check("a posted request", postedFrom(t, s, acmePortal.request("v")))
	check("a big one", postedFrom(t, s, acmePortal.request("v", "unknown", letters(5000))))
	to = check("a choice", servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v", "prompt", "select_account")))).Location()
	check("the choice", servertest.Get(t, browser, to.String()))
	check("sign-up", servertest.Get(t, browser, s.URL+"/sign-up"))
	check("an app to remove", servertest.Get(t, browser, s.URL+"/account/apps/remove?id="+acmePortal.id))
	check("account", servertest.Get(t, browser, s.URL+"/account"))
	check("a refusal", servertest.Get(t, browser, s.URL+authorizePath))
	check("a refusal at the client", servertest.Get(t, browser, authorizeURL(s, acmePortal.request("v", "scope", ""))))
	check("logout", servertest.Get(t, browser, s.URL+logoutPath))
}

func TestOverHTTPSTheCookiesCanOnlyBeOurs(t *testing.T) {
	t.Parallel()
	s := servertest.Start(t, servertest.Options{Configure: secure})
	page := servertest.Get(t, servertest.Browser(t), "http://"+s.Config.Listen+authorizePath+"?"+acmePortal.request("v").Encode())
	cookies := page.Response.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%d cookies, want 1", len(cookies))
	}
	c := cookies[0]
	if c.Name != "__Host-authy_browser" || !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || c.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie is %v", c)
	}
}

func TestADisabledClientOrOrganizationGetsNothing(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"AZ-37 a disabled client":       "UPDATE clients SET is_active = FALSE WHERE client_id = 'acme-portal-001'",
		"AZ-37 a disabled organization": "UPDATE organizations SET is_active = FALSE WHERE slug = 'acme-corp'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			database := storagetest.Migrated(t, "sqlite")
			s := servertest.Start(t, servertest.Options{DatabaseURL: database})
			browser := servertest.Browser(t)
			_, flow := begin(t, s, browser, acmePortal, "v")
			servertest.Post(t, browser, s.URL+"/sign-in", credentials(flow))
			other := servertest.Browser(t)
			live := acmePortal.tokens(t, s, other)
			code, verifier := acmePortal.code(t, s, other)
			token := dashboard.tokens(t, s, other).Access

			execute(t, database, statement)
			// A record that another process changed is noticed with the next write.
			dashboard.code(t, s, other)

			refusedHere(t, servertest.Get(t, other, authorizeURL(s, acmePortal.request("v"))), "client_id")
			page := servertest.Post(t, browser, s.URL+"/consent", url.Values{"flow": {flow}, "decision": {"allow"}})
			if status := page.Response.StatusCode; page.Location() != nil || status < 400 || status >= 500 {
				t.Errorf("the question that was open: status %d, to %v, want 4xx here", status, page.Location())
			}
			acmePortal.post(t, s, tokenPath, acmePortal.redemption(code, verifier)).refused(t, http.StatusUnauthorized, "invalid_client")
			acmePortal.refresh(t, s, live.Refresh).refused(t, http.StatusUnauthorized, "invalid_client")
			acmePortal.introspect(t, s, live.Access).refused(t, http.StatusUnauthorized, "invalid_client")
			alive(t, s, live.Access, false)
			alive(t, s, token, true)
		})
	}
}

// execute changes an SQLite database beside the server.
func execute(t *testing.T, database, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", strings.TrimPrefix(database, "sqlite://"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // what counts is the statement
	res, err := db.ExecContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); n != 1 || err != nil {
		t.Fatalf("%s: %d rows, %v", statement, n, err)
	}
}
