package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"authy/server/audit"
	"authy/server/delivery"
	"authy/server/outbound"
	"authy/server/steady"
	"authy/storage"
)

const (
	// Slots are how many attempts are made at once, and shares how many of them at one
	// webhook: one that hangs does not hold the others up.
	firstSlots, firstShare = 16, 4
	laterSlots, laterShare = 8, 2
	// lease is how long an attempt belongs to whoever makes it: longer than it can take.
	lease = 20 * time.Second
	// giveUp is how long a webhook is tried with one event: the tenth attempt comes before.
	giveUp = 84 * time.Hour
	// maxAnswer is how much of an answer is read, in bytes; nobody looks at it.
	maxAnswer = 64 << 10
	// maxRetryAfter is how long a receiver may ask to be left alone.
	maxRetryAfter = 24 * time.Hour
	// maxWhy is how much of an error is kept, in bytes.
	maxWhy = 300
)

// waits are how long after each attempt comes the next: those that Standard Webhooks 1.0.0
// suggests under "Deliverability and reliability".
var waits = delivery.Waits{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour, 10 * time.Hour,
	14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// Why an attempt is not made again as a matter of course.
var (
	errGone    = errors.New("it answered 410: it wants no more of this")
	errNoEvent = errors.New("the event is not in the audit log any more")
	errOff     = errors.New("the webhook is off")
)

// attempt is what became of one.
type attempt struct {
	status int           // of the answer, 0 if there was none
	took   time.Duration // until it was read
	wait   time.Duration // for which the receiver asks
	err    error         // nil if the receiver has taken it
}

// take makes a delivery the caller's for as long as an attempt may take; nil if it is
// somebody else's.
func (s *Service) take(ctx context.Context, due storage.Delivery) (taken *storage.Delivery, err error) {
	until := steady.Now().Add(lease)
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		taken, err = tx.TakeDelivery(ctx, due, until)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil //nolint:nilnil // it is somebody else's
	}
	if err != nil {
		return nil, fmt.Errorf("take delivery %s: %w", due.ID, err)
	}
	return taken, nil
}

// try tells a webhook of an event, and notes what became of it.
func (s *Service) try(ctx context.Context, d *storage.Delivery) {
	ctx, cancel := delivery.Linger(ctx)
	defer cancel()
	if err := s.tell(ctx, d); err != nil && !errors.Is(err, storage.ErrNotFound) {
		slog.WarnContext(ctx, "delivery to a webhook not noted, trying again", "delivery", d.ID, "err", err)
	}
}

// tell is try for who wants to know whether the note was made.
func (s *Service) tell(ctx context.Context, d *storage.Delivery) error {
	a := s.post(ctx, d)
	if a.err == nil {
		s.counts.delivered.Inc()
	} else {
		s.counts.failed.Inc()
	}
	return s.settle(ctx, d, a)
}

// post makes an attempt.
func (s *Service) post(ctx context.Context, d *storage.Delivery) (a attempt) {
	h, err := s.db.Webhook(ctx, d.WebhookID)
	if err != nil {
		return attempt{err: fmt.Errorf("look the webhook up: %w", err)}
	}
	if !h.IsActive {
		return attempt{err: errOff}
	}
	e, err := s.db.Event(ctx, d.EventID)
	if errors.Is(err, storage.ErrNotFound) {
		return attempt{err: errNoEvent}
	}
	if err != nil {
		return attempt{err: fmt.Errorf("look the event up: %w", err)}
	}
	body, err := bodyOf(e)
	if err != nil {
		return attempt{err: err}
	}
	began := steady.Now()
	head, err := header(h, e.ID, began, body)
	if err != nil {
		return attempt{err: err}
	}
	answer, err := s.out.Ask(ctx, outbound.Question{URL: h.URL, Body: body, Header: head, Limit: maxAnswer, Brief: true})
	a.took = steady.Since(began)
	if err != nil {
		a.err = bare(err)
		return a
	}
	a.status, a.wait, a.err = answer.Status, retryAfter(answer.Header, steady.Now()), verdict(answer.Status)
	return a
}

