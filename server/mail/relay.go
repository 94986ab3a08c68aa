package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	netmail "net/mail"
	"os"
	"strings"

	gomail "github.com/wneessen/go-mail"

	"authy/server/config"
	"authy/server/steady"
)

// relay is the server that mail is handed to.
type relay struct {
	config config.Mail
	from   *netmail.Address
	roots  *x509.CertPool // nil means the system's
}

func newRelay(c config.Mail) (*relay, error) {
	from, err := c.Sender()
	if err != nil {
		return nil, fmt.Errorf("mail.from: %w", err)
	}
	r := &relay{config: c, from: from}
	if c.CAFile == "" {
		return r, nil
	}
	text, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("mail.ca_file: %w", err)
	}
	if r.roots, err = x509.SystemCertPool(); err != nil {
		return nil, fmt.Errorf("mail.ca_file: %w", err)
	}
	if !r.roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("mail.ca_file: %s holds no certificate", c.CAFile)
	}
	return r, nil
}

// client returns a client for one connection. With [config.STARTTLS] a relay
// that does not offer it is sent nothing.
func (r *relay) client() (*gomail.Client, error) {
	c := r.config
	options := []gomail.Option{
		gomail.WithPort(c.Port), gomail.WithTimeout(c.Timeout.Duration),
		gomail.WithTLSConfig(&tls.Config{ServerName: c.Host, RootCAs: r.roots, MinVersion: tls.VersionTLS12}),
	}
	switch c.TLS {
	case config.ImplicitTLS:
		options = append(options, gomail.WithSSL())
	case config.NoTLS:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if c.Username != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(c.Username), gomail.WithPassword(c.Password.Reveal()))
	}
	return gomail.NewClient(c.Host, options...)
}

// send hands a letter over and returns what the relay said. The id tells a
// message that arrives twice from another.
func (r *relay) send(ctx context.Context, w *wording, id, to string, l *letter) (reply string, err error) {
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	from := *r.from
	if from.Name == "" {
		from.Name = l.Name
	}
	m.FromMailAddress(&from)
	m.ToMailAddress(&netmail.Address{Address: to})
	m.Subject(l.Subject)
	m.SetDateWithValue(steady.Now())
	_, host, _ := strings.Cut(r.from.Address, "@")
	m.SetMessageIDWithValue(id + "@" + host)
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834, section 5
	var text, html strings.Builder
	if err := errors.Join(w.writeText(&text, l), w.writeHTML(&html, l)); err != nil {
		return "", err
	}
	m.SetBodyString(gomail.TypeTextPlain, text.String())
	m.AddAlternativeString(gomail.TypeTextHTML, html.String())
	client, err := r.client()
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, r.config.Timeout.Duration)
	defer cancel()
	err = client.DialAndSendWithContext(ctx, m)
	if m.IsDelivered() {
		return m.ServerResponse(), nil // whatever went wrong when saying goodbye
	}
	return "", err
}

// hopeless says whether the relay will never take a message to this recipient.
func hopeless(err error) bool {
	e, ok := errors.AsType[*gomail.SendError](err)
	return ok && e.Reason == gomail.ErrSMTPRcptTo && !e.IsTemp()
}
