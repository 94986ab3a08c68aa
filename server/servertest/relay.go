package servertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Relay is a small SMTP server: EHLO, STARTTLS, AUTH PLAIN, and a message at a
// time. It records what a client did that it should not have done.
type Relay struct {
	Port   int
	CAFile string // signed its certificate, which is for localhost

	// NoTLS leaves STARTTLS out; Password is what AUTH must give, if not "".
	// They are set before the first connection.
	NoTLS              bool
	Username, Password string

	implicit bool
	tls      *tls.Config
	keep     func(from, to string, data []byte)

	mu      sync.Mutex
	down    bool
	refused map[string]string // replies by recipient
	cut     bool              // ends the connection instead of answering to a message
	seen    int               // connections
}

// Start listens on a free port of localhost until the test ends; mode is "" or
// "implicit", for TLS from the first byte.
func (r *Relay) Start(t testing.TB, mode string, keep func(from, to string, data []byte)) {
	t.Helper()
	r.tls, r.CAFile = certificate(t)
	r.implicit, r.keep, r.refused = mode == "implicit", keep, map[string]string{}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.Port = l.Addr().(*net.TCPAddr).Port
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() { r.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close() //nolint:errcheck // it ends either way
		open.Wait()
	})
}

// Down has the relay turn everyone away, or take mail again.
func (r *Relay) Down(down bool) { r.set(func() { r.down = down }) }

// Refuse has the relay answer to a recipient with a reply, such as "550 no".
func (r *Relay) Refuse(to, reply string) { r.set(func() { r.refused[to] = reply }) }

// Cut has the relay take a message and end the connection without a word.
func (r *Relay) Cut(cut bool) { r.set(func() { r.cut = cut }) }

// Connections returns how often the relay was connected to.
func (r *Relay) Connections() (n int) {
	r.set(func() { n = r.seen })
	return n
}

func (r *Relay) set(do func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	do()
}

// dialog is a connection.
type dialog struct {
	*textproto.Conn
	raw           net.Conn
	secure, known bool
	from, to      string
}

func (r *Relay) serve(raw net.Conn) {
	defer raw.Close()                                     //nolint:errcheck // it ends either way
	_ = raw.SetDeadline(time.Now().Add(30 * time.Second)) // a connection takes deadlines
	var down bool
	r.set(func() { r.seen++; down = r.down })
	if r.implicit {
		raw = tls.Server(raw, r.tls)
	}
	d := &dialog{Conn: textproto.NewConn(raw), raw: raw, secure: r.implicit}
	if down {
		_ = d.PrintfLine("421 away") // whoever has gone need not hear it
		return
	}
	if d.PrintfLine("220 localhost ESMTP") != nil {
		return
	}
	for {
		line, err := d.ReadLine()
		if err != nil || !r.answer(d, line) {
			return
		}
	}
}

// answer answers a command, and says whether the dialog goes on.
func (r *Relay) answer(d *dialog, line string) bool {
	verb, rest, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO":
		return d.say(r.offers(d)...)
	case "STARTTLS":
		return r.startTLS(d)
	case "AUTH":
		want := base64.StdEncoding.EncodeToString([]byte("\x00" + r.Username + "\x00" + r.Password))
		if d.known = rest == "PLAIN "+want; !d.known {
			return d.say("535 5.7.8 wrong")
		}
		return d.say("235 2.7.0 welcome")
	case "MAIL":
		if r.Password != "" && !d.known {
			return d.say("530 5.7.0 sign in first")
		}
		d.from = address(rest)
		return d.say("250 2.1.0 ok")
	case "RCPT":
		d.to = address(rest)
		reply := "250 2.1.5 ok"
		r.set(func() {
			if other := r.refused[d.to]; other != "" {
				reply = other
			}
		})
		return d.say(reply)
	case "DATA":
		return r.data(d)
	case "NOOP", "RSET":
		return d.say("250 2.0.0 ok")
	case "QUIT":
		d.say("221 2.0.0 bye")
		return false
	}
	return d.say("500 5.5.1 what?")
}

func (d *dialog) say(lines ...string) bool {
	return d.PrintfLine("%s", strings.Join(lines, "\r\n")) == nil
}

func (r *Relay) offers(d *dialog) []string {
	lines := []string{"250-localhost"}
	if !d.secure && !r.NoTLS {
		lines = append(lines, "250-STARTTLS")
	}
	if r.Password != "" {
		lines = append(lines, "250-AUTH PLAIN")
	}
	return append(lines, "250 8BITMIME")
}

func (r *Relay) startTLS(d *dialog) bool {
	if d.secure || r.NoTLS || !d.say("220 2.0.0 go on") {
		return false
	}
	secured := tls.Server(d.raw, r.tls)
	d.Conn, d.raw, d.secure = textproto.NewConn(secured), secured, true
	return true
}

func (r *Relay) data(d *dialog) bool {
	if !d.say("354 go on") {
		return false
	}
	data, err := d.ReadDotBytes()
	if err != nil {
		return false
	}
	var cut bool
	r.set(func() { cut = r.cut })
	r.keep(d.from, d.to, data)
	return !cut && d.say("250 2.0.0 queued as 1")
}

// address returns what stands between angle brackets.
func address(text string) string {
	_, text, _ = strings.Cut(text, "<")
	text, _, _ = strings.Cut(text, ">")
	return text
}

// certificate makes a certificate for localhost, which signed itself, and a
// file of it.
func certificate(t testing.TB) (c *tls.Config, file string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(t.TempDir(), "relay.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}, file
}
