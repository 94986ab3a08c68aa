package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"strings"
	"time"
	"unicode"
)

// How a connection to the mail relay is kept private.
const (
	STARTTLS    = "starttls" // TLS is begun on a plain connection, or nothing is sent
	ImplicitTLS = "implicit" // TLS from the first byte
	NoTLS       = "none"
)

// Mail says through which relay mail is sent, and as whom.
type Mail struct {
	// From is the sender: an address, or a name with the address in angle
	// brackets. Empty means that no mail is sent.
	From string `toml:"from"`
	// Host is the relay's name.
	Host string `toml:"host"`
	// Port is the relay's port: 587 for STARTTLS, 465 for implicit TLS, as a rule.
	Port int `toml:"port"`
	// Username is what to sign in to the relay with; empty does not sign in.
	Username string `toml:"username"`
	Password Secret `toml:"password"`
	// TLS is [STARTTLS], [ImplicitTLS] or [NoTLS].
	TLS string `toml:"tls"`
	// CAFile is a PEM file of authorities that may have signed the relay's
	// certificate, beside those of the system.
	CAFile string `toml:"ca_file"`
	// Timeout is how long the relay may take for a message.
	Timeout Duration `toml:"timeout"`
}

// Enabled says whether mail is sent.
func (m Mail) Enabled() bool { return m.Host != "" }

// Sender returns From in its parts.
func (m Mail) Sender() (*mail.Address, error) {
	a, err := mail.ParseAddress(m.From)
	if err != nil || strings.ContainsFunc(m.From, unicode.IsControl) {
		return nil, fmt.Errorf("%q is not an address; write authy <noreply@example.com>", m.From)
	}
	return a, nil
}

func mailProblems(c *Config) []problem {
	m := c.Mail
	list := []problem{
		{"mail.tls", oneOf(m.TLS, STARTTLS, ImplicitTLS, NoTLS)},
		{"mail.timeout", between(m.Timeout, time.Second, 5*time.Minute)},
		{"mail.username", checkMailUser(m)},
	}
	if m.Port < 1 || m.Port > 65535 {
		list = append(list, problem{"mail.port", fmt.Errorf("%d is not a port; write 587 or 465", m.Port)})
	}
	if m.Host != "" || m.From != "" {
		_, err := m.Sender()
		list = append(list, problem{"mail.from", err}, problem{"mail.host", checkMailHost(m.Host)})
	}
	if c.Registration.Uniform && !m.Enabled() {
		list = append(list, problem{
			"registration.uniform",
			errors.New("it answers by mail; set mail.host and mail.from, too"),
		})
	}
	return list
}

func checkMailHost(host string) error {
	switch {
	case host == "":
		return errors.New("it is empty; name the relay, or leave mail.from empty, too, to send no mail")
	case strings.ContainsAny(host, ":/@ ") && net.ParseIP(host) == nil:
		return fmt.Errorf("%q is not a host name; the port is mail.port", host)
	}
	return nil
}

func checkMailUser(m Mail) error {
	if (m.Username == "") != (m.Password == "") {
		return errors.New("a user name and a password belong together; set both or neither")
	}
	return nil
}

// mailRisks returns a sentence for what weakens mail.
func mailRisks(m Mail) []risk {
	if !m.Enabled() || m.TLS != NoTLS {
		return nil
	}
	return []risk{{"mail.tls", "mail.tls is none: mail, with the links in it, crosses the network in the clear."}}
}
