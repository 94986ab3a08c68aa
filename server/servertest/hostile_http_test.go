package servertest_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"authy/server/servertest"
)

// RFC 9110, section 9.3.2: HEAD is safe. It begins no sign-in, takes none on, and ends none.
func TestAHeadChangesNothing(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		browser := servertest.Browser(t)
		got := acmePortal.tokens(t, s, browser)
		head := func(address string) *servertest.Page {
			t.Helper()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, address, nil)
			if err != nil {
				t.Fatal(err)
			}
			return servertest.Do(t, browser, req)
		}
		for _, address := range []string{
			authorizeURL(s, acmePortal.request(letters(43))), s.URL + logoutPath + "?id_token_hint=" + got.ID, s.URL + "/enroll?flow=x",
		} {
			page := head(address)
			if page.Response.StatusCode != 405 || !strings.Contains(page.Response.Header.Get("Allow"), "GET") || len(page.Response.Cookies()) != 0 {
				t.Errorf("%s: %d, Allow %q, cookies %v", address, page.Response.StatusCode, page.Response.Header.Get("Allow"), page.Response.Cookies())
			}
		}
		// A flow that waits for nothing but the next look is not used up.
		fresh := servertest.Browser(t)
		to := servertest.Get(t, fresh, authorizeURL(s, acmePortal.request(letters(43)))).Location()
		s.SignIn(t, fresh, bob, bobPass)
		browser = fresh
		if page := head(to.String()); page.Response.StatusCode != 200 || page.Location() != nil {
			t.Errorf("%s: %d to %v", to, page.Response.StatusCode, page.Location())
		}
		if page := servertest.Get(t, fresh, to.String()); page.Location() == nil || page.Location().Host != "localhost:3000" {
			t.Errorf("afterwards the sign-in leads to %v with %d", page.Location(), page.Response.StatusCode)
		}
		alive(t, s, got.Access, true)
	})
}

// HT-01, HT-02, HT-03, HT-05: what no operation takes none takes, and the
// answer to a large body is small.
func TestNoOperationTakesWhatIsNoBodyOfItsOwn(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	p := rooted(t, s)
	large := strings.Repeat(" ", 1<<20) + "{}"
	wide := &bytes.Buffer{}
	for i := range 100_000 {
		fmt.Fprintf(wide, `,"%x":1`, i)
	}
	bodies := map[string]string{
		"names":  "{" + wide.String()[1:] + "}",
		"values": "[" + strings.Repeat("1,", 400_000) + "1]",
		"fields": "{" + wide.String()[1:6000] + "}",
		"a name": `{"` + strings.Repeat("x", 1<<19) + `":1}`,
		"depth":  strings.Repeat(`[`, 1<<19),
		"digits": `{"x":` + strings.Repeat("9", 1<<19) + `}`,
	}
	for i, d := range documentedOperations(t, s) {
		if d.example == nil || d.path == "/api/v1/users/me" && d.method == "DELETE" {
			continue
		}
		path := inBraces.ReplaceAllString(d.path, absent)
		p.call(d.method, path, unsized{strings.NewReader(large)}).failed(413, "PAYLOAD_TOO_LARGE", "")
		p.call(d.method, path, string(d.example), "Content-Encoding", "gzip").failed(415, "UNSUPPORTED_MEDIA_TYPE", "")
		for _, kind := range []string{"", "text/plain", "multipart/form-data; boundary=x", "application/xml", "application/json; charset=utf-16"} {
			p.call(d.method, path, string(d.example), "Content-Type", kind).failed(415, "UNSUPPORTED_MEDIA_TYPE", "")
		}
		if i%servertest.Often(5, 40) != 0 {
			continue // the same is before all of them
		}
		p.call(d.method, path, large).failed(413, "PAYLOAD_TOO_LARGE", "")
		for what, body := range bodies {
			o := p.call(d.method, path, body)
			if o.wantOneOf(400, 401); len(o.Raw) > 8<<10 {
				t.Errorf("%s with many %s: an answer of %d bytes", o.call, what, len(o.Raw))
			}
		}
	}
	p.me(true)
}

// HT-01: the length is enough to refuse a body that never comes.
func TestALargeBodyIsRefusedUnread(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for path, kind := range map[string]string{
		"/api/v1/auth/login": "application/json", "/oidc/token": "application/x-www-form-urlencoded", "/oidc/introspect": "application/x-www-form-urlencoded",
		"/sign-in": "application/x-www-form-urlencoded", "/oidc/revoke": "multipart/form-data; boundary=x",
	} {
		began := time.Now()
		got := speak(t, s, "POST "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: "+kind+"\r\nContent-Length: 1073741824\r\n\r\n"+
			strings.Repeat("x", 2<<20))
		if len(got) > 1 || len(got) == 1 && !strings.HasPrefix(got[0], "4") || time.Since(began) > 5*time.Second {
			t.Errorf("%s: %v after %s", path, got, time.Since(began))
		}
	}
}

