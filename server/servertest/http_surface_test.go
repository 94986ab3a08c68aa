package servertest_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/server/config"
	"authy/server/servertest"
)

// everywhere are addresses of every kind of answer, by their status.
var everywhere = []struct {
	method, path, contentType, body string
	status                          int
}{
	{"GET", "/", "", "", 303},
	{"GET", "/sign-in", "", "", 200},
	{"GET", "/account", "", "", 303},
	{"GET", "/signed-out", "", "", 200},
	{"GET", "/setup", "", "", 403},
	{"GET", "/consent", "", "", 403},
	{"GET", "/nowhere", "", "", 404},
	{"GET", "/sign-out", "", "", 405},
	{"POST", "/sign-in", "application/x-www-form-urlencoded", "email=a&password=b", 401},
	{"POST", "/sign-in", "application/json", "{}", 400},
	{"GET", "/static/authy.css", "", "", 200},
	{"GET", "/static/nowhere", "", "", 404},
	{"GET", "/favicon.ico", "", "", 200},
	{"GET", "/api/health", "", "", 200},
	{"GET", "/api/openapi.json", "", "", 200},
	{"GET", "/api/nowhere", "", "", 404},
	{"GET", "/api/v1/auth/me", "", "", 401},
	{"GET", "/api/v1/auth/login", "", "", 405},
	{"POST", "/api/v1/auth/login", "application/json", "{", 400},
	{"POST", "/api/v1/auth/login", "text/plain", "{}", 415},
	{"GET", "/.well-known/openid-configuration", "", "", 200},
	{"GET", "/oidc/jwks", "", "", 200},
	{"GET", "/oidc/authorize", "", "", 400},
	{"GET", "/oidc/userinfo", "", "", 401},
	{"GET", "/oidc/token", "", "", 405},
	{"POST", "/oidc/token", "application/x-www-form-urlencoded", "", 401},
	{"GET", "/oidc/end_session", "", "", 303},
	{"GET", "/oidc/nowhere", "", "", 404},
}

func TestEveryAnswerHasItsSecurityHeaders(t *testing.T) {
	t.Parallel()
	for _, secured := range []bool{false, true} {
		s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
			if secured {
				c.PublicURL = "https://id.example.com"
			}
		}})
		for _, c := range everywhere {
			r := surface(t, s, c.method, c.path, c.contentType, c.body)
			name := c.method + " " + c.path
			if r.Response.StatusCode != c.status {
				t.Errorf("%s: %d, want %d", name, r.Response.StatusCode, c.status)
			}
			h := r.Response.Header
			for header, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin",
				"Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "no-referrer",
			} {
				if header == "Cross-Origin-Resource-Policy" && isDocument(c.path) {
					continue // it is there for every origin to read
				}
				if got := h.Get(header); got != want {
					t.Errorf("%s: %s is %q, want %q", name, header, got, want)
				}
			}
			policy := h.Get("Content-Security-Policy")
			for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action "} {
				if !strings.Contains(policy, part) {
					t.Errorf("%s: the policy %q has no %s", name, policy, part)
				}
			}
			if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
				t.Errorf("%s: the policy is %q", name, policy)
			}
			if (h.Get("Strict-Transport-Security") != "") != secured {
				t.Errorf("%s: HSTS is %q", name, h.Get("Strict-Transport-Security"))
			}
			if kind := h.Get("Content-Type"); strings.HasPrefix(kind, "text/") && !strings.Contains(kind, "charset=utf-8") {
				t.Errorf("%s: Content-Type %q", name, kind)
			}
			for _, header := range []string{"Server", "X-Powered-By", "Set-Cookie"} {
				if h.Get(header) != "" && c.path != "/oidc/end_session" { // which clears the cookie
					t.Errorf("%s: %s is %q", name, header, h.Get(header))
				}
			}
		}
	}
}

// isDocument says whether there is a document for everyone at a path.
func isDocument(path string) bool {
	return path == "/.well-known/openid-configuration" || path == "/oidc/jwks"
}

// surface sends a request to where the server listens, whatever its public URL.
func surface(t *testing.T, s *servertest.Server, method, path, contentType, body string, header ...string) *servertest.Page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+s.Config.Listen+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
		req.Header.Set(header[i], header[i+1])
	}
	return servertest.Do(t, servertest.Browser(t), req)
}

