package faultbench

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"authy/storage/storagetest"
)

// every setting that is a span of time is set to seconds and waited for: what it bounds is
// good until then and over within two seconds more.
func TestR29EverySpanOfTimeElapses(t *testing.T) {
	t.Parallel()
	engines := storagetest.Engines[:1]
	if long {
		engines = storagetest.Engines
	}
	for _, engine := range engines {
		t.Run(engine, func(t *testing.T) {
			t.Parallel()
			p := start(t, setup{engine: engine, set: map[string]string{
				"session.lifetime": "4s", "session.remember_lifetime": "6s", "openid.code_lifetime": "4s",
				"openid.refresh_grace": "3s", "openid.max_grant_lifetime": "8s", "mail.timeout": "3s",
				"mail.from": "authy@bench.example", "mail.host": "127.0.0.1", "mail.tls": "none",
				"mail.port": silentPort(t),
			}})
			idle := newBench(t, start(t, setup{engine: engine, set: map[string]string{
				"session.idle": "5s", "server.shutdown_grace": "4s",
			}}))
			b := newBench(t, p)
			t.Run("spans", func(t *testing.T) {
				for key, elapses := range spans {
					t.Run(key, func(t *testing.T) {
						t.Parallel()
						b := b
						if key == "session.idle" {
							b = idle
						}
						elapses(t, b)
					})
				}
			})
			stopElapses(t, idle)
		})
	}
}

// spans are the settings, each with what waits for it; server.shutdown_grace comes last, see
// [stopElapses].
var spans = map[string]func(t *testing.T, b *bench){
	"session.lifetime": func(t *testing.T, b *bench) {
		sessionElapses(t, b, 4*time.Second, false, 100*time.Millisecond)
	},
	"session.remember_lifetime": func(t *testing.T, b *bench) {
		sessionElapses(t, b, 6*time.Second, true, 100*time.Millisecond)
	},
	"session.idle":              func(t *testing.T, b *bench) { idleElapses(t, b, 5*time.Second) },
	"openid.code_lifetime":      func(t *testing.T, b *bench) { codeElapses(t, b, 4*time.Second) },
	"openid.refresh_grace":      func(t *testing.T, b *bench) { graceElapses(t, b, 3*time.Second) },
	"openid.max_grant_lifetime": func(t *testing.T, b *bench) { grantElapses(t, b, 8*time.Second) },
	"mail.timeout":              func(t *testing.T, b *bench) { mailElapses(t, b, 3*time.Second) },
}

// spanned is how the settings are called that R-29 is about.
var spanned = regexp.MustCompile(`(ttl|timeout|lifetime|window|grace|idle)$`)

// A setting that is new needs a test that waits for it.
func TestR29EverySpanOfTimeIsWaitedFor(t *testing.T) {
	t.Parallel()
	p := prepare(t, setup{engine: "sqlite"})
	var settings []struct {
		Key string `json:"key"`
	}
	if err := json.Unmarshal([]byte(p.run("", "config", "show", "--json")), &settings); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, s := range settings {
		if !spanned.MatchString(s.Key) {
			continue
		}
		found++
		if spans[s.Key] == nil && s.Key != "server.shutdown_grace" {
			t.Errorf("nothing in r29_timeout_test.go waits for %s to elapse", s.Key)
		}
	}
	if found <= len(spans) {
		t.Errorf("%d settings are spans of time, and %d are known", found, len(spans)+1)
	}
}

// elapses asks over and over until it is refused, and wants that to be when limit has passed since
// begin. The server counts in whole seconds here and there.
func elapses(t *testing.T, begin time.Time, limit, every time.Duration, good func() bool) {
	t.Helper()
	for good() {
		if time.Since(begin) > limit+2*time.Second {
			t.Fatalf("it is good after %s, want %s", time.Since(begin), limit)
		}
		<-time.After(every)
	}
	if took := time.Since(begin); took < limit-time.Second {
		t.Errorf("it ended after %s, want %s", took, limit)
	}
}

// someone is a worker with a client and tokens, and does nothing by itself.
func (b *bench) someone(t *testing.T) *worker {
	t.Helper()
	w := b.worker(int(b.people.Add(1)))
	// The last session of the administrator may have ended.
	root, err := w.do(t.Context(), w.login(rootEmail, rootPassword))
	if err != nil {
		t.Fatal(err)
	}
	own := *b
	own.admin = root.text("token")
	w.bench = &own
	return w
}