// HT-02: the endpoints for clients read no parts, and no JSON.
func TestClientsSendForms(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	parts := strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b\"\r\n\r\nx\r\n", 1<<13) + "--x--"
	for _, path := range []string{"/oidc/token", "/oidc/introspect", "/oidc/revoke", "/oidc/userinfo", "/oidc/authorize", "/forgot-password", "/invitations"} {
		for kind, body := range map[string]string{"multipart/form-data; boundary=x": parts, "application/json": `{"grant_type":"client_credentials"}`} {
			page := surface(t, s, "POST", path, kind, body)
			if status := page.Response.StatusCode; status < 400 || status >= 500 {
				t.Errorf("%s with %s: %d", path, kind, status)
			}
		}
	}
}

// HT-09: who is slow to send a header is let go, and is in nobody's way.
func TestSlowHeadersAreLetGo(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	began := time.Now()
	var all sync.WaitGroup
	for range 300 {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Config.Listen)
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer conn.Close()                            //nolint:errcheck // that is what is awaited
			conn.SetDeadline(began.Add(40 * time.Second)) //nolint:errcheck // it would be told below
			_, err := io.WriteString(conn, "GET /api/health HTTP/1.1\r\nHost: x\r\nX: ")
			for err == nil && time.Since(began) < 30*time.Second {
				time.Sleep(time.Second)
				_, err = io.WriteString(conn, "a")
			}
			if err == nil {
				t.Error("a slow header is still being read")
			}
		})
	}
	logIn(t, s, bob, bobPass).me(true)
	all.Wait()
	logIn(t, s, bob, bobPass).me(true)
}

// HT-22: nothing that somebody gives is fetched.
func TestNoAddressThatIsGivenIsVisited(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	visited := make(chan struct{})
	go func() {
		if _, err := l.Accept(); err == nil {
			close(visited)
		}
	}()
	defer l.Close() //nolint:errcheck // a listener
	p := rooted(t, s)
	path := "/api/v1/organizations/" + orgID(t, s, "tech-startup")
	for _, scheme := range []string{"https://", "http://"} {
		trap := scheme + l.Addr().String() + "/x"
		p.call("PATCH", mePath, object{"avatar_url": trap, "website": trap}).wantOneOf(200, 400)
		p.call("PATCH", path, object{"logo_url": trap}).wantOneOf(200, 400)
		for _, field := range []string{"logo_uri", "client_uri", "policy_uri", "tos_uri"} {
			p.call("PATCH", path+"/clients/tech-dashboard-001", object{field: trap}).wantOneOf(200, 400)
		}
		p.call("PATCH", path+"/clients/tech-dashboard-001", object{"redirect_uris": []string{"https://dashboard.tech-startup.com/auth/callback", trap}}).wantOneOf(200, 400)
		browser := servertest.Browser(t)
		for _, name := range []string{"request_uri", "jwks_uri", "sector_identifier_uri", "initiate_login_uri", "request"} {
			servertest.Get(t, browser, authorizeURL(s, acmePortal.request(letters(43), name, trap)))
		}
		s.Visit(t, browser, authorizeURL(s, acmePortal.request(letters(43))), root, seedPassword(root))
		servertest.Get(t, browser, s.URL+"/account")
		servertest.Get(t, browser, s.URL+logoutPath+"?post_logout_redirect_uri="+url.QueryEscape(trap))
		send(t, s, "/oidc/token", url.Values{"client_assertion": {trap}, "grant_type": {"client_credentials"}, "jwks_uri": {trap}}, nil)
	}
	for _, address := range []string{"file:///etc/passwd", "gopher://x/", "unix:/x", "javascript:alert(1)", "data:text/html,x", "//x/"} {
		p.call("PATCH", mePath, object{"avatar_url": address}).failed(400, "VALIDATION_ERROR", "")
		p.call("PATCH", path, object{"logo_url": address}).failed(400, "VALIDATION_ERROR", "")
	}
	select {
	case <-visited:
		t.Error("an address that somebody gave was visited")
	case <-time.After(300 * time.Millisecond):
	}
}

// lines is what was logged, one line for each event.
type lines struct {
	mu  sync.Mutex
	all []slog.Record
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *lines) WithGroup(string) slog.Handler            { return l }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, r.Clone())
	return nil
}