func TestWhatIsPrivateIsNotCached(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, c := range everywhere {
		got := surface(t, s, c.method, c.path, c.contentType, c.body).Response.Header.Get("Cache-Control")
		public := isDocument(c.path) || strings.HasPrefix(c.path, "/static") ||
			c.path == "/favicon.ico" || c.status == 404 || c.status == 405
		if !public && !strings.Contains(got, "no-store") {
			t.Errorf("%s %s: Cache-Control %q", c.method, c.path, got)
		}
	}
}

func TestHeadIsGetWithoutABody(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, c := range everywhere {
		if c.method != "GET" || c.path == "/oidc/authorize" || c.path == "/oidc/end_session" {
			continue
		}
		get, head := surface(t, s, "GET", c.path, "", ""), surface(t, s, "HEAD", c.path, "", "")
		if head.Body != "" || head.Response.StatusCode != get.Response.StatusCode ||
			head.Response.Header.Get("Content-Type") != get.Response.Header.Get("Content-Type") {
			t.Errorf("%s: %d %q %q, GET has %d %q", c.path, head.Response.StatusCode, head.Response.Header.Get("Content-Type"),
				head.Body, get.Response.StatusCode, get.Response.Header.Get("Content-Type"))
		}
	}
}

func TestOtherMethodsAreNotAllowed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, path := range []string{
		"/", "/sign-in", "/sign-out", "/consent", "/account", "/account/sessions/end", "/setup", "/signed-out", "/static/authy.css",
		"/favicon.ico", "/api/health", "/api/ready", "/.well-known/openid-configuration", "/oidc/authorize", "/oidc/token",
		"/oidc/userinfo", "/oidc/jwks", "/oidc/revoke", "/oidc/introspect", "/oidc/end_session",
	} {
		for _, method := range []string{"TRACE", "TRACK", "PUT", "PATCH", "DELETE", "PROPFIND", "FOO"} {
			page := surface(t, s, method, path, "", "", "Cookie", "authy_session=x")
			if page.Response.StatusCode != 405 || page.Response.Header.Get("Allow") == "" || strings.Contains(page.Body, "authy_session") {
				t.Errorf("%s %s: %d, Allow %q", method, path, page.Response.StatusCode, page.Response.Header.Get("Allow"))
			}
		}
	}
}

func TestAPathHasOneSpelling(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for path, want := range map[string]int{
		"/api/v1/auth/me": 401, "//api/v1/auth/me": 404, "/api/v1//auth/me": 404, "/api/v1/./auth/me": 404, "/api/v1/x/../auth/me": 404,
		"/api/v1/%2e%2e/v1/auth/me": 404, "/api/v1/auth/me;x=1": 404, "/api/v1/auth/me/": 404, "/API/v1/auth/me": 404,
		"/api/v1/auth/ME": 404, "/api/v1/auth%2fme": 401, "/api/v1/auth/me%00": 404, "/api/v1/auth/me%20": 404,
		"/account/": 404, "/account/..;/": 404, "/Account": 404, "//account": 404, "//evil.example/": 404, "/\\evil.example": 404,
		"/sign-in/": 404, "/oidc/token/": 404, "/admin/..;/": 404, "/.": 404, "/..": 404, "/%2e%2e/": 404,
	} {
		page := surface(t, s, "GET", path, "", "")
		if page.Response.StatusCode != want || page.Response.Header.Get("Location") != "" {
			t.Errorf("%s: %d to %q, want %d", path, page.Response.StatusCode, page.Response.Header.Get("Location"), want)
		}
	}
}

