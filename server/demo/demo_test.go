package demo_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"authy/server/demo"
)

// browser is a person at the application.
type browser struct {
	t      *testing.T
	url    string // of the application
	client *http.Client
}

// page is what the browser ended on.
type page struct {
	status int
	url    *url.URL
	header http.Header
	body   string
}

// open starts the application as a client of the stub, and a browser.
func open(t *testing.T, p *stub, change ...func(c *demo.Config)) *browser {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	address := "http://" + server.Listener.Addr().String()
	config := demo.Config{
		Issuer: p.url, ClientID: clientID, ClientSecret: clientSecret,
		RedirectURL: address + "/auth/callback",
	}
	for _, c := range change {
		c(&config)
	}
	app, err := demo.New(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = app.Handler()
	server.Start()
	t.Cleanup(server.Close)
	return newBrowser(t, address)
}

func newBrowser(t *testing.T, address string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t: t, url: address, client: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

func (b *browser) get(path string) page { return b.send(http.MethodGet, path) }

func (b *browser) post(path string) page { return b.send(http.MethodPost, path) }

func (b *browser) send(method, path string) page {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Request.URL, resp.Header, string(body)}
}

// stay makes the browser follow no redirect, and returns it.
func (b *browser) stay() *browser {
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}
	return b
}

// roam makes the browser follow redirects again.
func (b *browser) roam() { b.client.CheckRedirect = nil }

// forget drops the named cookie.
func (b *browser) forget(name string) {
	b.t.Helper()
	u, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Path: "/", MaxAge: -1}})
}

// cookie returns the value of the named cookie.
func (b *browser) cookie(name string) string {
	b.t.Helper()
	u, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// shows checks that the page has the status and contains the texts.
func (p page) shows(t *testing.T, status int, texts ...string) {
	t.Helper()
	if p.status != status {
		t.Errorf("status = %d, want %d", p.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(p.body, text) {
			t.Errorf("the page does not contain %q:\n%s", text, p.body)
		}
	}
}

func TestAnIssuerThatIsDownIsAClearError(t *testing.T) {
	t.Parallel()
	down := httptest.NewServer(nil)
	down.Close()
	_, err := demo.New(t.Context(), demo.Config{
		Issuer: down.URL, ClientID: clientID, RedirectURL: "http://localhost:3000/auth/callback",
	})
	want := "no provider answers at " + down.URL + ": start `authy serve` first"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("New() error = %v, want one that begins with %q", err, want)
	}
}

func TestAnIssuerByAnotherNameIsNamed(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	p.announce = func(document map[string]any) { document["issuer"] = "https://id.example.com" }
	_, err := demo.New(t.Context(), demo.Config{
		Issuer: p.url, ClientID: clientID, RedirectURL: "http://localhost:3000/auth/callback",
	})
	if err == nil || !strings.Contains(err.Error(), "calls itself https://id.example.com") {
		t.Errorf("New() error = %v, want one that says what the issuer calls itself", err)
	}
}

func TestAConfigurationThatCannotWorkIsRefused(t *testing.T) {
	t.Parallel()
	const redirect = "http://localhost:3000/auth/callback"
	p := newStub(t)
	for _, test := range []struct {
		name   string
		config demo.Config
		want   string
	}{
		{"no client", demo.Config{RedirectURL: redirect}, "ID of its client"},
		{"no redirect URL", demo.Config{ClientID: clientID}, "write it as"},
		{"no host", demo.Config{ClientID: clientID, RedirectURL: "http:///x"}, "write it as"},
		{"not a URL", demo.Config{ClientID: clientID, RedirectURL: "http://%"}, "read the redirect URL"},
		{
			"a taken path",
			demo.Config{ClientID: clientID, RedirectURL: "http://localhost:3000/sign-in"},
			"another path",
		},
		{
			"a pattern",
			demo.Config{ClientID: clientID, RedirectURL: "http://localhost:3000/{x}"},
			"another path",
		},
		{
			"no openid",
			demo.Config{ClientID: clientID, RedirectURL: redirect, Scopes: []string{"email"}},
			"without openid",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.config.Issuer = p.url
			_, err := demo.New(t.Context(), test.config)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("New(%+v) error = %v, want one with %q", test.config, err, test.want)
			}
		})
	}
}

func TestPagesAreLockedDown(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	b := open(t, p)
	home := b.get("/")
	home.shows(t, http.StatusOK, `<a class="button" id="sign-in" href="/sign-in">`)
	policy := home.header.Get("Content-Security-Policy")
	want := "default-src 'none'; style-src 'self'; form-action 'self' " + p.url +
		"; base-uri 'none'; frame-ancestors 'none'"
	if policy != want {
		t.Errorf("Content-Security-Policy = %q, want %q", policy, want)
	}
	for _, inline := range []string{"<script", "<style", " style=", " onclick="} {
		if strings.Contains(home.body, inline) {
			t.Errorf("the page contains %q, which its policy forbids", inline)
		}
	}
	css := b.get("/demo.css")
	css.shows(t, http.StatusOK, "prefers-color-scheme: dark")
	if got := css.header.Get("Content-Type"); !strings.HasPrefix(got, "text/css") {
		t.Errorf("Content-Type of the style sheet = %q, want text/css", got)
	}
	b.get("/nothing").shows(t, http.StatusNotFound)
}

func TestAFormOnAnotherSiteDoesNothing(t *testing.T) {
	t.Parallel()
	b := open(t, newStub(t))
	b.get("/sign-in")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/sign-out", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "same-site") // another port of localhost
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("status = %d, want %d", resp.StatusCode, http.StatusForbidden)
	}
	b.get("/").shows(t, http.StatusOK, `id="name"`)
}

func TestRunServesUntilItIsStopped(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	address := freeAddress(t)
	app, err := demo.New(t.Context(), demo.Config{
		Issuer: p.url, ClientID: clientID, RedirectURL: "http://" + address + "/auth/callback",
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- app.Run(ctx) }()
	awaitListener(t, address)
	newBrowser(t, "http://"+address).get("/").shows(t, http.StatusOK, `id="sign-in"`)
	stop()
	if err := <-done; err != nil {
		t.Errorf("Run() = %v, want nil after it was stopped", err)
	}
}

func TestRunSaysWhyItCannotServe(t *testing.T) {
	t.Parallel()
	p := newStub(t)
	for _, test := range []struct{ url, want string }{
		{p.url + "/auth/callback", "start the demo application: "},
		{"https://app.example.com/auth/callback", "speaks http only"},
	} {
		app, err := demo.New(t.Context(), demo.Config{
			Issuer: p.url, ClientID: clientID, RedirectURL: test.url,
		})
		if err != nil {
			t.Fatal(err)
		}
		err = app.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Run() at %s = %v, want an error with %q", test.url, err, test.want)
		}
	}
}

// freeAddress returns an address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func awaitListener(t *testing.T, address string) {
	t.Helper()
	for range 500 {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			defer conn.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("nobody listens on %s", address)
}
