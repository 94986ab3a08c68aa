package webhook

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

// States are the states of a delivery.
var States = []string{
	storage.DeliveryPending, storage.DeliveryRetrying, storage.DeliveryDelivered, storage.DeliveryFailed, storage.DeliveryHeld,
}

// The states of a delivery by name.
const (
	Pending   = storage.DeliveryPending
	Retrying  = storage.DeliveryRetrying
	Delivered = storage.DeliveryDelivered
	Failed    = storage.DeliveryFailed
	Held      = storage.DeliveryHeld
)

// Deliveries returns at most limit deliveries to a webhook, in a state or in any for "",
// the newest first, that come after the one with an id, and the id of the last: "" if there
// are no more.
func (s *Service) Deliveries(
	ctx context.Context, by audit.Actor, slug, state, after string, limit int,
) (out []Delivery, next string, err error) {
	h, err := find(ctx, s.db.Reader, by, slug)
	if err != nil {
		return nil, "", err
	}
	if state != "" && !slices.Contains(States, state) {
		return nil, "", fault.Field("state", "One of "+strings.Join(States, ", ")+".")
	}
	out, err = s.db.Deliveries(ctx, h.ID, state, after, limit+1)
	if err != nil {
		return nil, "", fmt.Errorf("list what webhook %s was told: %w", slug, err)
	}
	if len(out) > limit {
		out, next = out[:limit], out[limit-1].ID
	}
	return out, next, nil
}

// Redeliver has a webhook told of an event again, now. [ErrNoDelivery] if there is no such
// delivery, [ErrOff] if the webhook is off.
func (s *Service) Redeliver(ctx context.Context, by audit.Actor, slug, id string) (d *Delivery, err error) {
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		h, err := find(ctx, tx.Reader, by, slug)
		if err != nil {
			return err
		}
		if d, err = deliveryOf(ctx, tx.Reader, h, id); err != nil {
			return err
		}
		if !h.IsActive {
			return ErrOff
		}
		err = tx.SaveDeliveryAgain(ctx, id, now, now.Add(lease))
		if errors.Is(err, storage.ErrNotFound) {
			return ErrUnderWay
		}
		if err != nil {
			return fmt.Errorf("deliver %s again: %w", id, err)
		}
		d.State, d.NextAt, d.LastError = Pending, storage.At(now), ""
		return audit.Record(ctx, tx, by, now, event("webhook.redeliver", h, map[string]string{
			"delivery": d.ID, "event": d.EventID, "action": d.Action,
		}))
	})
	if err != nil {
		return nil, err
	}
	s.first.Nudge()
	return d, nil
}

func deliveryOf(ctx context.Context, r storage.Reader, h *Webhook, id string) (*Delivery, error) {
	if strings.ContainsRune(id, 0) {
		return nil, ErrNoDelivery // storage refuses such text
	}
	d, err := r.Delivery(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && d.WebhookID != h.ID {
		return nil, ErrNoDelivery
	}
	if err != nil {
		return nil, fmt.Errorf("look delivery %s up: %w", audit.Cut(id, 64), err)
	}
	return d, nil
}

// Test tells a webhook, whatever else it asks for, of an event that says that it is tested,
// once, and returns what became of it. [ErrOff] if the webhook is off.
func (s *Service) Test(ctx context.Context, by audit.Actor, slug string) (*Delivery, error) {
	now := steady.Now()
	var d *Delivery
	err := s.db.Update(ctx, func(tx *storage.Tx) error {
		h, err := find(ctx, tx.Reader, by, slug)
		if err != nil {
			return err
		}
		if !h.IsActive {
			return ErrOff
		}
		tested := event("webhook.test", h, nil)
		id, err := audit.RecordAs(ctx, tx, by, now, tested)
		if err != nil {
			return err
		}
		fresh := newDelivery(h, &storage.Event{ID: id, Action: tested.Action}, Pending, now)
		// It is the caller's from the beginning. If it dies, somebody else tells it.
		fresh.IsTest, fresh.Attempts, fresh.NextAt = true, 1, storage.At(now.Add(lease))
		d = &fresh
		return tx.InsertDelivery(ctx, d)
	})
	if err != nil {
		return nil, err
	}
	if err := s.tell(context.WithoutCancel(ctx), d); err != nil {
		return nil, fmt.Errorf("test webhook %s: %w", slug, err)
	}
	return d, nil
}
