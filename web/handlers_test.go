package web

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/fault"
	"authy/server/login"
	"authy/server/openid"
	"authy/server/saml2"
)

func newWeb(t *testing.T, c Config) *Web {
	t.Helper()
	wb, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return wb
}

func post(body, contentType string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	return r
}

func TestOnlyAFormIsReadAsOne(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	for _, c := range []struct {
		body, contentType string
		want              int
	}{
		{"a=1", form, 200},
		{"a=1", form + "; charset=utf-8", 200},
		{"", "", 200}, // a button without fields
		{"", "text/plain", 200},
		{"a=1", "", 400},
		{"a=1", "text/plain", 400},
		{`{"a":1}`, "application/json", 400},
		{"--x--\r\n", "multipart/form-data; boundary=x", 400},
		{"a=%zz", form, 400},
		{"a;b", form, 400},
		{"a=" + strings.Repeat("x", maxForm), form, 400},
	} {
		w, called := httptest.NewRecorder(), false
		newWeb(t, Config{}).page(func(http.ResponseWriter, *http.Request) error {
			called = true
			return nil
		}).ServeHTTP(w, post(c.body, c.contentType))
		if w.Code != c.want || called != (c.want == 200) {
			t.Errorf("%.20q as %q: %d, called %v, want %d", c.body, c.contentType, w.Code, called, c.want)
		}
	}
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, origin, site string
		want               int
	}{
		{"our own page", "http://example.com", "same-origin", 200},
		{"our own page, in a browser that hides its origin", "null", "same-origin", 200},
		{"our own page, in an old browser", "http://example.com", "", 200},
		{"a program", "", "", 200},
		{"typed by the person", "", "none", 200},
		{"another site", "https://evil.example", "cross-site", 403},
		{"another site without an origin", "", "cross-site", 403},
		{"a sibling", "http://evil.example.com", "same-site", 403},
		{"an old browser on another site", "https://evil.example", "", 403},
		{"an old browser in a frame without an origin", "null", "", 403},
		{"another port", "http://example.com:81", "", 403},
		{"a name that begins alike", "http://example.com.evil.example", "", 403},
	} {
		r := post("", "")
		r.Host = "example.com"
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		if c.site != "" {
			r.Header.Set("Sec-Fetch-Site", c.site)
		}
		w, called := httptest.NewRecorder(), false
		newWeb(t, Config{}).form(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true })).ServeHTTP(w, r)
		if w.Code != c.want || called != (c.want == 200) {
			t.Errorf("%s: %d, called %v, want %d", c.name, w.Code, called, c.want)
		}
	}
}

// fromElsewhere are the forms that clients and providers send from their sites.
var fromElsewhere = []string{
	openid.AuthorizePath, openid.EndSessionPath,
	"/external/:slug/callback", "/external/:slug/back-channel", acsPath, saml2.SPLogoutPath, saml2.SSOPath, saml2.SLOPath,
}

// LG-29: no form of any page is taken from another site. What others may send
// from theirs is named above.
func TestEveryFormIsForOurOwnPages(t *testing.T) {
	t.Parallel()
	forms := 0
	newWeb(t, Config{Login: &login.Service{}}).Register(func(method, path string, h http.Handler) {
		if method == http.MethodGet || slices.Contains(fromElsewhere, path) {
			return
		}
		forms++
		for _, header := range [][2]string{
			{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		} {
			r := httptest.NewRequest(method, path, strings.NewReader("email=x&password=x"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(header[0], header[1])
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "sent by another site") || len(w.Result().Cookies()) > 0 {
				t.Errorf("%s %s with %v: %d", method, path, header, w.Code)
			}
		}
	})
	if forms < 20 {
		t.Errorf("%d forms were found", forms)
	}
}

func TestWhyAPageIsRefused(t *testing.T) {
	t.Parallel()
	wait := fault.New(fault.RateLimited, "x", "Too many.").Wait(61500 * time.Millisecond)
	for _, c := range []struct {
		err    error
		status int
		shown  string
		hidden string
	}{
		{fault.New(fault.Invalid, "x", "Bad <b>input</b>."), 400, "Bad &lt;b&gt;input&lt;/b&gt;.", "<b>input"},
		{fault.New(fault.NotFound, "x", "No such page."), 404, "No such page.", ""},
		{wait, 429, "Too many.", ""},
		{fault.New(fault.Internal, "x", "Secret."), 500, "Something went wrong on our side.", "Secret."},
		{http.ErrBodyNotAllowed, 500, "Something went wrong on our side.", "http:"},
	} {
		w := httptest.NewRecorder()
		newWeb(t, Config{}).fail(w, httptest.NewRequest(http.MethodGet, "/", nil), c.err)
		body := w.Body.String()
		if w.Code != c.status || !strings.Contains(body, c.shown) || c.hidden != "" && strings.Contains(body, c.hidden) {
			t.Errorf("%v: %d %s", c.err, w.Code, body)
		}
		want := ""
		if c.status == 429 {
			want = "62"
		}
		if got := w.Header().Get("Retry-After"); got != want {
			t.Errorf("%v: Retry-After %q, want %q", c.err, got, want)
		}
	}
}

func TestWhereAnAnswerGoes(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string][2]string{
		"https://app.example/cb?x=1":   {"app.example", "https://app.example"},
		"http://localhost:3000/cb":     {"localhost:3000", "http://localhost:3000"},
		"com.example.app://callback":   {"", "com.example.app:"},
		"com.example.app:/callback":    {"", "com.example.app:"},
		"https://user@evil.example@x/": {"x", "https://x"},
		"http://[::1]:3000/cb":         {"[::1]:3000", "http://[::1]:3000"},
		"://":                          {"", ""},
		"":                             {"", ""},
	} {
		if host, source := target(uri); host != want[0] || source != want[1] {
			t.Errorf("target(%q) = %q, %q, want %q", uri, host, source, want)
		}
	}
}

func TestARedirectIsAGETAndLeavesNoTrace(t *testing.T) {
	t.Parallel()
	w := httptest.NewRecorder()
	redirect(w, httptest.NewRequest(http.MethodPost, "/", nil), "/account")
	h := w.Header()
	if w.Code != http.StatusSeeOther || h.Get("Location") != "/account" || h.Get("Cache-Control") != "no-store" ||
		h.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("%d %v", w.Code, h)
	}
}