// HT-24: what a caller sends is in the log as values alone, and short.
func TestNothingWritesIntoTheLog(t *testing.T) { //nolint:paralleltest // it takes the log
	kept := &lines{}
	before := slog.Default()
	slog.SetDefault(slog.New(kept))
	defer slog.SetDefault(before)
	s := servertest.New(t)
	mark := rand.Text()
	wild := mark + "\r\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\x1b[2J%n\"} "
	long := mark + strings.Repeat("x", 20_000)
	for _, text := range []string{wild, long} {
		surface(t, s, "GET", "/api/v1/"+url.PathEscape(text), "", "")
		surface(t, s, "GET", "/"+url.PathEscape(text)+"?"+url.QueryEscape(text), "", "")
		surface(t, s, "POST", "/oidc/token", "application/x-www-form-urlencoded", url.Values{"client_id": {text}, "client_secret": {text}}.Encode())
		surface(t, s, "GET", "/oidc/userinfo", "", "", "Authorization", "Bearer "+url.QueryEscape(text))
		caller{t: t, s: s}.call("POST", "/api/v1/auth/login", object{"email": text + "@example.com", "password": text}, "X-Request-ID", url.QueryEscape(text), "User-Agent", url.QueryEscape(text))
	}
	kept.mu.Lock()
	defer kept.mu.Unlock()
	found := 0
	for _, r := range kept.all {
		if strings.ContainsFunc(r.Message, func(c rune) bool { return c < ' ' }) || strings.Contains(r.Message, mark) {
			t.Errorf("a message is %q", r.Message)
		}
		r.Attrs(func(a slog.Attr) bool {
			value := a.Value.String()
			if strings.Contains(value, mark) {
				found++
				if len(value) > 300 || strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c == 0x7f }) {
					t.Errorf("%s is %.400q", a.Key, value)
				}
			}
			return true
		})
	}
	if found == 0 {
		t.Error("nothing of it is in the log")
	}
	events, err := s.DB.Events(t.Context(), 50)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		if text := fmt.Sprintf("%+v", e); len(text) > 4000 || strings.ContainsAny(text, "\r\n\x1b") {
			t.Errorf("an event is %.500q", text)
		}
	}
}

// HT-18, HT-19: what people name, and what they send, is text on every page and
// in every mail.
func TestNamesAreTextOnEveryPage(t *testing.T) {
	t.Parallel()
	mailed(t, func(t *testing.T, s *servertest.Server, box *servertest.Outbox) {
		p, own := in(t, s, root), newVisitor(t, s)
		s.SignIn(t, own.browser, root, seedPassword(root))
		path := "/api/v1/organizations/" + orgID(t, s, "tech-startup")
		p.call("PATCH", mePath, object{"full_name": payload, "nickname": payload}).succeeded(200, "Profile updated successfully")
		p.call("PATCH", path, object{"name": payload, "description": payload}).succeeded(200, "Organization updated successfully")
		p.call("PATCH", path+"/clients/tech-dashboard-001", object{"name": payload}).succeeded(200, "Client updated successfully")
		p.call("POST", tokensPath, object{"name": payload[:72], "scopes": []string{"profile:read"}}).succeeded(201, "Token created successfully")
		registerKey(p, newKey(t, s, servertest.ES256), "name", payload[:72]).succeeded(201, registerMessage)
		p.call("POST", path+"/invitations", object{"email": "ada@example.com", "role": "guest"}).succeeded(201, "Invitation created successfully")
		letter := box.Next(t, "ada@example.com", "")
		for _, script := range scripts {
			if strings.Contains(letter.HTML, script) {
				t.Errorf("the mail has %s as it came", script)
			}
		}
		v := newVisitor(t, s)
		app := app{"tech-dashboard-001", "tech_secret_dashboard_2024", "https://dashboard.tech-startup.com/auth/callback"}
		begun := v.get(strings.TrimPrefix(authorizeURL(s, app.request(letters(43))), s.URL)).Location().RequestURI()
		shown := []*servertest.Page{v.get(begun), v.get("/invitations?token=" + letter.Token())}
		after := v.post("/sign-in", "flow", strings.TrimPrefix(begun, "/sign-in?flow="), "email", root, "password", seedPassword(root))
		if after.Location() == nil || after.Location().Path != "/second-factor" {
			t.Fatalf("the sign-in leads to %v with %d", after.Location(), after.Response.StatusCode)
		}
		shown = append(shown, v.get(after.Location().RequestURI()))
		for _, page := range shown {
			if harmless(t, page); page.Response.StatusCode != 200 || !strings.Contains(page.Body, "&lt;script&gt;alert(1)") {
				t.Errorf("%s: %d, and the name is not there", page.Response.Request.URL, page.Response.StatusCode)
			}
		}
		for _, path := range []string{"/account", "/account/profile", "/account/organizations", "/account/security", "/account/apps", "/account/tokens"} {
			page := own.get(path)
			if harmless(t, page); !strings.Contains(page.Body, "&lt;script&gt;alert(1)") {
				t.Errorf("%s: %d, and the names are not there", path, page.Response.StatusCode)
			}
		}
		q := url.QueryEscape(payload)
		for _, path := range []string{
			"/reset-password?token=", "/verify-email?token=", "/confirm-email?token=", "/invitations?token=", "/forgot-password?email=",
			"/second-factor?recovery=1&flow=", "/enroll?flow=", "/api/docs?x=", "/invitations/declined?x=", "/sign-in?switch=1&flow=",
		} {
			harmless(t, own.get(path+q))
		}
		for path, name := range map[string]string{
			"/forgot-password": "email", "/reset-password": "token", "/verify-email": "token", "/confirm-email": "token", "/invitations": "token",
			"/second-factor": "code", "/account/tokens": "name", "/account/tokens/revoke": "id", "/account/passkeys/rename": "name",
		} {
			harmless(t, own.post(path, name, payload, "flow", payload, "id", payload, "password", payload, "scope", payload, "answer", payload))
		}
	})
}
