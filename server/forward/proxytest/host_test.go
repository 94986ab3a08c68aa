package proxytest_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"authy/server/config"
)

// elsewhere are rules of hosts that are not behind the proxy of the document: everyone may see
// them, and what is behind it must not be had by their names.
var elsewhere = []*config.ForwardRule{
	{Hosts: config.Words{"wiki.example.com"}, Who: config.Words{"public"}},
	{Hosts: config.Words{"app.example.com:8443"}, Who: config.Words{"public"}},
}

// sends sends a request as it is, over TLS, and returns the answer.
func sends(t *testing.T, listen, request string) (status int, body string) {
	t.Helper()
	dialer := &tls.Dialer{Config: &tls.Config{ServerName: "app.example.com", InsecureSkipVerify: true}}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	conn, err := dialer.DialContext(ctx, "tcp", listen)
	if err != nil {
		return 0, err.Error()
	}
	defer conn.Close() //nolint:errcheck // it has been read
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.ReplaceAll(request, "\n", "\r\n")+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close() //nolint:errcheck // it is read below
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// keepsToItsHost checks that authy is asked about the host that a proxy has chosen, whatever else
// a client names, but for what the document says of that proxy.
func keepsToItsHost(t *testing.T, listen string, but ...string) {
	t.Helper()
	if _, body := sends(t, listen, "GET /public HTTP/1.1\nHost: app.example.com\nConnection: close"); !strings.Contains(body, `"URI"`) {
		t.Errorf("what everyone may see is %s", body)
	}
	for what, request := range map[string]string{
		"another host":               "GET /admin HTTP/1.1\nHost: wiki.example.com",
		"another before the path":    "GET https://wiki.example.com/admin HTTP/1.1\nHost: app.example.com",
		"another behind the path":    "GET https://app.example.com/admin HTTP/1.1\nHost: wiki.example.com",
		"another after a comma":      "GET /admin HTTP/1.1\nHost: app.example.com,wiki.example.com",
		"another before a comma":     "GET /admin HTTP/1.1\nHost: wiki.example.com,app.example.com",
		"home before a comma":        "GET /admin HTTP/1.1\nHost: id.example.com,app.example.com",
		"two hosts":                  "GET /admin HTTP/1.1\nHost: app.example.com\nHost: wiki.example.com",
		"two hosts, the other first": "GET /admin HTTP/1.1\nHost: wiki.example.com\nHost: app.example.com",
		"another port":               "GET /admin HTTP/1.1\nHost: app.example.com:8443",
		"another port before":        "GET https://app.example.com:8443/admin HTTP/1.1\nHost: app.example.com",
		"no host":                    "GET /admin HTTP/1.0",
	} {
		if slices.Contains(but, what) {
			continue
		}
		status, body := sends(t, listen, request+"\nConnection: close")
		if strings.Contains(body, `"URI"`) {
			t.Errorf("%s: a stranger gets to the application: %d %s", what, status, body)
		}
	}
}

func TestNginxAsksAboutTheHostThatItChose(t *testing.T) {
	t.Parallel()
	// A rule for a port that browsers need, and nginx listens on another.
	s := documented(t)
	listen := startsNginx(t, s, "set $authy_host $server_name", "set $authy_host $server_name:8443")
	for _, host := range []string{"app.example.com", "app.example.com:8443", "APP.EXAMPLE.COM:1"} {
		status, body := sends(t, listen, "GET /admin HTTP/1.1\nHost: "+host+"\nConnection: close")
		if status != http.StatusOK || !strings.Contains(body, `"Host":"app.example.com:8443"`) {
			t.Errorf("by the rule of the port %s gets %d %s", host, status, body)
		}
	}
}

func TestHAProxyDoesNotWaitLongForAuthy(t *testing.T) {
	t.Parallel()
	mute, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close() //nolint:errcheck // nobody is answered
	listen, began := startsHAProxy(t, mute.Addr().String()), time.Now()
	status, body := sends(t, listen, "GET /public HTTP/1.1\nHost: app.example.com\nConnection: close")
	if took := time.Since(began); status != http.StatusServiceUnavailable || took > 15*time.Second {
		t.Errorf("an authy that does not answer makes it %d %s after %v", status, body, took)
	}
}
