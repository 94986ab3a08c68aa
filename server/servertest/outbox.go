package servertest

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authy/server/config"
)

// Letter is a mail as it arrived.
type Letter struct {
	From, To   string // of the envelope
	Header     mail.Header
	Subject    string
	Text, HTML string
}

var linkIn = regexp.MustCompile(`https?://\S+`)

// Link returns the link in a letter, "" if there is none.
func (l *Letter) Link() string {
	for _, line := range strings.Split(l.Text, "\n") {
		if link := linkIn.FindString(line); link != "" && strings.HasPrefix(line, link) {
			return link
		}
	}
	return ""
}

// Token returns what stands after token= in the link of a letter.
func (l *Letter) Token() string {
	_, token, _ := strings.Cut(l.Link(), "token=")
	return token
}

// Outbox is a mail relay with all that it was handed: real SMTP over TCP.
type Outbox struct {
	Relay
	t testing.TB

	mu      sync.Mutex
	letters []*Letter
	arrived chan struct{} // closed, and made anew, when one arrives
}

// NewOutbox starts a relay that offers STARTTLS; it stops when the test ends.
func NewOutbox(t testing.TB) *Outbox {
	t.Helper()
	o := &Outbox{t: t, arrived: make(chan struct{})}
	o.Start(t, "", o.keep)
	return o
}

// Configure sets mail up so that it goes to the outbox.
func (o *Outbox) Configure(c *config.Config) {
	c.Mail = config.Mail{
		From: "authy <noreply@authy.example>", Host: "localhost", Port: o.Port, TLS: config.STARTTLS,
		CAFile: o.CAFile, Timeout: config.Duration{Duration: 10 * time.Second},
	}
}

// WithMail starts an authy with the sample data whose mail goes to the outbox.
func WithMail(t testing.TB, change ...func(*config.Config)) (*Server, *Outbox) {
	t.Helper()
	o := NewOutbox(t)
	s := Start(t, Options{Configure: func(c *config.Config) {
		o.Configure(c)
		for _, do := range change {
			do(c)
		}
	}})
	return s, o
}

func (o *Outbox) keep(from, to string, data []byte) {
	l, err := readLetter(data)
	if err != nil {
		o.t.Errorf("a mail that cannot be read: %v\n%s", err, data)
		return
	}
	l.From, l.To = from, to
	o.mu.Lock()
	defer o.mu.Unlock()
	o.letters = append(o.letters, l)
	close(o.arrived)
	o.arrived = make(chan struct{})
}

// take removes the first letter to an address whose subject holds a text.
func (o *Outbox) take(to, subject string) (*Letter, chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.letters, func(l *Letter) bool { return l.To == to && strings.Contains(l.Subject, subject) })
	if i < 0 {
		return nil, o.arrived
	}
	l := o.letters[i]
	o.letters = slices.Delete(o.letters, i, i+1)
	return l, nil
}

// Next returns the oldest letter to an address whose subject holds a text, and
// takes it out of the box. It waits for one to arrive.
func (o *Outbox) Next(t testing.TB, to, subject string) *Letter {
	t.Helper()
	return o.NextWithin(t, 20*time.Second, to, subject)
}

// NextWithin is [Outbox.Next] with as long as it takes: who had a mail in hand and was lost keeps
// it until its lease has ended.
func (o *Outbox) NextWithin(t testing.TB, d time.Duration, to, subject string) *Letter {
	t.Helper()
	late := time.After(d)
	for {
		l, arrived := o.take(to, subject)
		if l != nil {
			return l
		}
		select {
		case <-arrived:
		case <-late:
			t.Fatalf("no mail to %s about %q; there are %q", to, subject, o.Subjects())
		}
	}
}

// Subjects returns the address and subject of every letter in the box.
func (o *Outbox) Subjects() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := make([]string, len(o.letters))
	for i, l := range o.letters {
		list[i] = l.To + ": " + l.Subject
	}
	return list
}

// readLetter takes a message of two alternatives apart.
func readLetter(data []byte) (*Letter, error) {
	m, err := mail.ReadMessage(strings.NewReader(string(data)))
	if err != nil {
		return nil, err
	}
	l := &Letter{Header: m.Header}
	if l.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return nil, err
	}
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return nil, err
	}
	parts := multipart.NewReader(m.Body, params["boundary"])
	for {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			return nil, err
		}
		plain := strings.ReplaceAll(string(text), "\r\n", "\n")
		if strings.HasPrefix(part.Header.Get("Content-Type"), "text/plain") {
			l.Text = plain
		} else {
			l.HTML = plain
		}
	}
}
