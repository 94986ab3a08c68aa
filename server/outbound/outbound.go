// Package outbound asks other servers for what clients and administrators have
// named by URL. It goes to public addresses alone, unless the configuration
// allows a range, follows no redirect, and reads no more than it was told to.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// patience is how long a request may take in all, and silence how long a server
// may wait before it answers.
const (
	patience = 10 * time.Second
	silence  = 5 * time.Second
)

// ErrURL says that a URL is not one that may be asked; the error that wraps it
// says why.
var ErrURL = errors.New("outbound: this URL may not be asked")

// ErrLong says that an answer is longer than whoever asked wants to read.
var ErrLong = errors.New("outbound: the answer is too long")

// reserved are ranges that netip does not know as private, but that lead to
// places within a network all the same (RFC 6890 and its registry).
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"), netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"), netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("fec0::/10"),
}

// Client asks other servers.
type Client struct {
	allowed []netip.Prefix
	own     string // an origin that may be asked wherever it is, "" for none
	http    *http.Client
}

// New returns a client that also goes to addresses within allowed.
func New(allowed []netip.Prefix) *Client {
	c := &Client{allowed: allowed}
	dialer := &net.Dialer{Timeout: silence, ControlContext: c.control}
	c.http = &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSHandshakeTimeout: silence, ResponseHeaderTimeout: silence,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 64, MaxIdleConnsPerHost: 2, IdleConnTimeout: 30 * time.Second,
			ForceAttemptHTTP2: true,
		},
		// A redirect would lead where nobody has looked.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// everywhere is every address.
var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// Own returns a client that asks one origin alone, https://id.example.com say, and
// that one wherever it is: it is the server's own, by its configuration.
func Own(origin string) *Client {
	own := New(everywhere)
	own.own = origin
	return own
}

// control sees the address that a name has led to, when a connection to it is
// about to be made: no answer of a name server comes in between.
func (c *Client) control(_ context.Context, network, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !strings.HasPrefix(network, "tcp") {
		return fmt.Errorf("%w: %s is no address", ErrURL, address)
	}
	if !c.permits(at.Addr()) {
		return fmt.Errorf("%w: %s is not a public address; outbound.allow can permit it", ErrURL, at.Addr())
	}
	return nil
}

func (c *Client) permits(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	within := func(p netip.Prefix) bool { return p.Contains(ip) }
	if slices.ContainsFunc(c.allowed, within) {
		return true
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(reserved, within)
}

// Check says why a URL cannot be asked, as far as the URL itself tells: it must
// be https, or http to an address that is allowed, without a user. Such an error
// is an [ErrURL].
func (c *Client) Check(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "":
		return fmt.Errorf("%w: it is not absolute", ErrURL)
	case u.User != nil:
		return fmt.Errorf("%w: it names a user", ErrURL)
	case c.own != "":
		if u.Scheme+"://"+u.Host != c.own {
			return fmt.Errorf("%w: it is not below %s", ErrURL, c.own)
		}
		return nil
	case u.Scheme == "https":
		return nil
	case u.Scheme != "http":
		return fmt.Errorf("%w: it is not https", ErrURL)
	}
	host := u.Hostname()
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || !slices.ContainsFunc(c.allowed, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) }) {
		return fmt.Errorf("%w: plain http goes only to addresses that outbound.allow permits", ErrURL)
	}
	return nil
}

// Answer is what a server answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
	// Certificate is the one that the server showed, nil if it showed none.
	Certificate *x509.Certificate
}

// Question is what a server is asked.
type Question struct {
	URL string
	// Form is posted; nil asks for a document.
	Form url.Values
	// Body is posted in the place of a form, as the header says what it is.
	Body []byte
	// Header is sent besides. It may hold secrets: no redirect takes them elsewhere.
	Header http.Header
	// Limit is how many bytes of the answer's body are read; more are an [ErrLong].
	Limit int64
	// Brief leaves more than that unread, as if it were not there.
	Brief bool
}

// Get asks for a document of at most limit bytes. An answer of any status but
// 200 is an error.
func (c *Client) Get(ctx context.Context, address string, limit int64) (*Answer, error) {
	answer, err := c.Ask(ctx, Question{URL: address, Limit: limit})
	if err == nil && answer.Status != http.StatusOK {
		return nil, fmt.Errorf("ask %s: it answered %d", address, answer.Status)
	}
	return answer, err
}

// Post sends a form, and returns the answer of whichever status, with at most
// limit bytes of its body.
func (c *Client) Post(ctx context.Context, address string, form url.Values, limit int64) (*Answer, error) {
	return c.Ask(ctx, Question{URL: address, Form: form, Limit: limit})
}

// Ask asks, and returns the answer of whichever status.
func (c *Client) Ask(ctx context.Context, q Question) (*Answer, error) {
	answer, err := c.ask(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", q.URL, err)
	}
	return answer, nil
}

func (c *Client) ask(ctx context.Context, q Question) (*Answer, error) {
	if err := c.Check(q.URL); err != nil {
		return nil, err
	}
	request, err := q.request(ctx)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	read, err := io.ReadAll(io.LimitReader(response.Body, q.Limit+1))
	if err != nil {
		return nil, err
	}
	switch long := int64(len(read)) > q.Limit; {
	case long && q.Brief:
		read = read[:q.Limit]
	case long:
		return nil, fmt.Errorf("%w: more than %d bytes", ErrLong, q.Limit)
	}
	answer := &Answer{Status: response.StatusCode, Header: response.Header, Body: read}
	if response.TLS != nil && len(response.TLS.PeerCertificates) > 0 {
		answer.Certificate = response.TLS.PeerCertificates[0]
	}
	return answer, nil
}

func (q Question) request(ctx context.Context) (*http.Request, error) {
	method, body := http.MethodGet, ""
	switch {
	case q.Form != nil:
		method, body = http.MethodPost, q.Form.Encode()
	case q.Body != nil:
		method, body = http.MethodPost, string(q.Body)
	}
	request, err := http.NewRequestWithContext(ctx, method, q.URL, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(request.Header, q.Header)
	request.Header.Set("User-Agent", "authy")
	if q.Form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return request, nil
}
