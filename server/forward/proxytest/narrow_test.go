package proxytest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"authy/server/audit"
	"authy/server/forward"
	"authy/server/servertest"
)

func TestForwardAuthSignsInAndTellsWhoItIs(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	browser := surfer(t, s)
	if got := told(servertest.Get(t, browser, openApp+"/public/x")); len(got) != len(forward.Headers) || strings.Join([]string{
		got["Remote-User"], got["Remote-Email"], got["Remote-Name"], got["Remote-Groups"], got["Remote-JWT"],
	}, "") != "" {
		t.Errorf("a public page is told %v, want empty headers", got)
	}
	got := enters(t, s, browser, openApp+"/page?a=1&b=%2F", bob)
	if got["Remote-User"] != bob || got["Remote-Email"] != bob || got["Remote-Name"] != "Bob Builder" ||
		got["Remote-Groups"] != "acme-corp,acme-corp:member" {
		t.Fatalf("the application is told %v", got)
	}
	claims := checkForwardToken(t, s, got["Remote-JWT"])
	if claims["iss"] != home || claims["aud"] != openApp || claims["sub"] != userID(t, s, bob) || claims["email"] != bob ||
		claims["exp"].(float64)-claims["iat"].(float64) != 60 || claims["acr"] != "urn:authy:acr:password" {
		t.Errorf("the token says %v", claims)
	}
	if page := servertest.Get(t, browser, openApp+"/other"); told(page) == nil {
		t.Errorf("a second page is %d", page.Response.StatusCode)
	}
	if _, steps := s.Visit(t, browser, servertest.Get(t, browser, leftApp+"/").Location().String(), bob, bobPass); len(steps) > 0 {
		t.Errorf("another host asks for %v", steps)
	}
	if e := lastUse(t, s); e.Outcome != audit.Success || e.ActorID != userID(t, s, bob) {
		t.Errorf("event %+v", e)
	}
}

// checkForwardToken checks the signature of a token with the published keys and returns what it says.
func checkForwardToken(t *testing.T, s *servertest.Server, token string) map[string]any {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(asks(t, s, "/oidc/jwks").Body), &set); err != nil {
		t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatalf("token %q: %v", token, err)
	}
	header := signed.Signatures[0].Protected
	if header.ExtraHeaders[jose.HeaderType] != "forward-auth+jwt" || len(set.Key(header.KeyID)) != 1 {
		t.Fatalf("the token has the header %v", header)
	}
	text, err := signed.Verify(set.Key(header.KeyID)[0])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// passOf takes bob to a host and returns the cookie that he gets there.
func passOf(t *testing.T, s *servertest.Server, browser *http.Client, address string) *http.Cookie {
	t.Helper()
	for range 8 {
		page, _ := s.Visit(t, browser, address, bob, bobPass)
		for _, c := range page.Response.Cookies() {
			if strings.HasSuffix(c.Name, "-authy_forward") && c.MaxAge >= 0 {
				return c
			}
		}
		if page.Location() == nil {
			break
		}
		address = page.Location().String()
	}
	t.Fatalf("%s gives no cookie", address)
	return nil
}

func TestTheCookieOfForwardAuthIsNarrow(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	browser := surfer(t, s)
	own, wide := passOf(t, s, browser, openApp+"/"), passOf(t, s, browser, leftApp+"/")
	if own.Name != "__Host-authy_forward" || own.Domain != "" || wide.Name != "__Secure-authy_forward" || wide.Domain != "example.org" {
		t.Errorf("cookies %v and %v", own, wide)
	}
	for _, c := range []*http.Cookie{own, wide} {
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
			t.Errorf("cookie %v is not narrow", c)
		}
	}
	status := func(address, name, value string) int {
		return asks(t, s, forward.CheckPath, forwarded(address, "Cookie", name+"="+value)...).Response.StatusCode
	}
	for what, got := range map[string]struct{ status, want int }{
		"its own host":                  {status(openApp+"/", own.Name, own.Value), 200},
		"a host of its domain":          {status(rightApp+"/", wide.Name, wide.Value), 200},
		"a host at another":             {status(rightApp+"/", own.Name, own.Value), 401},
		"a host renamed at another":     {status(rightApp+"/", wide.Name, own.Value), 401},
		"a domain at a host beside it":  {status(openApp+"/", own.Name, wide.Value), 401},
		"one that was changed":          {status(openApp+"/", own.Name, "A"+own.Value), 401},
		"a host without a rule":         {status("https://none.example.org/", wide.Name, wide.Value), 403},
		"its host by another scheme":    {status("http://app.example.com/", own.Name, own.Value), 403},
		"its host at another port":      {status("https://app.example.com:8443/", own.Name, own.Value), 403},
		"its host with dot and port":    {status("https://APP.example.com.:443/", own.Name, own.Value), 200},
		"what it may not, by its host":  {status(openApp+"/managers", own.Name, own.Value), 403},
		"and by a path that hides that": {status(openApp+"/public/%2e%2e/managers", own.Name, own.Value), 403},
		"and by case":                   {status(openApp+"/Managers", own.Name, own.Value), 403},
	} {
		if got.status != got.want {
			t.Errorf("the cookie of %s: %d, want %d", what, got.status, got.want)
		}
	}
	for _, name := range []string{own.Name, "__Host-authy_session", "authy_session"} {
		if page := asks(t, s, "/account", "Cookie", name+"="+own.Value); page.Location() == nil {
			t.Errorf("as %s it opens the account at authy: %d", name, page.Response.StatusCode)
		}
	}
	if page := asks(t, s, "/api/v1/auth/me", "Authorization", "Bearer "+own.Value); page.Response.StatusCode != http.StatusUnauthorized {
		t.Errorf("the API of authy answers it %d", page.Response.StatusCode)
	}
	here, err := url.Parse(home)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range browser.Jar.Cookies(here) {
		if got := status(openApp+"/", own.Name, c.Value); got != http.StatusUnauthorized {
			t.Errorf("the cookie %s of authy opens the host: %d", c.Name, got)
		}
	}
}
