package proxytest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/forward"
	"authy/server/org"
	"authy/server/servertest"
	"authy/storage"
)

const html = "text/html,application/xhtml+xml,*/*;q=0.8"

func TestForwardAuthEndsWithTheSessionAndFollowsChanges(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	by := audit.Shell()
	status := func(browser *http.Client, path string) int {
		return fetch(t, browser, "GET", openApp+path, "Accept", "application/json").Response.StatusCode
	}
	const carol = "carol@acme-corp.com"
	here := surfer(t, s)
	if enters(t, s, here, openApp+"/managers", carol) == nil {
		t.Fatal("an administrator of the organization is refused")
	}
	acme, err := s.Orgs.Find(t.Context(), "acme-corp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Orgs.SetRole(t.Context(), by, acme.ID, userID(t, s, carol), org.Member); err != nil {
		t.Fatal(err)
	}
	if got := status(here, "/managers"); got != http.StatusForbidden {
		t.Errorf("after the role has changed: %d", got)
	}
	if got := status(here, "/"); got != http.StatusOK {
		t.Errorf("what a member may: %d", got)
	}
	servertest.Post(t, here, home+"/sign-out", nil)
	if got := status(here, "/"); got != http.StatusUnauthorized {
		t.Errorf("after the sign-out: %d", got)
	}
	there := surfer(t, s)
	if enters(t, s, there, openApp+"/", bob) == nil {
		t.Fatal("bob is refused")
	}
	if err := s.Accounts.Suspend(t.Context(), by, userID(t, s, bob)); err != nil {
		t.Fatal(err)
	}
	if got := status(there, "/"); got != http.StatusUnauthorized {
		t.Errorf("after the suspension: %d", got)
	}
}

func TestForwardAuthLeadsBrowsersAndTellsPrograms(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	for _, test := range []struct {
		what    string
		headers []string
		want    int
	}{
		{"a browser", []string{"Accept", html}, 302},
		{"a browser that says so", []string{"Accept", html, "Sec-Fetch-Mode", "navigate"}, 302},
		{"a program", []string{"Accept", "*/*"}, 401},
		{"a program that says nothing", nil, 401},
		{"a script", []string{"Accept", html, "X-Requested-With", "XMLHttpRequest"}, 401},
		{"a script's fetch", []string{"Accept", html, "Sec-Fetch-Mode", "cors"}, 401},
	} {
		page := asks(t, s, forward.CheckPath, forwarded(openApp+"/", test.headers...)...)
		if page.Response.StatusCode != test.want {
			t.Errorf("%s is answered %d, want %d", test.what, page.Response.StatusCode, test.want)
		}
		if test.want == 401 && (page.Response.Header.Get("WWW-Authenticate") == "" || len(page.Response.Cookies()) > 0) {
			t.Errorf("%s gets %v", test.what, page.Response.Header)
		}
		if page.Response.Header.Get("Strict-Transport-Security") != "" {
			t.Error("the answer for a host says of authy's host that it stays with https")
		}
	}
	long := asks(t, s, forward.CheckPath, forwarded(openApp+"/?"+strings.Repeat("x", 4000), "Accept", html)...)
	if to := long.Location(); to == nil || to.Query().Get("url") != openApp+"/" {
		t.Errorf("a long address leads to %v", to)
	}
	post := append(forwarded(openApp+"/", "Accept", html)[:6:6], "X-Forwarded-Method", "POST", "Accept", html)
	if page := asks(t, s, forward.CheckPath, post...); page.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a form is answered %d", page.Response.StatusCode)
	}
	// nginx knows no other answers than these.
	for address, want := range map[string]int{
		openApp + "/": 401, openApp + "/public": 200, "https://none.example.com/": 403, openApp + "/public/../x": 403,
		openApp + forward.FinishPath: 401,
	} {
		page := asks(t, s, forward.NginxPath, "X-Original-Url", address, "X-Original-Method", "GET", "Accept", html)
		if page.Response.StatusCode != want || page.Location() != nil {
			t.Errorf("nginx is answered %d about %s, want %d", page.Response.StatusCode, address, want)
		}
	}
	// Envoy sends the request itself.
	for path, want := range map[string]int{"/": 401, "/public/x?y": 200, "/public/../x": 403, "/public/%2e%2e/x": 403, "//public": 403} {
		page := asks(t, s, forward.EnvoyPath+path, "Host", "app.example.com", "X-Forwarded-Proto", "https")
		if page.Response.StatusCode != want {
			t.Errorf("Envoy is answered %d about %s, want %d", page.Response.StatusCode, path, want)
		}
	}
}

