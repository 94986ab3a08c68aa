package self

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"authy/server/account"
	"authy/server/audit"
	"authy/server/limit"
	"authy/server/mail"
	"authy/server/steady"
	"authy/storage"
)

// perTester is how many test mails an administrator may send.
var perTester = limit.Rule{Name: "mail-test-user", Most: 10, Window: time.Hour}

const (
	givenUp  = 20  // how many mails that were given up are told of
	maxReply = 500 // of what a relay said, in bytes
)

// Mail is how mail stands.
type Mail struct {
	Enabled bool
	From    string // as the configuration has it
	Relay   string // host:port
	TLS     string // starttls, implicit or none
	User    string // who signs in to the relay, "" for nobody
	Origin  string // where mail.host came from, "" if nobody knows
	Waiting []mail.Waiting
	Next    string // the id that the next page begins after, "" for none
	// GivenUp are the latest mails that did not get away, the newest first.
	GivenUp []GivenUp
}

// GivenUp is a mail that did not get away.
type GivenUp struct {
	At                      time.Time
	Kind, To, Reason, Error string
	Attempts                int64
}

// ShowMail tells who administers the server how mail stands, with at most limit
// of those that wait, after the one with the given id.
func (s *Service) ShowMail(ctx context.Context, by audit.Actor, after string, limit int) (*Mail, error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return nil, err
	}
	c := s.Config.Config.Mail
	m := &Mail{Enabled: s.Mail.Enabled(), From: c.From, TLS: c.TLS, User: c.Username, Origin: s.originOf("mail.host")}
	if m.Enabled {
		m.Relay = net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	}
	var err error
	// One more tells whether there are more.
	if m.Waiting, err = s.Mail.List(ctx, after, limit+1); err != nil {
		return nil, fmt.Errorf("list the mails that wait: %w", err)
	}
	if len(m.Waiting) > limit {
		m.Waiting = m.Waiting[:limit]
		m.Next = m.Waiting[limit-1].ID
	}
	m.GivenUp, err = s.givenUp(ctx)
	return m, err
}

func (s *Service) givenUp(ctx context.Context) ([]GivenUp, error) {
	f := storage.EventFilter{Action: mail.Failed}
	events, err := s.DB.EventsMatching(ctx, f, storage.EventKey{}, givenUp)
	if err != nil {
		return nil, fmt.Errorf("list the mails that were given up: %w", err)
	}
	out := make([]GivenUp, len(events))
	for i, e := range events {
		var details map[string]string
		if err := json.Unmarshal([]byte(e.Details), &details); err != nil {
			return nil, fmt.Errorf("read event %s: %w", e.ID, err)
		}
		attempts, _ := strconv.ParseInt(details["attempts"], 10, 64) // what it was written from
		out[i] = GivenUp{
			At: e.At.Time, Kind: details["kind"], To: details["to"], Reason: e.Reason,
			Error: details["error"], Attempts: attempts,
		}
	}
	return out, nil
}

// Sent is what became of a test mail.
type Sent struct {
	To   string
	OK   bool
	Said string // by the relay, or why it could not be asked
}

// SendTest sends, for who administers the server, a mail to an address now, past
// the queue, and tells what the relay said. An empty address is that of the
// administrator. [mail.ErrOff] if mail is not set up.
func (s *Service) SendTest(ctx context.Context, by audit.Actor, to string) (*Sent, error) {
	to, err := s.tester(ctx, by, to)
	if err != nil {
		return nil, err
	}
	if !s.Mail.Enabled() {
		return nil, mail.ErrOff
	}
	if by.Kind == audit.User {
		if err := s.Limits.Count(ctx, perTester, by.ID); err != nil {
			return nil, err
		}
	}
	reply, failure := s.Mail.Test(ctx, to) // which is recorded even if nobody waits for it any more
	sent := &Sent{To: to, OK: failure == nil, Said: reply}
	if failure != nil {
		sent.Said = failure.Error()
	}
	sent.Said = audit.Cut(sent.Said, maxReply)
	event := audit.Event{
		Action: "mail.test", TargetKind: "mail", Failed: !sent.OK, Details: map[string]string{"to": to},
	}
	if failure != nil {
		event.Reason, event.Details["error"] = "refused", sent.Said
	}
	now := steady.Now()
	err = s.DB.Update(context.WithoutCancel(ctx), func(tx *storage.Tx) error { return audit.Record(ctx, tx, by, now, event) })
	return sent, err
}

// tester decides whether by may send a test, and to whom.
func (s *Service) tester(ctx context.Context, by audit.Actor, to string) (string, error) {
	if err := s.mayAdminister(ctx, by); err != nil {
		return "", err
	}
	if to != "" || by.Kind != audit.User {
		return account.ParseEmail(to)
	}
	user, err := s.DB.User(ctx, by.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return "", ErrForbidden
	}
	if err != nil {
		return "", fmt.Errorf("look user %s up: %w", by.ID, err)
	}
	return user.Email, nil
}
