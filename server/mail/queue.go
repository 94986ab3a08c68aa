package mail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/server/words"
	"authy/storage"
)

const (
	// look is how often the queue is looked at, for what other nodes and
	// commands have put there and for what was to be tried again.
	look = time.Second
	// batch is how many mails are looked up at once, parallel how many of them
	// are sent at once.
	batch, parallel = 50, 4
	// firstWait is how long after a first attempt comes the second; each wait is
	// twice the one before, up to longestWait.
	firstWait, longestWait = 2 * time.Second, time.Hour
	// farewell is how long a message that is being handed over may still take
	// when the server stops.
	farewell = 5 * time.Second
	// slack is what a lease is longer than the relay may take.
	slack = 30 * time.Second
	// maxWhy is how much of an error is kept, in bytes.
	maxWhy = 300
)

// Failed is the action of the event that a mail was given up.
const Failed = "mail.failed"

// ErrOff is answered where mail is needed and not set up.
var ErrOff = fault.New(fault.Forbidden, "mail_off",
	"This server sends no mail. Ask its administrator.")

// Run sends what is queued until ctx ends.
func (q *Queue) Run(ctx context.Context) {
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		if q.round(ctx) && ctx.Err() == nil {
			continue
		}
		select {
		case <-tick.C:
		case <-q.wake:
		case <-ctx.Done():
			return
		}
	}
}

// round tries what is due, and says whether there may be more.
func (q *Queue) round(ctx context.Context) (more bool) {
	due, err := q.db.DueMails(ctx, batch, steady.Now())
	if err != nil {
		if ctx.Err() == nil {
			slog.WarnContext(ctx, "mail queue not read, trying again", "err", err)
		}
		return false
	}
	var sending sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, m := range due {
		slots <- struct{}{}
		sending.Go(func() {
			defer func() { <-slots }()
			if err := q.try(ctx, m); err != nil && ctx.Err() == nil {
				slog.WarnContext(ctx, "mail not seen to, trying again", "mail", m.ID, "err", err)
			}
		})
	}
	sending.Wait()
	return len(due) == batch && q.Enabled()
}

// try sends a mail that is due, if nobody else does.
func (q *Queue) try(ctx context.Context, due storage.Mail) error {
	now := steady.Now()
	if !now.Before(due.ExpiresAt.Time) {
		return q.giveUp(ctx, now, due, "expired")
	}
	if !q.Enabled() {
		return nil
	}
	m, err := q.lease(ctx, now, due)
	if m == nil {
		return err
	}
	ctx, cancel := linger(ctx)
	defer cancel()
	_, err = q.deliver(ctx, m)
	switch {
	case err == nil:
		return q.sent(ctx, m)
	case hopeless(err):
		m.LastError = audit.Cut(err.Error(), maxWhy)
		return q.giveUp(ctx, steady.Now(), *m, "refused")
	}
	return q.delay(ctx, m, err)
}

// linger returns a context that ends a little after ctx does.
func linger(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(farewell, cancel) })
	return longer, func() { stop(); cancel() }
}

// lease makes a mail the caller's for as long as sending may take; nil if it is
// somebody else's.
func (q *Queue) lease(ctx context.Context, now time.Time, due storage.Mail) (m *storage.Mail, err error) {
	until := now.Add(q.relay.config.Timeout.Duration + slack)
	err = q.db.Update(ctx, func(tx *storage.Tx) error {
		m, err = tx.LeaseMail(ctx, due, until)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("lease mail %s: %w", due.ID, err)
	}
	return m, nil
}

// deliver hands a mail to the relay.
func (q *Queue) deliver(ctx context.Context, m *storage.Mail) (reply string, err error) {
	var b body
	if err := json.Unmarshal(m.Body, &b); err != nil {
		return "", fmt.Errorf("read mail %s: %w", m.ID, err)
	}
	server, err := q.db.Branding(ctx)
	if err != nil {
		return "", fmt.Errorf("read what the server is called: %w", err)
	}
	l, err := q.wording.letter(Kind(m.Kind), b, server, q.publicURL)
	if err != nil {
		return "", err
	}
	return q.relay.send(ctx, q.wording, m.ID, m.Recipient, l)
}

func (q *Queue) sent(ctx context.Context, m *storage.Mail) error {
	err := q.db.Update(ctx, func(tx *storage.Tx) error { return tx.DeleteMail(ctx, m.ID) })
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return fmt.Errorf("note that mail %s was sent: %w", m.ID, err)
	}
	slog.DebugContext(ctx, "mail sent", "mail", m.ID, "kind", m.Kind, "attempts", m.Attempts)
	return nil
}

// delay has a mail tried again later, at the latest when it would be given up.
func (q *Queue) delay(ctx context.Context, m *storage.Mail, cause error) error {
	next := steady.Now().Add(wait(m.Attempts))
	if next.After(m.ExpiresAt.Time) {
		next = m.ExpiresAt.Time
	}
	slog.WarnContext(ctx, "mail not sent, trying again", "mail", m.ID, "kind", m.Kind, "attempts", m.Attempts,
		"next", next, "err", cause)
	err := q.db.Update(ctx, func(tx *storage.Tx) error {
		return tx.DelayMail(ctx, m, next, audit.Cut(cause.Error(), maxWhy))
	})
	if err != nil {
		return fmt.Errorf("put mail %s off: %w", m.ID, err)
	}
	return nil
}

// wait returns how long after an attempt, counted from 1, comes the next.
func wait(attempts int64) time.Duration {
	d := firstWait
	for range attempts - 1 {
		if d *= 2; d >= longestWait {
			return longestWait
		}
	}
	return d
}

// giveUp deletes a mail that did not get away, and records that.
func (q *Queue) giveUp(ctx context.Context, now time.Time, m storage.Mail, reason string) error {
	err := q.db.Update(ctx, func(tx *storage.Tx) error {
		if err := tx.DeleteMail(ctx, m.ID); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Server(), now, audit.Event{
			Action: Failed, Failed: true, Reason: reason, TargetKind: "mail", TargetID: m.ID,
			Details: map[string]string{
				"kind": m.Kind, "to": m.Recipient, "attempts": strconv.FormatInt(m.Attempts, 10), "error": m.LastError,
			},
		})
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil // somebody else was first
	}
	if err != nil {
		return fmt.Errorf("give mail %s up: %w", m.ID, err)
	}
	slog.ErrorContext(ctx, "mail given up", "mail", m.ID, "kind", m.Kind, "reason", reason, "attempts", m.Attempts,
		"err", m.LastError)
	return nil
}

// Test sends a mail to an address now and returns what the relay said.
// [ErrOff] if mail is not set up.
func (q *Queue) Test(ctx context.Context, address string) (reply string, err error) {
	if !q.Enabled() {
		return "", ErrOff
	}
	text, err := json.Marshal(body{Language: words.Choose(audit.FromContext(ctx).Languages).Tag()})
	if err != nil {
		return "", fmt.Errorf("write a test: %w", err)
	}
	return q.deliver(ctx, &storage.Mail{ID: storage.NewID(), Recipient: address, Kind: string(test), Body: text})
}