func TestForwardAuthBelievesProxiesAlone(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	public := forwarded(openApp + "/public")
	public = public[:len(public):len(public)]
	if page := asks(t, s, forward.CheckPath, public...); page.Response.StatusCode != http.StatusOK {
		t.Fatalf("a public page is %d", page.Response.StatusCode)
	}
	for what, headers := range map[string][]string{
		"a host twice":     append(public, "X-Forwarded-Host", "app.example.com"),
		"a path twice":     append(public, "X-Forwarded-Uri", "/managers"),
		"two hosts in one": append([]string{"X-Forwarded-Host", "app.example.com, none.example.com"}, append(public[:2:2], public[4:]...)...),
		"no path":          append(public[:4:4], public[6:]...),
		"no method":        public[:6:6],
		"nothing":          nil,
		"what nginx sends": {"X-Original-Url", openApp + "/public", "X-Original-Method", "GET"},
	} {
		if page := asks(t, s, forward.CheckPath, headers...); page.Response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s is answered %d", what, page.Response.StatusCode)
		}
	}
	// What a client adds for another kind of proxy counts for nothing.
	sent := forwarded(openApp+"/managers", "X-Original-Url", openApp+"/public", "X-Original-Method", "GET")
	if page := asks(t, s, forward.CheckPath, sent...); page.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("X-Original-URL is believed: %d", page.Response.StatusCode)
	}
	sent = append(public, "X-Original-Url", openApp+"/managers", "X-Original-Method", "GET")
	if page := asks(t, s, forward.NginxPath, sent...); page.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("X-Forwarded-Uri is believed: %d", page.Response.StatusCode)
	}
	// Proxies keep these paths from others as they are written, and authy knows them in no other way.
	for _, path := range []string{"/%66orward-auth", "/forward-auth/%6eginx", "/forward-auth%2fnginx", "/forward-auth%2fenvoy/public"} {
		page := asks(t, s, path, append(public, "Host", "app.example.com", "X-Original-Url", openApp+"/public", "X-Original-Method", "GET")...)
		if page.Response.StatusCode != http.StatusNotFound {
			t.Errorf("at %s it is answered %d", path, page.Response.StatusCode)
		}
	}
	s.Forward.Proxies = nil
	for _, path := range []string{forward.CheckPath, forward.NginxPath, forward.EnvoyPath + "/public"} {
		page := asks(t, s, path, append(public, "Host", "app.example.com", "X-Original-Url", openApp+"/public", "X-Original-Method", "GET")...)
		if page.Response.StatusCode != http.StatusForbidden {
			t.Errorf("a stranger at %s is answered %d", path, page.Response.StatusCode)
		}
	}
}

// codeOf takes bob through the sign-in and returns the address that his browser would open next.
func codeOf(t *testing.T, s *servertest.Server, browser *http.Client) string {
	t.Helper()
	begin := servertest.Get(t, browser, openApp+"/deep?x=1").Location()
	page, _ := s.Visit(t, browser, begin.String(), bob, bobPass)
	to := page.Location()
	if to == nil || !strings.HasPrefix(to.String(), openApp+forward.FinishPath+"?code=") {
		t.Fatalf("the sign-in leads to %v", to)
	}
	return to.String()
}

func TestACodeOfForwardAuthIsForOneBrowserOneHostAndOneUse(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	browser, thief := surfer(t, s), surfer(t, s)
	finish := codeOf(t, s, browser)
	refused := func(what string, who *http.Client, address string) {
		t.Helper()
		page := servertest.Get(t, who, address)
		if to := page.Location(); to == nil || !strings.HasPrefix(to.String(), home+forward.RefusedPath) {
			t.Errorf("%s is led to %v", what, to)
		} else if page := servertest.Get(t, who, to.String()); !strings.Contains(page.Body, "took too long") {
			t.Errorf("%s is told %d %s", what, page.Response.StatusCode, page.Body)
		}
		for _, c := range page.Response.Cookies() {
			if strings.HasSuffix(c.Name, "authy_forward") {
				t.Errorf("%s gets the cookie %v", what, c)
			}
		}
	}
	servertest.Get(t, thief, openApp+"/") // so that it has a secret of its own
	refused("another browser", thief, finish)
	refused("another host", browser, strings.Replace(finish, openApp, leftApp, 1))
	refused("a code that was changed", browser, finish+"A")
	refused("a code that is the cookie of another use", browser, openApp+forward.FinishPath+"?code="+passOf(t, s, surfer(t, s), leftApp+"/").Value)
	if to := servertest.Get(t, browser, finish).Location(); to == nil || to.String() != openApp+"/deep?x=1" {
		t.Fatalf("the code leads to %v", to)
	}
	// Again: a browser that is in goes on, and gets nothing; one that is not is refused.
	if page := servertest.Get(t, browser, finish); page.Location().String() != openApp+"/deep?x=1" || len(page.Response.Cookies()) > 0 {
		t.Errorf("the code once more leads to %v with %v", page.Location(), page.Response.Cookies())
	}
	refused("a thief after the use", thief, finish)
	// A code for a session that has ended meanwhile is nothing.
	late := surfer(t, s)
	finish = codeOf(t, s, late)
	servertest.Post(t, late, home+"/sign-out", nil)
	refused("a code of a session that is over", late, finish)
}

