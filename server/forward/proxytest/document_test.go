package proxytest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/config"
	"authy/server/forward"
	"authy/server/servertest"
)

// document is what is tested, word by word.
const document = "../../../docs/forward-auth.md"

// snippet returns the first block of code of the document in a language, after a headline.
func snippet(t *testing.T, headline, language string) string {
	t.Helper()
	return snippetOf(t, document, headline, language)
}

func snippetOf(t *testing.T, document, headline, language string) string {
	t.Helper()
	text, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+headline+"\n")
	_, rest, begun := strings.Cut(rest, "\n```"+language+"\n")
	code, _, ended := strings.Cut(rest, "\n```\n")
	if !found || !begun || !ended {
		t.Fatalf("%s has no block %s below %q", document, language, headline)
	}
	return code + "\n"
}

// replaced is a snippet with what differs here, each of which must be there.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the snippet has no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// documented starts an authy with the rules of the document, and those of hosts elsewhere.
func documented(t *testing.T) *servertest.Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "authy.toml")
	if err := os.WriteFile(file, []byte(snippet(t, "Rules", "toml")), 0o600); err != nil {
		t.Fatal(err)
	}
	rules, _, err := config.Load(file, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return servertest.Start(t, servertest.Options{Configure: func(c *config.Config) {
		c.PublicURL, c.TrustedProxies = rules.PublicURL, rules.TrustedProxies
		c.ForwardAuth = slices.Concat(rules.ForwardAuth, elsewhere)
	}})
}

// application answers with the headers that reach it, whatever their spelling.
func application(t *testing.T) (listen string) {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := map[string]string{"Method": r.Method, "URI": r.RequestURI, "Host": r.Host}
		for name, values := range r.Header {
			if strings.HasPrefix(strings.ToLower(name), "remote") || name == "Upgrade" {
				got[name] = strings.Join(values, "|")
			}
		}
		json.NewEncoder(w).Encode(got) //nolint:errcheck // a test's browser is there
	}))
	t.Cleanup(app.Close)
	return app.Listener.Addr().String()
}

// needs skips a test whose program is not installed, unless AUTHY_TEST_REQUIRE names it.
func needs(t *testing.T, program, word string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err == nil {
		return path
	}
	if slices.Contains(strings.Split(os.Getenv("AUTHY_TEST_REQUIRE"), ","), word) {
		t.Fatalf("%s is required by AUTHY_TEST_REQUIRE: %v", program, err)
	}
	t.Skipf("%s is not installed: %v", program, err)
	return ""
}

// starts runs a proxy until the test ends, from when it listens.
func starts(t *testing.T, listen, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // it was killed
		if t.Failed() {
			t.Logf("%s: %s", program, said.String())
		}
	})
	for range 400 {
		if conn, err := net.DialTimeout("tcp", listen, time.Second); err == nil {
			conn.Close() //nolint:errcheck // only a look
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("%s does not listen on %s", program, listen)
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // it is free again
	return l.Addr().String()
}

// certificate writes one for every host of the document, and returns its files.
func certificate(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, DNSNames: []string{"*.example.com"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// through is a browser for which every host is at one address, as a browser asks for pages.
type through struct{ *http.Transport }

func viaTLS(listen string) http.RoundTripper {
	return through{&http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, listen)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // the test's own certificate
	}}
}

// RoundTrip implements [http.RoundTripper].
func (th through) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Accept") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	}
	return th.Transport.RoundTrip(r)
}

