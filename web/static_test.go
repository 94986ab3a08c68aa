package web

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// fetch asks for a static file. The path goes in as it is, uncleaned.
func fetch(t *testing.T, method, path string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, "/", nil)
	r.URL.Path = path
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	newStatic().ServeHTTP(w, r)
	return w
}

func TestAFileAtItsHashedAddressIsKeptForEver(t *testing.T) {
	t.Parallel()
	url := newStatic().url("authy.css")
	if !regexp.MustCompile(`^/static/authy\.[0-9a-f]{8}\.css$`).MatchString(url) {
		t.Errorf("url(authy.css) = %s, want the hash in it", url)
	}
	w := fetch(t, http.MethodGet, url)
	if w.Code != http.StatusOK || w.Body.Len() == 0 {
		t.Fatalf("%s answers %d with %d bytes", url, w.Code, w.Body.Len())
	}
	if got := w.Header().Get("Cache-Control"); got != "public, max-age=31536000, immutable" {
		t.Errorf("Cache-Control = %q, want it immutable", got)
	}
}

func TestAFileAtItsPlainAddressIsAskedAboutAgain(t *testing.T) {
	t.Parallel()
	first := fetch(t, http.MethodGet, "/static/authy.js")
	if got := first.Header().Get("Cache-Control"); first.Code != http.StatusOK || got != "no-cache" {
		t.Fatalf("the first answer is %d with Cache-Control %q, want 200 no-cache", first.Code, got)
	}
	again := fetch(t, http.MethodGet, "/static/authy.js", "If-None-Match", first.Header().Get("ETag"))
	if again.Code != http.StatusNotModified || again.Body.Len() != 0 {
		t.Errorf("the second answer is %d with %d bytes, want 304 and none", again.Code, again.Body.Len())
	}
	changed := fetch(t, http.MethodGet, "/static/authy.js", "If-None-Match", `"something else"`)
	if changed.Code != http.StatusOK {
		t.Errorf("another ETag answers %d, want 200", changed.Code)
	}
}

func TestFilesHaveTheirTypeAndAreNotGuessed(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/static/authy.css":   "text/css; charset=utf-8",
		"/static/authy.js":    "text/javascript; charset=utf-8",
		"/static/favicon.svg": "image/svg+xml",
		"/favicon.ico":        "image/x-icon",
	} {
		w := fetch(t, http.MethodGet, path)
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || got != want {
			t.Errorf("%s answers %d with %s, want 200 %s", path, w.Code, got, want)
		}
		if w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s may be guessed at", path)
		}
	}
}

func TestNothingElseIsServed(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/static/", "/static", "/static/.", "/static/..", "/", "", "authy.css", "/authy.css",
		"/static/../embed.go", "/static/../templates/layout.html", "/static/./authy.css",
		"/static//authy.css", "/static/authy.00000000.css", "/static/authy.css/", "/static/AUTHY.CSS",
	} {
		if w := fetch(t, http.MethodGet, path); w.Code != http.StatusNotFound {
			t.Errorf("%q answers %d, want 404", path, w.Code)
		}
	}
}

func TestFilesAreOnlyRead(t *testing.T) {
	t.Parallel()
	if w := fetch(t, http.MethodHead, "/static/authy.css"); w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("HEAD answers %d with %d bytes, want 200 and none", w.Code, w.Body.Len())
	}
	w := fetch(t, http.MethodPost, "/static/authy.css")
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST answers %d, Allow %q; want 405 and GET, HEAD", w.Code, w.Header().Get("Allow"))
	}
}

func TestEveryFileAPageAsksForIsServed(t *testing.T) {
	t.Parallel()
	asked := 0
	for _, e := range elements(t, get(t, "message", view{Data: messagePage{}}).Body.Bytes()) {
		url := e.attrs["src"]
		if e.name == "link" {
			url = e.attrs["href"]
		}
		if url == "" {
			continue
		}
		asked++
		if w := fetch(t, http.MethodGet, url); w.Code != http.StatusOK ||
			!strings.Contains(w.Header().Get("Cache-Control"), "immutable") {
			t.Errorf("%s answers %d, Cache-Control %q", url, w.Code, w.Header().Get("Cache-Control"))
		}
	}
	if asked != 3 {
		t.Errorf("the page asks for %d files, want the icon, the style sheet and the script", asked)
	}
}

func TestAFileThatIsNotThereHasNoLastingAddress(t *testing.T) {
	t.Parallel()
	url := newStatic().url("missing.css")
	if w := fetch(t, http.MethodGet, url); w.Code != http.StatusNotFound {
		t.Errorf("%s answers %d, want 404", url, w.Code)
	}
}
