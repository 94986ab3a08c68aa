package self

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"authy/server/audit"
	"authy/server/limit"
	"authy/server/machine"
	"authy/server/outbound"
	"authy/server/steady"
)

// perChecker is how often an administrator may have the public URL looked at.
var perChecker = limit.Rule{Name: "address-check-user", Most: 30, Window: 15 * time.Minute}

const maxAnswer = 16 << 10 // of the server to itself, in bytes

// Address is what was found at the public URL.
type Address struct {
	URL      string
	OK       bool // nothing is wrong
	Findings []Finding
	// Files is how many files the server that answered may have open, 0 if none did.
	Files int
}

// Finding is something that was looked at.
type Finding struct {
	// Name is what was looked at. At the public URL: reach, server, host, authorization,
	// headers, proxy, scheme or certificate.
	Name string
	OK   bool
	// Text says what was found, and what to do where it is not right; each %s in it
	// stands for the next of Args.
	Text string
	Args []string
}

// Wrong is a finding in words that are in no catalogue, on one line.
func Wrong(name, text string) Finding {
	return Finding{Name: name, Text: "%s", Args: []string{strings.Join(strings.Fields(text), " ")}}
}

// String returns the text with its arguments.
func (f Finding) String() string {
	args := make([]any, len(f.Args))
	for i, arg := range f.Args {
		args[i] = arg
	}
	return fmt.Sprintf(f.Text, args...)
}

// CheckAddress looks, for who administers the server, at its public URL from
// outside, as far as this machine can: whether it is this server that answers, and
// what comes through of what browsers and applications send.
func (s *Service) CheckAddress(ctx context.Context, by audit.Actor) (*Address, error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	if by.Kind == audit.User {
		if err := s.Limits.Count(ctx, perChecker, by.ID); err != nil {
			return nil, err
		}
	}
	now, secret := steady.Now(), rand.Text()
	challenge := s.newChallenge(now)
	set := s.Config.Config
	l := &look{address: &Address{URL: set.PublicURL, OK: true}, listen: set.Listen, direct: set.TLS.CertFile != "" || !set.Secure()}
	answer, err := s.outside.Ask(ctx, outbound.Question{
		URL:    l.address.URL + AnswerPath + "?" + url.Values{"challenge": {challenge}}.Encode(),
		Header: http.Header{"Authorization": {authorization(secret)}, "Accept": {"application/json"}}, Limit: maxAnswer,
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		l.unreached(err)
		return l.address, nil
	}
	if said := l.server(answer, s.mark("answered", challenge)); said != nil {
		l.address.Files = said.Files
		l.through(said, authorization(secret), answer.Header)
		if set.TLS.CertFile == "" { // the server's own is looked at where its file is
			l.certificate(answer.Certificate, now)
		}
	}
	return l.address, nil
}

// authorization is what is sent to see whether it arrives. It lets nobody in.
func authorization(secret string) string { return "Bearer check-" + secret }

// look is a look in progress.
type look struct {
	address *Address
	listen  string
	direct  bool // visitors may come without a proxy
}

func (l *look) good(name, text string, args ...string) {
	l.address.Findings = append(l.address.Findings, Finding{name, true, text, args})
}

func (l *look) bad(name, text string, args ...string) {
	l.address.OK = false
	l.address.Findings = append(l.address.Findings, Finding{name, false, text, cutAll(args)})
}

// cutAll keeps what others said short.
func cutAll(args []string) []string {
	for i := range args {
		args[i] = audit.Cut(args[i], 200)
	}
	return args
}

// server judges who answered; nil if it is not this server.
func (l *look) server(answer *outbound.Answer, proof string) *Answer {
	var body struct {
		Version   string
		RequestID string `json:"request_id"`
		Data      *Answer
	}
	isAuthy := json.Unmarshal(answer.Body, &body) == nil && body.Version != "" && body.RequestID != ""
	if answer.Status != http.StatusOK || !isAuthy || body.Data == nil {
		l.strange(answer, isAuthy)
		return nil
	}
	if subtle.ConstantTimeCompare([]byte(body.Data.Proof), []byte(proof)) != 1 {
		l.bad("server", "Another server answers at %s. Is the DNS record right, and does the proxy lead here?", l.address.URL)
		return nil
	}
	l.good("reach", "%s can be reached.", l.address.URL)
	l.good("server", "It is this server that answers.")
	return body.Data
}

// through judges what came through the proxy, if there is one.
func (l *look) through(said *Answer, sent string, header http.Header) {
	_, host, _ := strings.Cut(l.address.URL, "://")
	if strings.EqualFold(said.Host, host) {
		l.good("host", "The name of the host arrives.")
	} else {
		l.bad("host", "The proxy says that the host is “%s”, and not “%s”: have it pass the header Host on as it came.",
			said.Host, host)
	}
	if said.Authorization == sent {
		l.good("authorization", "The header Authorization arrives.")
	} else {
		l.bad("authorization", "The proxy takes the header Authorization away, which applications need: have it pass it on.")
	}
	if strings.Contains(header.Get("Cache-Control"), "no-store") && header.Get("Content-Security-Policy") != "" {
		l.good("headers", "The headers of answers stay as they are.")
	} else {
		l.bad("headers", "The proxy changes the headers of answers: Cache-Control and Content-Security-Policy must stay as they are.")
	}
	l.proxy(said)
	scheme, _, _ := strings.Cut(l.address.URL, "://")
	if said.Trusted && said.Scheme != "" && !strings.EqualFold(said.Scheme, scheme) {
		l.bad("scheme", "The proxy says in X-Forwarded-Proto that visitors come by %s, but public_url is %s: have it say how they "+
			"came, or correct public_url.", said.Scheme, l.address.URL)
	}
}

// certificate judges, once it is known to be good at now, how long it will be.
func (l *look) certificate(c *x509.Certificate, now time.Time) {
	if c != nil && machine.EndsSoon(c, now) {
		l.bad("certificate", "The certificate at %s ends at %s, and was not renewed in time: see to it that it is.",
			l.address.URL, c.NotAfter.UTC().Format(time.RFC3339))
	}
}

// proxy judges whether the addresses of visitors are known.
func (l *look) proxy(said *Answer) {
	switch {
	case said.Forwarded && said.Trusted:
		l.good("proxy", "The proxy at %s says where visitors come from.", said.Peer)
	case said.Forwarded:
		l.bad("proxy", "The proxy at %s says where visitors come from, but is not trusted: add “%s” to trusted_proxies, "+
			"or every visitor seems to come from there.", said.Peer, said.Peer)
	case said.Trusted:
		l.bad("proxy", "The proxy at %s does not say where visitors come from: have it send X-Forwarded-For.", said.Peer)
	case len(said.Others) > 0:
		l.bad("proxy", "The proxy at %s sends %s, but not X-Forwarded-For, so that every visitor seems to come from it: have it "+
			"send that, and add its address to trusted_proxies.", said.Peer, strings.Join(said.Others, ", "))
	case !l.direct:
		l.bad("proxy", "Every visitor seems to come from %s: have the proxy send X-Forwarded-For, and add its address to "+
			"trusted_proxies.", said.Peer)
	default:
		l.good("proxy", "Visitors come without a proxy.")
	}
}
