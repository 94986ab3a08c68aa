package servertest_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/server/servertest"
	"authy/storage"
)

// sessions are the sessions that the program sees, by id.
func (p caller) sessions() map[string]map[string]any {
	p.t.Helper()
	o := p.call("GET", "/api/v1/auth/sessions", nil).succeeded(200, "Sessions retrieved successfully")
	o.wantNames([]string{"sessions", "count"})
	list, ok := o.at("sessions").([]any)
	if !ok || float64(len(list)) != o.at("count") {
		p.t.Fatalf("count in %s", o.Raw)
	}
	out := map[string]map[string]any{}
	for _, one := range list {
		session, ok := one.(map[string]any)
		if !ok {
			p.t.Fatalf("session %v", one)
		}
		id, _ := session["id"].(string)
		out[id] = session
	}
	return out
}

// current is the id of the program's own session.
func (p caller) current() string {
	p.t.Helper()
	var found string
	for id, s := range p.sessions() {
		if s["current"] != true {
			continue
		}
		if found != "" {
			p.t.Errorf("both %s and %s are the current one", found, id)
		}
		found = id
	}
	if found == "" {
		p.t.Fatal("no session is the current one")
	}
	return found
}

func TestSessionsAreListed(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p, browser := logIn(t, s, bob, bobPass), servertest.Browser(t)
		logIn(t, s, "eve@acme-corp.com", bobPass)
		s.SignIn(t, browser, bob, bobPass)
		list := p.sessions()
		if len(list) != 2 {
			t.Fatalf("%d sessions, want bob's program and browser", len(list))
		}
		got := list[p.current()]
		if len(got) != 13 {
			t.Errorf("%d fields in %v", len(got), got)
		}
		for name, want := range map[string]any{
			"status": "active", "ip_address": "127.0.0.1", "user_agent": "Go-http-client/1.1", "device_info": nil,
			"revoked_at": nil, "revoked_reason": nil, "user_id": userID(t, s, bob), "current": true,
		} {
			if value, ok := got[name]; !ok || value != want {
				t.Errorf("%s = %v, want %v", name, value, want)
			}
		}
		for name, d := range map[string]time.Duration{
			"created_at": 0, "updated_at": 0, "last_activity_at": 0, "expires_at": 24 * time.Hour,
		} {
			text, _ := got[name].(string)
			wantTime(t, name, text, d)
		}
		raw := p.call("GET", "/api/v1/auth/sessions", nil).Raw
		if strings.Contains(raw, p.token) || strings.Contains(raw, storage.Hash(p.token)) {
			t.Errorf("the list shows a token: %s", raw)
		}
	})
}

func TestASessionIsRevoked(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p, other := logIn(t, s, bob, bobPass), logIn(t, s, bob, bobPass)
		id := other.current()
		for range 2 { // the second time it has ended, which is no error
			o := p.call("DELETE", "/api/v1/auth/sessions/"+id, nil).succeeded(200, "Session revoked successfully")
			if strings.Contains(o.Raw, `"data"`) {
				t.Errorf("revocation answers data: %s", o.Raw)
			}
		}
		other.me(false)
		p.me(true)
		if list := p.sessions(); len(list) != 1 {
			t.Errorf("%d sessions are listed, want 1", len(list))
		}
		p.call("DELETE", "/api/v1/auth/sessions/"+p.current(), nil).succeeded(200, "Session revoked successfully")
		p.me(false)
	})
}

func TestSomebodyElsesSessionIsNotFound(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p, eve := logIn(t, s, bob, bobPass), logIn(t, s, "eve@acme-corp.com", bobPass)
		var first outcome
		for i, id := range []string{
			p.current(), storage.NewID(), "nonsense", "..", "%00", "%ff", "%27%20OR%20%271%27%3D%271", strings.ToUpper(p.current()),
			strings.Repeat("a", 4000), "%E2%80%AE", "$1", "?x",
		} {
			if strings.HasPrefix(id, "?") {
				id = url.QueryEscape(id)
			}
			o := eve.call("DELETE", "/api/v1/auth/sessions/"+id, nil, "X-Request-ID", "same-id-for-all").
				failed(404, "NOT_FOUND", "")
			if i == 0 {
				first = o
			}
			if o.Raw != first.Raw && id != ".." {
				t.Errorf("%q: %s differs from %s", id, o.Raw, first.Raw)
			}
		}
		p.me(true)
	})
}

func TestAllOtherSessionsAreRevoked(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		p, browser := logIn(t, s, bob, bobPass), servertest.Browser(t)
		eve := logIn(t, s, "eve@acme-corp.com", bobPass)
		others := []caller{logIn(t, s, bob, bobPass), logIn(t, s, bob, bobPass)}
		s.SignIn(t, browser, bob, bobPass)
		o := p.call("DELETE", "/api/v1/auth/sessions", nil).succeeded(200, "Other sessions revoked successfully")
		if o.at("revoked") != 3.0 {
			t.Errorf("revoked = %v, want 3", o.at("revoked"))
		}
		p.me(true)
		eve.me(true)
		for _, other := range others {
			other.me(false)
		}
		if page := servertest.Get(t, browser, s.URL+"/account"); page.Response.StatusCode != http.StatusSeeOther {
			t.Errorf("the browser still sees %d", page.Response.StatusCode)
		}
	})
}

func TestTokensAndCookiesOpenTheirOwnDoors(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p, browser := logIn(t, s, bob, bobPass), servertest.Browser(t)
	s.SignIn(t, browser, bob, bobPass)
	here, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	cookie := ""
	for _, c := range browser.Jar.Cookies(here) {
		if c.Name == "authy_session" {
			cookie = c.Value
		}
	}
	caller{t, s, cookie}.me(false)
	// Cookies are no credentials of the API, whatever sends them.
	caller{t: t, s: s}.call("GET", "/api/v1/auth/me", nil, "Cookie", "authy_session="+cookie).failed(401, "AUTH_REQUIRED", "")
	caller{t: t, s: s}.call("POST", "/api/v1/auth/logout", nil, "Cookie", "authy_session="+cookie).failed(401, "AUTH_REQUIRED", "")
	for _, header := range [][2]string{
		{"Cookie", "authy_session=" + p.token}, {"Authorization", "Bearer " + p.token}, {"Authorization", "Bearer " + cookie},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL+"/account", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set(header[0], header[1])
		page := servertest.Do(t, servertest.Browser(t), req)
		if to := page.Location(); page.Response.StatusCode != http.StatusSeeOther || to == nil || to.Path != "/sign-in" {
			t.Errorf("%s opens the account page: %d", header[0], page.Response.StatusCode)
		}
	}
}