var spoofed = []string{"Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "Remote-JWT", "remote_user", "Remote_Groups", "Remote.User", "REMOTE.GROUPS", "remote.jwt"}

// fetch asks for an address with what an attacker adds.
func fetch(t *testing.T, browser *http.Client, method, address string, headers ...string) *servertest.Page {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range spoofed {
		req.Header[name] = []string{"root@evil.example"}
	}
	for name, value := range map[string]string{
		"X-Forwarded-Host": "app.example.com", "X-Forwarded-Uri": "/public", "X-Forwarded-Method": "GET", "X-Forwarded-Proto": "https",
		"X-Original-Url": "https://app.example.com/public", "X-Original-Method": "GET", "X-Forwarded-For": "127.0.0.1",
	} {
		req.Header.Set(name, value)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	return servertest.Do(t, browser, req)
}

var evil = regexp.MustCompile(`evil\.example`)

// holds checks what each proxy must do as the document sets it up.
func holds(t *testing.T, s *servertest.Server, listen string) {
	t.Helper()
	proxy := viaTLS(listen)
	browser := browserBy(t, proxy)
	// Nobody is signed in: everyone may see the public part, and nothing else.
	if page := fetch(t, browser, "GET", openApp+"/public/x?a=b"); told(page)["URI"] != "/public/x?a=b" || evil.MatchString(page.Body) {
		t.Errorf("the public part is %d %s", page.Response.StatusCode, page.Body)
	}
	for _, path := range []string{"/", "/admin", "/public/../admin", "/public/%2e%2e/admin", "/public%2f..%2fadmin", "//admin", "/public/..;/admin", "/PUBLIC"} {
		if page := fetch(t, browser, "GET", openApp+path); told(page) != nil {
			t.Errorf("a stranger gets to %s: %s", path, page.Body)
		}
	}
	for what, page := range map[string]*servertest.Page{
		"a form":   fetch(t, browser, "POST", openApp+"/"),
		"a script": fetch(t, browser, "GET", openApp+"/", "X-Requested-With", "XMLHttpRequest"),
		"a tool":   fetch(t, browser, "GET", openApp+"/", "Accept", "*/*"),
	} {
		if page.Response.StatusCode != http.StatusUnauthorized || page.Location() != nil {
			t.Errorf("%s is answered %d to %v", what, page.Response.StatusCode, page.Location())
		}
	}
	for _, path := range []string{
		forward.CheckPath, forward.NginxPath, forward.EnvoyPath + "/",
		"/%66orward-auth", "/forward-auth/%6eginx", "/forward-auth%2fnginx", "/forward-auth/%65nvoy/", "/forward-auth%2Fenvoy/public", "//forward-auth",
	} {
		if page := fetch(t, browser, "GET", home+path); page.Response.StatusCode != http.StatusNotFound {
			t.Errorf("%s is open to everyone: %d", path, page.Response.StatusCode)
		}
	}
	// Bob signs in, and the application is told so, whatever he says himself.
	if got := enters(t, s, browser, openApp+"/page?a=1&b=%2F&c=%26", bob); got["URI"] != "/page?a=1&b=%2F&c=%26" || got["Remote-User"] != bob {
		t.Fatalf("the application gets %v", got)
	}
	page := fetch(t, browser, "POST", openApp+"/form")
	got := told(page)
	if got["Method"] != "POST" || got["Remote-User"] != bob || got["Remote-Email"] != bob || got["Remote-Name"] != "Bob Builder" ||
		got["Remote-Groups"] != "acme-corp,acme-corp:member" || evil.MatchString(page.Body) {
		t.Errorf("a form arrives as %s", page.Body)
	}
	if claims := checkForwardToken(t, s, got["Remote-Jwt"]); claims["aud"] != openApp {
		t.Errorf("the token says %v", claims)
	}
	// Nothing of that is taken away by naming it as what one proxy alone is told.
	for _, also := range []string{"", "Upgrade, "} {
		page := fetch(t, browser, "GET", openApp+"/page", "Connection", also+"Remote-User, Remote-Email, Remote-Name, Remote-Groups, Remote-JWT")
		if got := told(page); got["Remote-User"] != bob || got["Remote-Groups"] != "acme-corp,acme-corp:member" || got["Remote-Jwt"] == "" {
			t.Errorf("with a Connection %q it arrives as %d %s", also, page.Response.StatusCode, page.Body)
		}
	}
	for _, path := range []string{"/public/../admin", "/public/%2e%2e/admin", "//admin", "/Admin"} {
		if page := fetch(t, browser, "GET", openApp+path); told(page) != nil {
			t.Errorf("bob gets to %s: %s", path, page.Body)
		}
	}
	// Who is in many organizations is told so.
	for i := range 25 {
		joins(t, s, bob, fmt.Sprintf("z%02d-%s", i, strings.Repeat("q", 59)))
	}
	page = fetch(t, browser, "GET", openApp+"/page")
	if groups := told(page)["Remote-Groups"]; strings.Count(groups, ",") != 51 {
		t.Errorf("with many organizations: %d, %q", page.Response.StatusCode, groups)
	}
	// Signed out, he is out.
	to := servertest.Get(t, browser, openApp+forward.SignOutPath).Location()
	if to == nil || to.String() != home+"/oidc/end_session" {
		t.Fatalf("signing out leads to %v", to)
	}
	form := servertest.Get(t, browser, to.String()).Hidden()
	form.Set("confirm", "yes")
	servertest.Post(t, browser, to.String(), form)
	if page := fetch(t, browser, "GET", openApp+"/page"); told(page) != nil || page.Location() == nil {
		t.Errorf("after the sign-out: %d %s", page.Response.StatusCode, page.Body)
	}
	// Who is let in nowhere is told why.
	other := browserBy(t, proxy)
	begin := servertest.Get(t, other, openApp+"/").Location()
	refusal, _ := s.Visit(t, other, begin.String(), "frank@tech-startup.com", bobPass)
	if refusal.Response.StatusCode != http.StatusForbidden || !strings.Contains(refusal.Body, "frank@tech-startup.com") ||
		!strings.Contains(refusal.Body, "not among those that are let in") {
		t.Errorf("a stranger to the organization sees %d %s", refusal.Response.StatusCode, refusal.Body)
	}
}

func TestNginxAsInTheDocument(t *testing.T) {
	t.Parallel()
	s := documented(t)
	listen := startsNginx(t, s)
	keepsToItsHost(t, listen)
	holds(t, s, listen)
}

// startsNginx starts the nginx of the document, with more that differs, in front of s.
func startsNginx(t *testing.T, s *servertest.Server, pairs ...string) (listen string) {
	t.Helper()
	listen = freePort(t)
	cert, key := certificate(t, t.TempDir())
	servers := replaced(t, snippet(t, "nginx", "nginx"), slices.Concat(pairs, []string{
		"listen 443 ssl", "listen " + listen + " ssl",
		"/etc/ssl/example.com.pem", cert, "/etc/ssl/example.com.key", key,
		"127.0.0.1:5000", s.Config.Listen, "127.0.0.1:8080", application(t),
	})...)
	runsNginx(t, listen, servers)
	return listen
}

// runsNginx starts an nginx with servers, one of which listens.
func runsNginx(t *testing.T, listen, servers string) {
	t.Helper()
	program, dir := needs(t, "nginx", "nginx"), t.TempDir()
	conf := "daemon off;\nmaster_process off;\npid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf += kind + "_temp_path " + dir + "/" + kind + ";\n"
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf+servers+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	starts(t, listen, program, "-p", dir, "-e", "stderr", "-c", file)
}

func TestCaddyAsInTheDocument(t *testing.T) {
	t.Parallel()
	s, listen := documented(t), freePort(t)
	runsCaddy(t, listen, replaced(t, snippet(t, "Caddy", "caddyfile"),
		"127.0.0.1:5000", s.Config.Listen, "127.0.0.1:8080", application(t)))
	keepsToItsHost(t, listen)
	// A WebSocket goes on.
	_, body := sends(t, listen, "GET /public HTTP/1.1\nHost: app.example.com\nUpgrade: websocket\nConnection: Remote-User,Upgrade\nConnection: remote-jwt")
	if !strings.Contains(body, `"Upgrade":"websocket"`) || !strings.Contains(body, `"Remote-User":""`) || !strings.Contains(body, `"Remote-Jwt":""`) {
		t.Errorf("a WebSocket arrives as %s", body)
	}
	holds(t, s, listen)
}

// runsCaddy starts a Caddy with sites, which have a certificate of the test's.
func runsCaddy(t *testing.T, listen, sites string) {
	t.Helper()
	program, dir := needs(t, "caddy", "caddy"), t.TempDir()
	cert, key := certificate(t, dir)
	_, port, _ := net.SplitHostPort(listen)
	sites = replaced(t, sites, ".example.com {\n", ".example.com {\n\ttls "+cert+" "+key+"\n\tbind 127.0.0.1\n")
	file := filepath.Join(dir, "Caddyfile")
	options := "{\n\tadmin off\n\tauto_https disable_redirects\n\thttps_port " + port + "\n}\n"
	if err := os.WriteFile(file, []byte(options+sites), 0o600); err != nil {
		t.Fatal(err)
	}
	starts(t, listen, program, "run", "--config", file, "--adapter", "caddyfile")
}

func TestTraefikAsInTheDocument(t *testing.T) {
	t.Parallel()
	program := needs(t, "traefik", "traefik") // Debian has none
	s, dir, listen := documented(t), t.TempDir(), freePort(t)
	cert, key := certificate(t, dir)
	dynamic := replaced(t, snippet(t, "Traefik", "yaml"), "127.0.0.1:5000", s.Config.Listen, "127.0.0.1:8080", application(t)) +
		"tls: { stores: { default: { defaultCertificate: { certFile: " + cert + ", keyFile: " + key + " } } } }\n"
	file := filepath.Join(dir, "dynamic.yaml")
	if err := os.WriteFile(file, []byte(dynamic), 0o600); err != nil {
		t.Fatal(err)
	}
	starts(t, listen, program, "--entryPoints.websecure.address="+listen, "--providers.file.filename="+file,
		"--global.checkNewVersion=false", "--global.sendAnonymousUsage=false")
	// It listens before it has read the file.
	for range 400 {
		if status, _ := sends(t, listen, "GET /public HTTP/1.1\nHost: app.example.com\nConnection: close"); status == http.StatusOK {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	keepsToItsHost(t, listen, "another port", "another port before")
	holds(t, s, listen)
	// Without authy nothing passes, not even what everyone may see.
	s.Stop()
	if page := fetch(t, browserBy(t, viaTLS(listen)), "GET", openApp+"/public/x"); page.Response.StatusCode != http.StatusInternalServerError {
		t.Errorf("without authy it is %d %s", page.Response.StatusCode, page.Body)
	}
}

func TestEnvoyAsInTheDocument(t *testing.T) {
	t.Parallel()
	program := needs(t, "envoy", "envoy") // Debian has none
	s, dir, listen := documented(t), t.TempDir(), freePort(t)
	cert, key := certificate(t, dir)
	ports := make(map[string]string)
	for what, address := range map[string]string{"proxy": listen, "authy": s.Config.Listen, "app": application(t)} {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatal(err)
		}
		ports[what] = port
	}
	whole := replaced(t, snippet(t, "Envoy", "yaml"), "address: 0.0.0.0, port_value: 443", "address: 127.0.0.1, port_value: "+ports["proxy"],
		"/etc/ssl/example.com.pem", cert, "/etc/ssl/example.com.key", key,
		"http://127.0.0.1:5000", "http://"+s.Config.Listen, "port_value: 5000", "port_value: "+ports["authy"], "port_value: 8080", "port_value: "+ports["app"])
	file := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(file, []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	starts(t, listen, program, "--config-path", file, "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning")
	keepsToItsHost(t, listen)
	holds(t, s, listen)
	// Without authy nothing passes, not even what everyone may see.
	s.Stop()
	if page := fetch(t, browserBy(t, viaTLS(listen)), "GET", openApp+"/public/x"); page.Response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without authy it is %d %s", page.Response.StatusCode, page.Body)
	}
}

func TestHAProxyAsInTheDocument(t *testing.T) {
	t.Parallel()
	s := documented(t)
	listen := startsHAProxy(t, s.Config.Listen)
	keepsToItsHost(t, listen)
	// With the port that https has anyhow it is the same host.
	if status, body := sends(t, listen, "GET /public HTTP/1.1\nHost: app.example.com:443\nConnection: close"); status != http.StatusOK {
		t.Errorf("with the usual port it is %d %s", status, body)
	}
	holds(t, s, listen)
	// Without authy nothing passes, not even what everyone may see.
	s.Stop()
	if page := fetch(t, browserBy(t, viaTLS(listen)), "GET", openApp+"/public/x"); page.Response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("without authy it is %d %s", page.Response.StatusCode, page.Body)
	}
}

// startsHAProxy starts the HAProxy of the document in front of an authy.
func startsHAProxy(t *testing.T, authy string) (listen string) {
	t.Helper()
	dir, listen := t.TempDir(), freePort(t)
	script := filepath.Join(dir, "authy.lua")
	lua := replaced(t, snippet(t, "HAProxy", "lua"), "127.0.0.1:5000", authy)
	if err := os.WriteFile(script, []byte(lua), 0o600); err != nil {
		t.Fatal(err)
	}
	runsHAProxy(t, listen, replaced(t, snippet(t, "HAProxy", "haproxy"), "/etc/haproxy/authy.lua", script,
		"127.0.0.1:5000", authy, "127.0.0.1:8080", application(t)))
	return listen
}

// runsHAProxy starts an HAProxy by a file whose certificate is the test's.
func runsHAProxy(t *testing.T, listen, text string) {
	t.Helper()
	program, dir := needs(t, "haproxy", "haproxy"), t.TempDir()
	cert, key := certificate(t, dir)
	both := filepath.Join(dir, "both.pem")
	var pair []byte
	for _, file := range []string{cert, key} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pair = append(pair, text...)
	}
	file := filepath.Join(dir, "haproxy.cfg")
	for path, text := range map[string]string{
		both: string(pair),
		file: replaced(t, text, "bind :443 ssl crt /etc/ssl/example.com.both.pem", "bind "+listen+" ssl crt "+both),
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	starts(t, listen, program, "-db", "-f", file)
}
