package web

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"authy/server/words"
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
		if e.name == "link" && e.attrs["rel"] != "expect" {
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

func TestWhoTakesItGetsAFileByGzip(t *testing.T) {
	t.Parallel()
	for accepts, want := range map[string]string{
		"": "", "identity": "", "br": "", "gzip;q=0": "", "gzip; q=0.000, br": "", "*;q=0": "", "gzipped": "",
		"gzip": "gzip", "br, gzip, deflate": "gzip", "GZIP;q=0.5": "gzip", "*": "gzip", "gzip;q=0, *": "",
	} {
		w := fetch(t, http.MethodGet, newStatic().url("authy.css"), "Accept-Encoding", accepts)
		if got := w.Header().Get("Content-Encoding"); got != want || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("to %q: %q with %v", accepts, got, w.Header())
		}
		body := io.Reader(w.Body)
		if want != "" {
			var err error
			if body, err = gzip.NewReader(body); err != nil {
				t.Fatal(err)
			}
		}
		text, err := io.ReadAll(body)
		if err != nil || string(text) != string(newStatic().byPath["/static/authy.css"].body) {
			t.Errorf("to %q: %d bytes and %v", accepts, len(text), err)
		}
	}
}

func TestAFileByGzipIsKnownAgainAsThat(t *testing.T) {
	t.Parallel()
	plain := fetch(t, http.MethodGet, "/static/authy.js").Header().Get("ETag")
	zipped := fetch(t, http.MethodGet, "/static/authy.js", "Accept-Encoding", "gzip").Header().Get("ETag")
	if plain == zipped {
		t.Errorf("both are %s", plain)
	}
	for etag, want := range map[string]int{zipped: http.StatusNotModified, plain: http.StatusOK} {
		w := fetch(t, http.MethodGet, "/static/authy.js", "Accept-Encoding", "gzip", "If-None-Match", etag)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", etag, w.Code, want)
		}
	}
}

func TestAnIconThatIsSmallAlreadyIsSentAsItIs(t *testing.T) {
	t.Parallel()
	s := &static{byPath: map[string]asset{}, hashed: map[string]string{}}
	s.add("noise.ico", []byte("\x00\x01"))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/static/noise.ico", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Header().Get("Content-Encoding") != "" || w.Header().Get("Vary") != "" || w.Body.Len() != 2 {
		t.Errorf("%v, %d bytes", w.Header(), w.Body.Len())
	}
}

// window is what a server may send before the first acknowledgement, with some
// room for headers (RFC 6928).
const window = 13 << 10

// The sign-in page weighs at most 30 kB with all that it loads, and each part of
// it arrives in one flight.
func TestTheSignInPageIsLight(t *testing.T) {
	t.Parallel()
	page := filled(signInPage{}, "Rather Long Name", true)
	page.Signed = nil
	for _, l := range words.All() {
		page.Lang = l
		body := get(t, "sign_in", page).Body
		files := regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`).FindAllStringSubmatch(body.String(), -1)
		if len(files) != 3 {
			t.Errorf("%s: the page loads %v, want a style sheet, a script and an icon", l.Tag(), files)
		}
		weights := map[string]int{"page": body.Len()}
		for _, file := range files {
			weights[file[1]] = fetch(t, http.MethodGet, file[1], "Accept-Encoding", "gzip").Body.Len()
		}
		sum := 0
		for name, weight := range weights {
			sum += weight + 1<<10 // headers, theirs and those of the request
			if weight > window {
				t.Errorf("%s: %s weighs %d bytes, want at most %d", l.Tag(), name, weight, window)
			}
		}
		t.Logf("%s: %d bytes in all: %v", l.Tag(), sum, weights)
		if sum > 30_000 {
			t.Errorf("%s: %d bytes in all: %v", l.Tag(), sum, weights)
		}
	}
}