func TestNothingButTheStaticFilesIsServed(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, path := range []string{
		"/static/", "/static", "/static/..%2f..%2fetc/passwd", "/static/../templates/layout.html", "/static/%2e%2e/embed.go",
		"/static/%5c..%5c", "/static/authy.css/", "/static/authy.css%00", "/static//authy.css", "/static/AUTHY.CSS", "/.git/config",
		"/templates/layout.html", "/embed.go", "/authy.db", "/robots.txt",
		"/metrics", "/debug/pprof/", "/debug/vars", "/debug/pprof/heap", "/health", "/ready", "/status", "/version", "/api/metrics",
		"/api/debug/pprof/", "/.env", "/authy.toml",
	} {
		page := surface(t, s, "GET", path, "", "")
		if page.Response.StatusCode != 404 || strings.Contains(page.Body, "root:") {
			t.Errorf("%s: %d, want 404", path, page.Response.StatusCode)
		}
	}
	css := surface(t, s, "GET", "/static/authy.css", "", "")
	etag := css.Response.Header.Get("ETag")
	for _, c := range []struct {
		name, header string
		status       int
	}{{"If-None-Match", etag, 304}, {"If-None-Match", "*", 304}, {"If-None-Match", `"other"`, 200}, {"Range", "bytes=0-9", 206}, {"Range", "bytes=99999999-", 416}} {
		if page := surface(t, s, "GET", "/static/authy.css", "", "", c.name, c.header); page.Response.StatusCode != c.status {
			t.Errorf("%s %s: %d, want %d", c.name, c.header, page.Response.StatusCode, c.status)
		}
	}
	health := surface(t, s, "GET", "/api/health", "", "").Body
	for _, inside := range []string{"sqlite", "go1", "test", "127.0.0.1", "/"} {
		if strings.Contains(health, inside) {
			t.Errorf("health shows %q: %s", inside, health)
		}
	}
}

// Z-28: the issuer is never taken from a request.
func TestTheHostThatIsAskedForChangesNothing(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	tricks := [][]string{
		{"Host", "evil.example"},
		{"X-Forwarded-Host", "evil.example"},
		{"X-Forwarded-Proto", "https", "X-Forwarded-Port", "443"},
		{"Forwarded", "host=evil.example;proto=https"},
		{"X-Original-URL", "/account"},
		{"X-Rewrite-URL", "/account"},
		{"X-Host", "evil.example"},
		{"X-Forwarded-Prefix", "/evil"},
		{"X-HTTP-Method-Override", "DELETE"},
	}
	authorize := "/oidc/authorize?" + url.Values{
		"client_id": {"acme-portal-001"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid"},
		"code_challenge": {letters(43)}, "code_challenge_method": {"S256"},
	}.Encode()
	for _, c := range []struct{ method, path, contentType, body string }{
		{"GET", "/.well-known/openid-configuration", "", ""},
		{"GET", "/oidc/authorize?client_id=nobody", "", ""},
		{"GET", "/", "", ""},
		{"GET", "/account", "", ""},
		{"GET", "/sign-in", "", ""},
		{"GET", authorize, "", ""},
		{"POST", "/sign-in", "application/x-www-form-urlencoded", url.Values{"email": {bob}, "password": {bobPass}}.Encode()},
	} {
		plain := surface(t, s, c.method, c.path, c.contentType, c.body, "X-Request-ID", "same-id-for-all")
		for _, trick := range tricks {
			page := surface(t, s, c.method, c.path, c.contentType, c.body, append([]string{"X-Request-ID", "same-id-for-all"}, trick...)...)
			if diff := cmp.Diff(essence(plain), essence(page)); diff != "" {
				t.Errorf("%s with %v (-plain +got):\n%s", c.path, trick, diff)
			}
			if strings.Contains(fmt.Sprint(page.Response.Header), "evil") || strings.Contains(page.Body, "evil") {
				t.Errorf("%s with %v repeats the name", c.path, trick)
			}
		}
	}
}

// essence is what of an answer does not differ from one time to the next.
func essence(page *servertest.Page) []string {
	to, _, _ := strings.Cut(page.Response.Header.Get("Location"), "?")
	out := []string{page.Response.Status, to}
	if page.Response.Header.Get("Location") == to {
		out = append(out, page.Body)
	}
	for _, c := range page.Response.Cookies() {
		c.Value = ""
		out = append(out, c.String())
	}
	return out
}

func TestNoOriginIsLetIn(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	for _, origin := range []string{"https://evil.example", "null", "https://portal.acme-corp.com.evil.example"} {
		for _, c := range everywhere {
			page := surface(t, s, c.method, c.path, c.contentType, c.body, "Origin", origin)
			allowed := page.Response.Header.Get("Access-Control-Allow-Origin")
			if allowed != "" && (allowed != "*" || !isDocument(c.path)) || page.Response.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s %s from %s: Access-Control-Allow-Origin %q", c.method, c.path, origin, allowed)
			}
		}
	}
}