func TestForwardAuthLeadsToNoOtherSite(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	browser := surfer(t, s)
	s.SignIn(t, browser, bob, bobPass)
	hash := storage.Hash("x")
	for _, address := range []string{
		"https://evil.example/", "http://app.example.com/", "https://app.example.com.evil.example/", "https://app.example.com@evil.example/",
		"https://evil.example\\@app.example.com/", "//app.example.com/", "javascript:alert(1)", "", "https://app.example.com:8443/",
		"https://sub.app.example.com/", "https://id.example.com/account", "https:app.example.com/", "https:///app.example.com/",
	} {
		for _, path := range []string{forward.StartPath, forward.RefusedPath} {
			page := servertest.Get(t, browser, home+path+"?"+url.Values{"url": {address}, "browser": {hash}}.Encode())
			if page.Location() != nil || page.Response.StatusCode != http.StatusForbidden || strings.Contains(page.Body, "evil") {
				t.Errorf("%s with %q: %d to %v", path, address, page.Response.StatusCode, page.Location())
			}
		}
	}
	page := servertest.Get(t, browser, home+forward.StartPath+"?"+url.Values{"url": {openApp + "/"}, "browser": {"short"}}.Encode())
	if page.Response.StatusCode != http.StatusForbidden {
		t.Errorf("a start without a browser's secret: %d", page.Response.StatusCode)
	}
}

func TestWhoIsRefusedByForwardAuthIsToldWhy(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	browser := surfer(t, s)
	page, _ := s.Visit(t, browser, servertest.Get(t, browser, openApp+"/managers").Location().String(), bob, bobPass)
	body := strings.Join(strings.Fields(page.Body), " ")
	if page.Response.StatusCode != http.StatusForbidden || !strings.Contains(body, "signed in as") || !strings.Contains(body, bob) ||
		!strings.Contains(body, "not among those that are let in") || !strings.Contains(body, "app.example.com") {
		t.Errorf("the refusal is %d %s", page.Response.StatusCode, body)
	}
	if e := lastUse(t, s); e.Outcome != audit.Failure || e.Reason != "not_allowed" || e.TargetID != "app.example.com" {
		t.Errorf("event %+v", e)
	}
	// An address that nobody has confirmed may be another's.
	no := false
	if _, err := s.Accounts.Correct(t.Context(), audit.Shell(), userID(t, s, bob), account.Correction{EmailVerified: &no}); err != nil {
		t.Fatal(err)
	}
	page, _ = s.Visit(t, browser, servertest.Get(t, browser, openApp+"/").Location().String(), bob, bobPass)
	if !strings.Contains(page.Body, "has not been confirmed") {
		t.Errorf("without a confirmed address: %d %s", page.Response.StatusCode, page.Body)
	}
	if e := lastUse(t, s); e.Outcome != audit.Failure || e.Reason != "email_not_verified" {
		t.Errorf("event %+v", e)
	}
}

func TestARuleOfForwardAuthCanAskForMore(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	browser := surfer(t, s)
	if enters(t, s, browser, openApp+"/", bob) == nil {
		t.Fatal("bob is refused")
	}
	page, _ := s.Visit(t, browser, servertest.Get(t, browser, openApp+"/safe").Location().String(), bob, bobPass)
	if !strings.Contains(page.Body, "asks for a second factor") || page.Response.StatusCode != http.StatusForbidden {
		t.Fatalf("without a second factor: %d %s", page.Response.StatusCode, page.Body)
	}
	secret := addTOTP(t, s)
	page, _ = s.Visit(t, browser, servertest.Get(t, browser, openApp+"/safe").Location().String(), bob, bobPass)
	form := page.Hidden()
	form.Set("code", servertest.TOTP(secret, time.Now()))
	page = servertest.Post(t, browser, home+"/second-factor", form)
	if page.Location() == nil {
		t.Fatalf("the code is answered %d %s", page.Response.StatusCode, page.Body)
	}
	got := enters(t, s, browser, page.Location().String(), bob)
	if got == nil {
		t.Fatal("with a second factor bob is refused")
	}
	if claims := checkForwardToken(t, s, got["Remote-JWT"]); claims["acr"] != "urn:authy:acr:mfa" {
		t.Errorf("the token says %v", claims)
	}
}

func TestSigningOutAtAHostEndsTheSession(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	browser := surfer(t, s)
	if enters(t, s, browser, leftApp+"/", bob) == nil {
		t.Fatal("bob is refused")
	}
	to := servertest.Get(t, browser, leftApp+forward.SignOutPath).Location()
	if to == nil || to.String() != home+"/oidc/end_session" {
		t.Fatalf("signing out leads to %v", to)
	}
	form := servertest.Get(t, browser, to.String()).Hidden()
	form.Set("confirm", "yes")
	servertest.Post(t, browser, to.String(), form)
	for _, app := range []string{leftApp, rightApp} {
		if page := servertest.Get(t, browser, app+"/"); told(page) != nil {
			t.Errorf("after that %s is open", app)
		}
	}
}