func (w *worker) good(ctx context.Context, c call) bool {
	a, err := w.send(ctx, "", c)
	return err == nil && a.status < 400
}

func sessionElapses(t *testing.T, b *bench, limit time.Duration, remember bool, every time.Duration) {
	w := b.someone(t)
	if err := w.register(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := w.login(w.me.email, w.me.password)
	c.body = object{"email": w.me.email, "password": w.me.password, "remember_me": remember}
	begin := time.Now()
	a, err := w.do(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	me := call{method: "GET", path: api + "/auth/me", token: a.text("token")}
	elapses(t, begin, limit, every, func() bool { return w.good(t.Context(), me) })
}

func idleElapses(t *testing.T, b *bench, limit time.Duration) {
	w := b.someone(t)
	if err := w.register(t.Context()); err != nil {
		t.Fatal(err)
	}
	me := call{method: "GET", path: api + "/auth/me", token: w.me.token()}
	<-time.After(limit - time.Second)
	if !w.good(t.Context(), me) {
		t.Fatalf("it ended before %s", limit)
	}
	<-time.After(limit - time.Second)
	if !w.good(t.Context(), me) {
		t.Fatalf("it ended though it was used %s ago", limit-time.Second)
	}
	<-time.After(limit + 2*time.Second)
	if w.good(t.Context(), me) {
		t.Errorf("it is good after %s", limit+2*time.Second)
	}
}

// clientful is someone with a client.
func clientful(t *testing.T, b *bench) *worker {
	t.Helper()
	w := b.someone(t)
	for _, step := range []func(context.Context) error{w.register, w.build, w.registerClient} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func codeElapses(t *testing.T, b *bench, limit time.Duration) {
	w := clientful(t, b)
	early, err := w.consent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	late, err := w.consent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	<-time.After(limit - 2*time.Second)
	if !w.good(t.Context(), w.redeem(early)) {
		t.Errorf("a code is refused before %s", limit)
	}
	<-time.After(time.Until(begin.Add(limit + time.Second)))
	if w.good(t.Context(), w.redeem(late)) {
		t.Errorf("a code is redeemed after %s", time.Since(begin))
	}
}

func graceElapses(t *testing.T, b *bench, limit time.Duration) {
	w := clientful(t, b)
	if err := w.authorize(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	again := w.renew(w.me.refresh[0])
	elapses(t, begin, limit, 200*time.Millisecond, func() bool { return w.good(t.Context(), again) })
}

func grantElapses(t *testing.T, b *bench, limit time.Duration) {
	w := clientful(t, b)
	code, err := w.consent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	token, err := w.exchange(t.Context(), code)
	if err != nil {
		t.Fatal(err)
	}
	elapses(t, begin, limit, 200*time.Millisecond, func() bool {
		a, err := w.send(t.Context(), "", w.renew(token))
		if err != nil || a.status != 200 {
			return false
		}
		token = a.text("refresh_token")
		return token != ""
	})
}

// silentPort is one where a relay accepts connections and never says a word.
func silentPort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func mailElapses(t *testing.T, b *bench, limit time.Duration) {
	w := b.someone(t)
	begin := time.Now()
	a, err := w.send(t.Context(), "", call{
		method: "POST", path: api + "/admin/mail/test", token: w.admin, body: object{"to": "you@bench.example"},
	})
	took := time.Since(begin)
	if sent, _ := a.data["sent"].(bool); err != nil || sent {
		t.Errorf("a silent relay: %d %s, %v", a.status, a.body, err)
	}
	if took < limit || took > limit+2*time.Second {
		t.Errorf("the relay was given up after %s, want %s", took, limit)
	}
}

// stopElapses asks the server to stop while a request is half sent: it waits for it as long as
// server.shutdown_grace says.
func stopElapses(t *testing.T, b *bench) {
	const limit = 4 * time.Second
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", b.node.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it is cut from the other side
	_, err = fmt.Fprintf(conn, "POST %s/auth/login HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
		api, b.node.listen)
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(200 * time.Millisecond) // it has begun
	begin := time.Now()
	b.node.signal(syscall.SIGTERM)
	select {
	case <-b.node.ended:
	case <-time.After(limit + 10*time.Second):
		t.Fatalf("server.shutdown_grace is over and the server runs\n%s", b.node.log())
	}
	if took := time.Since(begin); took < limit-100*time.Millisecond || took > limit+2*time.Second {
		t.Errorf("the server stopped after %s, want %s\n%s", took, limit, strings.TrimSpace(b.node.log()))
	}
}