func TestALargeFormIsRefused(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	large := "email=" + url.QueryEscape(bob) + "&password=" + strings.Repeat("x", 1<<20)
	for _, path := range []string{"/sign-in", "/setup", "/consent", "/oidc/authorize", "/oidc/end_session"} {
		page := surface(t, s, "POST", path, "application/x-www-form-urlencoded", large)
		if page.Response.StatusCode != 400 || strings.Contains(page.Body, "xxxx") {
			t.Errorf("%s: %d, want 400", path, page.Response.StatusCode)
		}
		page = surface(t, s, "POST", path, "multipart/form-data; boundary=x", strings.Repeat("--x\r\n\r\n", 1<<12))
		if page.Response.StatusCode != 400 {
			t.Errorf("%s with parts: %d, want 400", path, page.Response.StatusCode)
		}
	}
}

// speak writes text to the server and returns the status lines of its answers
// until it hangs up.
func speak(t *testing.T, s *servertest.Server, text string) []string {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Config.Listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // what matters has been read
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, cut := io.WriteString(conn, text) // whoever refuses a text need not read it
	var out []string
	in := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			if cut != nil && len(out) == 0 {
				t.Logf("cut off without an answer: %v", cut)
			}
			return out
		}
		out = append(out, res.Status)
		_, broken := io.Copy(io.Discard, res.Body)
		if err := res.Body.Close(); err != nil || broken != nil {
			return out
		}
	}
}

func TestARequestCannotHideInAnother(t *testing.T) {
	t.Parallel()
	s := servertest.New(t)
	const honest = "GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n"
	const hidden = "GET /api/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	const start = "POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	if got := speak(t, s, honest+hidden); len(got) != 2 {
		t.Fatalf("two honest requests were answered %v", got)
	}
	for name, text := range map[string]string{
		"two lengths":            start + "Content-Length: 2\r\nContent-Length: 50\r\n\r\n{}" + hidden,
		"an unknown encoding":    start + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"an encoding twice":      start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + hidden,
		"a space before a colon": start + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + hidden,
		"a length that is none":  start + "Content-Length: +2\r\n\r\n{}" + hidden,
		"a size that is none":    start + "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + hidden,
		"a size too large":       start + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n" + hidden,
		"a length and chunks":    start + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + hidden,
		"chunks and a length":    start + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + hidden,
		"chunked twice":          start + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + hidden,
		"a bare line feed":       start + "Transfer-Encoding: chunked\r\n\r\n2;x\n{}\r\n0\r\n\r\n" + hidden,
		"a folded line":          start + "X: a\r\n b\r\nTransfer-Encoding:\r\n chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n" + hidden,
		"a tab before a value":   start + "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + hidden,
		"no host":                "GET /api/health HTTP/1.1\r\n\r\n" + hidden,
		"two hosts":              "GET /api/health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + hidden,
		"a NUL in a header":      "GET /api/health HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n" + hidden,
		"a large header":         "GET /api/health HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n" + hidden,
	} {
		got := speak(t, s, text)
		if len(got) > 1 || len(got) == 1 && !strings.HasPrefix(got[0], "4") && !strings.HasPrefix(got[0], "501") {
			t.Errorf("%s: answered %v", name, got)
		}
	}
	if got := speak(t, s, hidden); len(got) != 1 || !strings.HasPrefix(got[0], "200") {
		t.Errorf("afterwards: %v", got)
	}
}

// Invalid text in a header must not reach a database that refuses it.
func TestBytesInHeadersBreakNothing(t *testing.T) {
	t.Parallel()
	engines(t, func(t *testing.T, s *servertest.Server) {
		body := `{"email":"` + bob + `","password":"` + bobPass + `"}`
		for _, value := range []string{"\xff\xfe", "caf\xe9", "\u202e", strings.Repeat("é", 4000), "\t", "<b>"} {
			var text bytes.Buffer
			fmt.Fprintf(&text, "POST /api/v1/auth/login HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"+
				"User-Agent: %s\r\nX-Forwarded-For: %s\r\nCookie: authy_session=%s\r\nX-Request-ID: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s",
				"x", value, value, value, value, len(body), body)
			if got := speak(t, s, text.String()); len(got) != 1 || got[0] != "200 OK" {
				t.Errorf("%.20q: %v", value, got)
			}
		}
		logIn(t, s, bob, bobPass).sessions()
	})
}

// A new server answers while it makes its keys, and says when it has them.
func TestANewServerBecomesReady(t *testing.T) {
	t.Parallel()
	s, browser := servertest.New(t), servertest.Browser(t)
	for range 100 {
		page := servertest.Get(t, browser, s.URL+"/api/ready")
		if page.Response.StatusCode == http.StatusOK {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("it did not within ten seconds")
}
