package webhook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"authy/server/steady"
	"authy/storage"
)

const (
	// planEvery is how often the log is looked at for what is new.
	planEvery = time.Second
	// planSlice is how many events are looked at in one transaction.
	planSlice = 500
	// window is how many deliveries to a webhook wait at most. What comes after them stays
	// in the log until there is room: a receiver that is down costs no more than that.
	window = 1000
	// keptFailed is how long a receipt is kept, and keptDelivered how long one is of what
	// was delivered.
	keptFailed    = 30 * 24 * time.Hour
	keptDelivered = 3 * 24 * time.Hour
)

// Run tells webhooks of events until ctx ends.
func (s *Service) Run(ctx context.Context) {
	var parts sync.WaitGroup
	parts.Go(func() { s.first.Run(ctx) })
	parts.Go(func() { s.later.Run(ctx) })
	tick := time.NewTicker(planEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := s.Plan(ctx); err != nil && ctx.Err() == nil {
			slog.WarnContext(ctx, "events not looked at for webhooks, trying again", "err", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	parts.Wait()
}

// Plan queues what the log has for webhooks since it was last looked at. Several nodes may
// do so at once: each event is queued by one of them.
func (s *Service) Plan(ctx context.Context) error {
	all, err := s.db.Webhooks(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	last, err := s.db.LastLinkedEvent(ctx)
	if err != nil {
		return err
	}
	var errs []error // one that goes wrong holds no other up
	for i := range all {
		if h := &all[i]; h.IsActive && h.ReadSeq < last {
			if err := s.planFor(ctx, h); err != nil {
				errs = append(errs, fmt.Errorf("for webhook %s: %w", h.Slug, err))
			}
		}
	}
	return errors.Join(errs...)
}

// planFor queues what the log has for a webhook, as far as there is room.
func (s *Service) planFor(ctx context.Context, h *Webhook) error {
	for ctx.Err() == nil {
		waiting, err := s.db.CountWaiting(ctx, h.ID)
		if err != nil || waiting >= window {
			return err
		}
		events, err := s.db.LinkedEvents(ctx, h.ReadSeq, planSlice)
		if err != nil || len(events) == 0 {
			return err
		}
		wanted, to := pick(h, events, window-waiting, steady.Now())
		err = s.db.Update(ctx, func(tx *storage.Tx) error {
			if err := tx.SaveWebhookRead(ctx, h.ID, h.ReadSeq, to); err != nil || len(wanted) == 0 {
				return err
			}
			return tx.InsertDeliveries(ctx, wanted)
		})
		if errors.Is(err, storage.ErrNotFound) {
			return nil // another node has done it, or the webhook is off or gone
		}
		if err != nil {
			return err
		}
		if h.ReadSeq = to; len(wanted) > 0 {
			s.first.Nudge()
			s.later.Nudge()
		}
	}
	return ctx.Err()
}

// pick returns deliveries of those events that a webhook wants, as many as there is room
// for, and the number of the last event that was looked at. To a webhook to which nothing
// gets through they go with what is tried again, which holds nobody up.
func pick(h *Webhook, events []storage.Event, room int, now time.Time) (wanted []storage.Delivery, to int64) {
	state := storage.DeliveryPending
	if !h.FailingSince.IsZero() {
		state = storage.DeliveryRetrying
	}
	for i := range events {
		e := &events[i]
		if wants(h, e) {
			if len(wanted) == room {
				break
			}
			wanted = append(wanted, newDelivery(h, e, state, now))
		}
		to = e.Seq
	}
	return wanted, to
}

func newDelivery(h *Webhook, e *storage.Event, state string, now time.Time) storage.Delivery {
	return storage.Delivery{
		ID: storage.NewID(), WebhookID: h.ID, EventID: e.ID, Action: e.Action, IsQuiet: quiet(e), State: state,
		CreatedAt: storage.At(now), NextAt: storage.At(now), ExpiresAt: storage.At(now.Add(keptFailed)),
	}
}
