package servertest_test

import (
	"bytes"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"authy/server/config"
	"authy/server/servertest"
	"authy/storage/storagetest"
)

// logbook keeps what is logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// listen logs everything into a logbook until the test ends. The logger is the
// process's, so such a test does not run beside others.
func listen(t *testing.T) *logbook {
	t.Helper()
	book, before := new(logbook), slog.Default()
	slog.SetDefault(slog.New(slog.NewJSONHandler(book, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
	return book
}

// liveThrough does all that there is to do once and returns the secrets that
// were used.
func liveThrough(t *testing.T, s *servertest.Server) map[string]string {
	t.Helper()
	secrets := map[string]string{
		"password": bobPass, "another password": passphrase, "wrong password": "a wrong secret", "client secret": "acme_secret_portal_2024",
		"the secret key": string(storagetest.Secret),
	}
	link, err := s.Accounts.NewSetupLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	secrets["setup link"] = link
	root := newVisitor(t, s)
	root.leads(root.post("/setup", "token", link, "email", "root@example.com", "full_name", "Root",
		"password", passphrase, "password_confirm", passphrase), "/setup/next")
	secrets["administrator's cookie"] = root.cookie("authy_session")

	v := newVisitor(t, s)
	p := newPortal(t, s, "acme-portal-001", "acme_secret_portal_2024", callback)
	a := newAttempt()
	v.post("/sign-in", "email", bob, "password", "a wrong secret")
	page, _ := s.Visit(t, v.browser, p.url(a), bob, bobPass)
	secrets["verifier"], secrets["code"] = a.verifier, page.Location().Query().Get("code")
	secrets["session cookie"], secrets["browser cookie"] = v.cookie("authy_session"), v.cookie("authy_browser")
	token, _ := p.exchange(t, s, a, page.Location())
	fresh := refresh(t, p, token)
	secrets["access token"], secrets["refresh token"] = token.AccessToken, token.RefreshToken
	secrets["new access token"], secrets["new refresh token"] = fresh.AccessToken, fresh.RefreshToken
	id, _ := token.Extra("id_token").(string)
	secrets["ID token"] = id
	if _, err := p.config.Exchange(t.Context(), secrets["code"]); err == nil {
		t.Error("a code was redeemed twice")
	}
	servertest.Get(t, v.browser, s.URL+"/oidc/end_session?"+url.Values{"id_token_hint": {id}}.Encode())

	c := logIn(t, s, bob, bobPass)
	secrets["API token"] = c.token
	c.call("POST", "/api/v1/auth/login", object{"email": bob, "password": "a wrong secret"})
	c.call("POST", "/api/v1/auth/login", `{"email":"`+bob+`","password":"a wrong secret","x":1}`)
	c.call("POST", "/api/v1/auth/login", `{"email":"`+bob+`","password":"a wrong secret"`)
	c.call("GET", "/api/v1/auth/login?password="+url.QueryEscape("a wrong secret"), nil)
	api, _ := c.makeToken(tokensPath, "profile:read")
	api.call("GET", mePath, nil).succeeded(200, "User profile retrieved successfully")
	api.call("GET", mePath+"/tokens", nil).failed(403, "AUTHORIZATION_ERROR", "")
	secrets["long-lived API token"], secrets["end of that"] = api.token, api.token[10:]
	c.call("POST", "/api/v1/auth/logout", nil)
	carols := enrolled(t, logIn(t, s, carol, bobPass))
	secrets["authenticator"], secrets["recovery code"] = base32.StdEncoding.EncodeToString(carols.secret), carols.recovery[0]
	o := c.call("POST", "/api/v1/auth/login", object{"email": carol, "password": bobPass})
	secrets["pending token"] = o.text("pending_token")
	verify(t, s, secrets["pending token"], carols.recovery[0], "is_backup_code", true).succeeded(200, "TOTP verification successful")
	secrets["provider's secret"], secrets["provider's new secret"] = letters(30), letters(30)
	keepProvider(t, s, secrets)
	for name, secret := range secrets {
		if len(secret) < 8 {
			t.Fatalf("the %s is %q", name, secret)
		}
	}
	return secrets
}

// keepProvider adds, changes and tries an identity provider.
func keepProvider(t *testing.T, s *servertest.Server, secrets map[string]string) {
	t.Helper()
	c := logIn(t, s, "root@example.com", passphrase)
	c.call("POST", providersPath, object{
		"kind": "oidc", "slug": "kept", "name": "Kept", "issuer": "https://127.0.0.1:1", "client_id": "authy",
		"client_secret": secrets["provider's secret"],
	}).succeeded(201, "Provider created successfully")
	c.call("PATCH", providersPath+"/kept", object{"issuer": "https://127.0.0.1:2"}).failed(400, "VALIDATION_ERROR", "")
	c.call("PATCH", providersPath+"/kept", object{"client_secret": secrets["provider's new secret"]}).
		succeeded(200, "Provider updated successfully")
	c.call("POST", providersPath+"/kept/test", nil).succeeded(200, "Provider tested successfully")
	c.call("POST", providersPath, `{"kind":"oidc","client_secret":"`+secrets["provider's secret"]+`"`).failed(400, "BAD_REQUEST", "")
}

// nowhere wants no secret in a text.
func nowhere(t *testing.T, where, text string, secrets map[string]string) {
	t.Helper()
	for name, secret := range secrets {
		for _, form := range []string{secret, url.QueryEscape(secret)} {
			if at := strings.Index(text, form); at >= 0 {
				t.Errorf("%s holds the %s after %q", where, name, text[max(0, at-60):at])
			}
		}
		// The signature alone is as good as the whole to whoever sees the rest.
		if parts := strings.Split(secret, "."); len(parts) == 3 && strings.Contains(text, parts[2]) {
			t.Errorf("%s holds the signature of the %s", where, name)
		}
	}
}

func TestNoSecretIsLoggedRecordedOrKept(t *testing.T) {
	book := listen(t)
	for _, engine := range storagetest.Engines {
		t.Run(engine, func(t *testing.T) {
			s := servertest.Start(t, servertest.Options{DatabaseURL: storagetest.Migrated(t, engine)})
			secrets := liveThrough(t, s)
			text := book.String()
			if !strings.Contains(text, `"path":"/oidc/token"`) || !strings.Contains(text, `"path":"/sign-in"`) {
				t.Fatalf("the log was not heard: %.500s", text)
			}
			nowhere(t, "the log", text, secrets)
			events, err := s.DB.Events(t.Context(), 10_000)
			if err != nil || len(events) < 20 {
				t.Fatalf("%d events, %v", len(events), err)
			}
			for _, e := range events {
				nowhere(t, "the audit log", fmt.Sprintf("%+v", e), secrets)
			}
			if engine == "sqlite" {
				inFiles(t, s, secrets)
			}
		})
	}
}

// inFiles looks for secrets in the files of an SQLite database.
func inFiles(t *testing.T, s *servertest.Server, secrets map[string]string) {
	t.Helper()
	at, err := url.Parse(s.Config.DatabaseURL())
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(at.Path + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("files %v, %v, want the database and its log", files, err)
	}
	found := false
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(text, []byte(bob))
		nowhere(t, filepath.Base(file), string(text), secrets)
	}
	if !found {
		t.Error("not even bob's address is in the files: they are not the right ones")
	}
}

func TestTheLogCannotBeForged(t *testing.T) {
	book := listen(t)
	s := servertest.New(t)
	for _, odd := range []string{"a\r\nb", "\x1b[31mred\x1b[0m", `"}{"level":"ERROR"`, "%n%s%d", strings.Repeat("x", 8_000), "\u2028"} {
		q := url.QueryEscape(odd)
		surface(t, s, "GET", "/"+url.PathEscape(odd), "", "")
		surface(t, s, "GET", "/oidc/authorize?client_id="+q+"&redirect_uri="+q, "", "")
		surface(t, s, "POST", "/sign-in", "application/x-www-form-urlencoded", "password=x&email="+q)
		surface(t, s, "GET", "/api/v1/nothing?"+q, "", "", "X-Request-ID", url.PathEscape(odd), "User-Agent", url.PathEscape(odd))
	}
	lines := strings.Split(strings.TrimSpace(book.String()), "\n")
	requests := 0
	for _, text := range lines {
		var entry map[string]any
		if err := json.Unmarshal([]byte(text), &entry); err != nil {
			t.Errorf("%.200q is no JSON: %v", text, err)
		}
		if len(text) > 1000 || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("a line of %d bytes: %.200q", len(text), text)
		}
		// Answers are held against the document, which is read once.
		if entry["msg"] == "request" && entry["path"] != "/api/openapi.json" {
			requests++
		}
	}
	if requests != 6*4 {
		t.Errorf("%d lines for 24 requests", requests)
	}
}

func TestTheLogTellsWhatARequestCameTo(t *testing.T) {
	book := listen(t)
	s := servertest.Start(t, servertest.Options{Configure: func(c *config.Config) { c.Log.Level = "debug" }})
	surface(t, s, "GET", "/api/v1/auth/me?secret=in-the-query", "", "", "X-Request-ID", "request-for-log")
	for text := range strings.Lines(book.String()) {
		var entry struct {
			Level, Msg, Method, Path, IP string
			Status                       int
			RequestID                    string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(text), &entry); err != nil {
			t.Fatal(err)
		}
		if entry.RequestID != "request-for-log" {
			continue
		}
		if entry.Msg != "request" || entry.Level != "INFO" || entry.Method != "GET" || entry.Path != "/api/v1/auth/me" ||
			entry.IP != "127.0.0.1" || entry.Status != 401 || strings.Contains(text, "in-the-query") {
			t.Errorf("%s", text)
		}
		return
	}
	t.Errorf("no line for the request in %s", book)
}
