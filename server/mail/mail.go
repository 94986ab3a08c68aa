// Package mail sends mail. A message is queued in the transaction of what it is
// about, so that both happen or neither does; a job hands it to the relay,
// again and again until the relay has taken it or it is of no use any more. A
// message may arrive twice, when the server ends between the relay's yes and
// its own note of it; none is lost. The package refuses to know who may be told
// what.
//
// Read mail.go (what is queued), kind.go (what there is to say), letter.go (how
// it is put into words), queue.go (how it gets away), relay.go (SMTP).
package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/config"
	"authy/server/words"
	"authy/storage"
)

// noticeLifetime is how long a notice is worth sending.
const noticeLifetime = 3 * 24 * time.Hour

// Queue sends mail. A nil Queue sends none, and says so by [Queue.Enabled].
type Queue struct {
	// Places says where an address is, in a language; nil knows nothing.
	Places func(address, language string) string

	db        *storage.DB
	publicURL string
	relay     *relay // nil if mail is not set up
	wording   *wording
	wake      chan struct{}
}

// New returns the queue over db. Links lead to publicURL, whatever a request
// says its host is. Without a relay in c nothing is queued or sent.
func New(db *storage.DB, publicURL string, c config.Mail) (*Queue, error) {
	w, err := newWording()
	if err != nil {
		return nil, err
	}
	q := &Queue{db: db, publicURL: publicURL, wording: w, wake: make(chan struct{}, 1)}
	if c.Enabled() {
		if q.relay, err = newRelay(c); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// Enabled says whether mail is sent.
func (q *Queue) Enabled() bool { return q != nil && q.relay != nil }

// Message is a mail to be sent.
type Message struct {
	Kind Kind
	To   string // an address as account.ParseEmail returns it
	// Path is that of the page that its link leads to, "" for no link.
	Path string
	// ExpiresAt is when it is of no use any more: the end of its link.
	ExpiresAt time.Time
	// Network is where it was asked for from by somebody who has not signed in, "" of
	// anybody else.
	Network string
	Facts   Facts
}

// Facts are what a message says beside its own words. Each may be "".
type Facts struct {
	At           string `json:",omitempty"` // when it happened, as RFC 3339 has it
	Place        string `json:",omitempty"` // from where
	Agent        string `json:",omitempty"` // with what
	About        string `json:",omitempty"` // what it happened to: a name, or [APasskey]
	Email        string `json:",omitempty"` // another address that it is about
	Organization string `json:",omitempty"`
	Role         string `json:",omitempty"`
	// Ways are what it is about where that is several, all of them or, if Any is
	// set, one of them.
	Ways []string `json:",omitempty"`
	Any  bool     `json:",omitempty"`
}

// body is what of a message is sealed.
type body struct {
	Link     string `json:",omitempty"`
	Language string `json:",omitempty"` // that it is written in
	Facts    Facts
}

// Send queues m in tx, and has it sent as soon as tx is durable. It is written in
// the language of the account that has the address, or else in that of whoever
// asks for it. Where mail is not set up it does nothing.
func (q *Queue) Send(ctx context.Context, tx *storage.Tx, now time.Time, m Message) error {
	if !q.Enabled() {
		return nil
	}
	language, err := languageOf(ctx, tx, m.To)
	if err != nil {
		return fmt.Errorf("queue mail %s: %w", m.Kind, err)
	}
	b := body{Language: language, Facts: m.Facts}
	b.Facts.Place = q.placed(b.Facts.Place, language)
	if m.Path != "" {
		b.Link = q.publicURL + m.Path
	}
	text, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("queue mail %s: %w", m.Kind, err)
	}
	err = tx.InsertMail(ctx, &storage.Mail{
		ID: storage.NewID(), Recipient: m.To, Kind: string(m.Kind), Body: text, Network: m.Network,
		CreatedAt: storage.At(now), NextAt: storage.At(now), ExpiresAt: storage.At(m.ExpiresAt),
	})
	if err != nil {
		return fmt.Errorf("queue mail %s: %w", m.Kind, err)
	}
	tx.AfterCommit(q.nudge)
	return nil
}

// placed returns where something was done from with where that is, if it is an address
// of which this is known.
func (q *Queue) placed(from, language string) string {
	if q.Places == nil {
		return from
	}
	if where := q.Places(from, language); where != "" {
		return from + " (" + where + ")"
	}
	return from
}

// languageOf returns the tag of the language to write to an address in.
func languageOf(ctx context.Context, tx *storage.Tx, address string) (string, error) {
	locale := ""
	user, err := tx.UserByEmail(ctx, address)
	switch {
	case err == nil:
		locale = user.Locale
	case !errors.Is(err, storage.ErrNotFound):
		return "", fmt.Errorf("look up who has an address: %w", err)
	}
	return words.Choose(locale, audit.FromContext(ctx).Languages).Tag(), nil
}

// nudge has the queue looked at now.
func (q *Queue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default: // it will be, anyway
	}
}

// Notice tells a user, in the transaction of its cause, of something that was
// done to their account; about says to what, where the kind alone does not.
func (q *Queue) Notice(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, user *storage.User, kind Kind, about string,
) error {
	return q.NoticeTo(ctx, tx, by, now, user.Email, kind, Facts{About: about})
}

// NoticeTo is [Queue.Notice] to an address that may not be the user's any
// more, with facts of the caller's.
func (q *Queue) NoticeTo(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, email string, kind Kind, f Facts,
) error {
	f.At = now.UTC().Format(time.RFC3339)
	f.Place, f.Agent = place(by)
	return q.Send(ctx, tx, now, Message{Kind: kind, To: email, ExpiresAt: now.Add(noticeLifetime), Facts: f})
}

// maxAgent is how much of a User-Agent header a notice quotes, in bytes.
const maxAgent = 120

// place says who did something from where, and with what.
func place(by audit.Actor) (where, with string) {
	switch by.Kind {
	case audit.Operator, audit.System:
		return theOperator, ""
	case audit.Anonymous, audit.User, audit.Client:
	}
	return by.IPAddress, audit.Cut(by.UserAgent, maxAgent)
}

// Waiting is a mail that waits to be sent.
type Waiting = storage.Mail

// List returns at most limit mails that wait, the oldest first, after the one
// with the given id. What they say is not among it.
func (q *Queue) List(ctx context.Context, after string, limit int) ([]Waiting, error) {
	return q.db.Mails(ctx, after, limit)
}
