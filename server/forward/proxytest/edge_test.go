package proxytest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"authy/server/forward"
	"authy/server/servertest"
)

// edge is a proxy as Traefik is: it asks authy about each request to an application, which answers
// with what it was told, and passes those to authy itself on. It is an [http.RoundTripper].
type edge struct {
	listen string // where authy does
}

// RoundTrip implements [http.RoundTripper].
func (e edge) RoundTrip(r *http.Request) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host = "http", e.listen, r.URL.Host
	out.Header.Set("X-Forwarded-For", "192.0.2.9")
	if out.Header.Get("Accept") == "" {
		out.Header.Set("Accept", "text/html,*/*")
	}
	if r.URL.Scheme+"://"+r.URL.Host == home {
		return answerOf(r, out)
	}
	out.URL.Path, out.URL.RawPath, out.URL.RawQuery = forward.CheckPath, "", ""
	out.Method, out.Body, out.ContentLength = http.MethodGet, nil, 0
	for name, value := range map[string]string{
		"Proto": r.URL.Scheme, "Host": r.URL.Host, "Uri": r.URL.RequestURI(), "Method": r.Method,
	} {
		out.Header.Set("X-Forwarded-"+name, value)
	}
	res, err := answerOf(r, out)
	if err != nil || res.StatusCode != http.StatusOK {
		return res, err
	}
	told := map[string]string{}
	for _, name := range forward.Headers {
		told[name] = res.Header.Get(name)
	}
	text, err := json.Marshal(told)
	res.Body.Close() //nolint:errcheck // it is empty
	res.Body, res.ContentLength = io.NopCloser(strings.NewReader(string(text))), int64(len(text))
	return res, err
}

// answerOf answers r by what is sent in its place.
func answerOf(r, sent *http.Request) (*http.Response, error) {
	res, err := http.DefaultTransport.RoundTrip(sent)
	if err == nil {
		res.Request = r
	}
	return res, err
}

// browserBy is a browser that comes by way of a proxy.
func browserBy(t testing.TB, proxy http.RoundTripper) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{
		Jar: jar, Timeout: 30 * time.Second, Transport: proxy,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// told is what an application was told on a page, nil if the browser did not get there.
func told(page *servertest.Page) map[string]string {
	var out map[string]string
	if page.Response.StatusCode != http.StatusOK || json.Unmarshal([]byte(page.Body), &out) != nil {
		return nil
	}
	return out
}