// bare is an error of a request without the URL, which may be all that guards the receiver.
func bare(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	if asked, ok := errors.AsType[*url.Error](err); ok {
		return asked.Err
	}
	return err
}

// verdict is nil for a status that says that the receiver has taken an event (Standard
// Webhooks 1.0.0, "Delivery success and failure").
func verdict(status int) error {
	switch {
	case status >= 200 && status <= 299:
		return nil
	case status >= 300 && status <= 399:
		return fmt.Errorf("it answered %d: redirects are not followed", status)
	case status == http.StatusGone:
		return errGone
	}
	return fmt.Errorf("it answered %d", status)
}

// retryAfter is how long an answer asks to be left alone (RFC 9110, section 10.2.3).
func retryAfter(head http.Header, now time.Time) time.Duration {
	text := head.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		wait = time.Duration(min(seconds, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

// settle notes what became of an attempt, and what that says of the webhook.
func (s *Service) settle(ctx context.Context, d *storage.Delivery, a attempt) error {
	until, now := d.NextAt.Time, steady.Now()
	a.writeTo(d, now)
	level := slog.LevelDebug
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := tx.SaveDelivery(ctx, d, until); err != nil {
			return err
		}
		h, err := tx.Webhook(ctx, d.WebhookID)
		if err != nil {
			return err
		}
		switch {
		case a.err == nil:
			return well(ctx, tx, now, h, d)
		case d.IsTest:
			return nil
		}
		before := *h
		err = ill(ctx, tx, now, h, d, a.err)
		level = levelOf(&before, h, d)
		return err
	})
	if a.err != nil {
		slog.Log(ctx, level, "webhook not told of an event", "webhook_id", d.WebhookID, "delivery", d.ID, "state", d.State,
			"attempts", d.Attempts, "err", a.err)
	}
	if err == nil && d.State == storage.DeliveryFailed {
		s.counts.lost.Inc()
	}
	return err
}

// levelOf is how much it matters that an attempt has not worked: a warning when the webhook
// begins to fail, is said to, or is turned off, and when the event is given up. What comes
// between would be a line for each attempt at each event.
func levelOf(before, now *Webhook, d *storage.Delivery) slog.Level {
	begins := before.FailingSince.IsZero() && d.Attempts == 1
	if begins || d.State == storage.DeliveryFailed || StateOf(before) != StateOf(now) {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// writeTo writes what became of an attempt to its delivery.
func (a attempt) writeTo(d *storage.Delivery, now time.Time) {
	d.Status, d.Took, d.LastError, d.NextAt = int64(a.status), a.took.Milliseconds(), "", storage.Time{}
	if a.err == nil {
		d.State, d.DeliveredAt = storage.DeliveryDelivered, storage.At(now)
		d.ExpiresAt = storage.At(now.Add(keptDelivered))
		return
	}
	d.LastError = audit.Cut(a.err.Error(), maxWhy)
	next := now.Add(max(delivery.Spread(waits.After(d.Attempts)), a.wait))
	if d.IsTest || errors.Is(a.err, errNoEvent) || next.Sub(d.CreatedAt.Time) > giveUp {
		d.State = storage.DeliveryFailed
		d.ExpiresAt = storage.At(now.Add(keptFailed))
		return
	}
	// What was refused, or fails ahead of its time, waits for no receiver but for its time.
	own := a.refused() || d.NotBefore.After(now)
	d.State, d.NextAt, d.NotBefore = storage.DeliveryRetrying, storage.At(next), storage.At(now.Add(a.wait))
	if own {
		d.NotBefore = d.NextAt
	}
}

// refused says that the receiver is there, and does not want this event.
func (a attempt) refused() bool {
	return a.status != 0 && a.status < http.StatusInternalServerError && a.status != http.StatusRequestTimeout
}
