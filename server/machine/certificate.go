package machine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"authy/storage/disk"
)

const (
	// lookAgain is how often the files of a certificate are looked at, at most.
	lookAgain = time.Second
	// expiresSoon is how long before its end a certificate is said to end, at most, and
	// soonPart the same as a part of its life: some last for days only.
	expiresSoon = 14 * 24 * time.Hour
	soonPart    = 3
)

// Certificate is the one that a server shows. Its files are read again when they
// change; a pair that does not fit, such as one that is half written, is not taken.
// Many goroutines may use it.
type Certificate struct {
	files [2]string // the certificate with those that signed it, and its key

	mu     sync.Mutex
	shown  *tls.Certificate
	stamp  [2]stamp
	looked time.Time
}

// stamp tells one state of a file from another.
type stamp struct {
	mode    os.FileMode
	size    int64
	written time.Time
}

// NewCertificate reads the files, in PEM, of a certificate with those that signed
// it, and of its key.
func NewCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{files: [2]string{certFile, keyFile}, looked: time.Now()}
	var err error
	if c.stamp, err = c.state(); err != nil {
		return nil, err
	}
	c.shown, err = c.read()
	return c, err
}

// Config is how connections are made with the certificate.
func (c *Certificate) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return c.get(hello.Context(), time.Now()), nil
		},
	}
}

// get returns what is to be shown at now.
func (c *Certificate) get(ctx context.Context, now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.looked) < lookAgain {
		return c.shown
	}
	c.looked = now
	found, err := c.state()
	if found == c.stamp { // also while a file is gone, which was said
		return c.shown
	}
	var read *tls.Certificate
	if err == nil {
		read, err = c.read()
	}
	c.stamp = found
	if err != nil {
		slog.ErrorContext(ctx, "the certificate has changed and cannot be used: the one before it is shown until that is mended",
			"cert_file", c.files[0], "err", err)
		return c.shown
	}
	c.shown = read
	if ends := read.Leaf.NotAfter; now.After(ends) {
		slog.WarnContext(ctx, "another certificate is shown, which has ended: renew it", "cert_file", c.files[0], "ended", ends.UTC())
	} else {
		slog.InfoContext(ctx, "another certificate is shown", "cert_file", c.files[0], "ends", ends.UTC())
	}
	return c.shown
}

func (c *Certificate) state() (out [2]stamp, err error) {
	for i, file := range c.files {
		info, err := os.Stat(file)
		if err != nil {
			return out, err
		}
		out[i] = stamp{info.Mode(), info.Size(), info.ModTime()}
	}
	return out, nil
}

// read refuses a key that everybody on the machine can read.
func (c *Certificate) read() (*tls.Certificate, error) {
	info, err := os.Stat(c.files[1])
	if err != nil {
		return nil, err
	}
	open, err := disk.Shared(c.files[1], info, 0o007)
	if open {
		err = fmt.Errorf("%s can be read by every user; run %s", c.files[1], disk.Narrowing(c.files[1], "o-rwx"))
	}
	if err != nil {
		return nil, err
	}
	read, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return nil, fmt.Errorf("%s and %s: %w", c.files[0], c.files[1], err)
	}
	return &read, nil
}

// EndsSoon says whether a certificate should have been renewed by now.
func EndsSoon(c *x509.Certificate, now time.Time) bool {
	return now.Add(min(expiresSoon, c.NotAfter.Sub(c.NotBefore)/soonPart)).After(c.NotAfter)
}

// wrongCertificate says what is wrong with a certificate for a host at now, or "".
func wrongCertificate(certFile, keyFile, host string, now time.Time) string {
	c, err := NewCertificate(certFile, keyFile)
	if err != nil {
		return fmt.Sprintf("the certificate cannot be used: %s", err)
	}
	leaf := c.shown.Leaf
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Sprintf("the certificate %s ended at %s: renew it; authy takes the new one by itself",
			certFile, shown(leaf.NotAfter))
	case EndsSoon(leaf, now):
		return fmt.Sprintf("the certificate %s ends at %s: renew it; authy takes the new one by itself",
			certFile, shown(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		return fmt.Sprintf("the certificate %s begins at %s: take one that is good now, or set the clock",
			certFile, shown(leaf.NotBefore))
	}
	if err := leaf.VerifyHostname(host); err != nil {
		return fmt.Sprintf("the certificate %s is not for the host of public_url: %s", certFile,
			strings.TrimPrefix(err.Error(), "x509: "))
	}
	return ""
}
