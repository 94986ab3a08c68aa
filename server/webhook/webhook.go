// Package webhook tells other programs what happens here: each webhook is a URL to which
// the events of the audit log are posted that it asks for, signed as Standard Webhooks
// 1.0.0 has it. Nothing is written for a webhook when an event is: a job reads the log
// behind the chain, which numbers what has committed, and never one event before another
// that commits later under a lower number. Where it has come to for a webhook, and what it
// has found, are kept in one transaction; so an event is told at least once whenever the
// server ends. What cannot be told is tried for three days, and a webhook to which nothing
// gets through is said to fail, and is turned off in the end. The package refuses to know
// what an event means.
//
// Read webhook.go (who may), describe.go and change.go (what is set), plan.go (from the log
// to what is to be told), send.go (one attempt), health.go (what an attempt says of the
// webhook), sign.go, receipt.go (what became of it).
package webhook

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"authy/server/audit"
	"authy/server/delivery"
	"authy/server/fault"
	"authy/server/managed"
	"authy/server/metric"
	"authy/server/outbound"
	"authy/server/steady"
	"authy/storage"
)

// What the package refuses.
var (
	ErrForbidden  = fault.New(fault.Forbidden, "forbidden", "You may not do this.")
	ErrNoWebhook  = fault.New(fault.NotFound, "webhook_not_found", "There is no such webhook.")
	ErrNoDelivery = fault.New(fault.NotFound, "delivery_not_found", "There is no such delivery to this webhook.")
	ErrTaken      = fault.New(fault.Conflict, "webhook_taken", "There is a webhook with this slug already.")
	ErrTooMany    = fault.New(fault.Conflict, "too_many_webhooks", "There are 50 webhooks at most.")
	ErrOff        = fault.New(fault.Conflict, "webhook_off", "This webhook is off: switch it on first.")
	ErrUnderWay   = fault.New(fault.Conflict, "delivery_under_way", "This is being delivered just now: look again shortly.")
)

// maxWebhooks is how many there are at most.
const maxWebhooks = 50

// Webhook is a webhook as it is kept.
type Webhook = storage.Webhook

// Delivery is what a webhook is told, or was told, of an event.
type Delivery = storage.Delivery

// Service keeps webhooks, and tells them of events.
type Service struct {
	db    *storage.DB
	out   *outbound.Client
	first *delivery.Lane[storage.Delivery] // what is told for the first time
	later *delivery.Lane[storage.Delivery] // what is tried again, and all for webhooks that fail

	counts *counts
}

// counts are the attempts of this process, and what it gave up.
type counts struct{ delivered, failed, lost metric.Counter }

// New returns the service over db, which posts by out.
func New(db *storage.DB, out *outbound.Client) *Service {
	s := &Service{db: db, out: out, counts: new(counts)}
	s.first = s.lane(storage.DeliveryPending, firstSlots, firstShare)
	s.later = s.lane(storage.DeliveryRetrying, laterSlots, laterShare)
	return s
}

// In returns s over db, such as a transaction that it takes part in ([storage.DB.In]).
func (s *Service) In(db *storage.DB) *Service {
	return &Service{db: db, out: s.out, first: s.first, later: s.later, counts: s.counts}
}

// lane is where attempts at deliveries in a state are made.
func (s *Service) lane(state string, slots, share int) *delivery.Lane[storage.Delivery] {
	return delivery.NewLane(delivery.Queue[storage.Delivery]{
		Name: "delivery", Slots: slots, Share: share,
		Due: func(ctx context.Context, full []string, limit int) ([]storage.Delivery, error) {
			return s.db.DueDeliveries(ctx, state, full, limit, steady.Now())
		},
		Names: func(d *storage.Delivery) (id, receiver string) { return d.ID, d.WebhookID },
		Take:  s.take, Try: s.try,
	})
}

// View is a webhook, and how far it has been told.
type View struct {
	*Webhook
	Waiting int   // deliveries that are to be tried, now or later
	Behind  int64 // events of the log that were not looked at for it yet
}

// mayManage is nil for who administers the server.
func mayManage(ctx context.Context, r storage.Reader, by audit.Actor) error {
	may, err := by.Administers(ctx, r)
	if err == nil && !may {
		return ErrForbidden
	}
	return err
}

// List returns every webhook in the order of their slugs.
func (s *Service) List(ctx context.Context, by audit.Actor) ([]Webhook, error) {
	if err := mayManage(ctx, s.db.Reader, by); err != nil {
		return nil, err
	}
	all, err := s.db.Webhooks(ctx)
	if err != nil {
		return nil, fmt.Errorf("list webhooks: %w", err)
	}
	return all, nil
}

// Show returns a webhook. [ErrNoWebhook] if there is none.
func (s *Service) Show(ctx context.Context, by audit.Actor, slug string) (*View, error) {
	h, err := find(ctx, s.db.Reader, by, slug)
	if err != nil {
		return nil, err
	}
	last, err := s.db.LastLinkedEvent(ctx)
	if err != nil {
		return nil, fmt.Errorf("look the end of the audit log up: %w", err)
	}
	waiting, err := s.db.CountWaiting(ctx, h.ID)
	if err != nil {
		return nil, fmt.Errorf("count what webhook %s is to be told: %w", slug, err)
	}
	view := &View{Webhook: h, Waiting: waiting}
	if h.IsActive {
		view.Behind = max(last-h.ReadSeq, 0)
	}
	return view, nil
}

// find returns a webhook to who may manage it.
func find(ctx context.Context, r storage.Reader, by audit.Actor, slug string) (*Webhook, error) {
	if err := mayManage(ctx, r, by); err != nil {
		return nil, err
	}
	if strings.ContainsRune(slug, 0) {
		return nil, ErrNoWebhook // storage refuses such text
	}
	h, err := r.WebhookBySlug(ctx, slug)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, ErrNoWebhook
	}
	if err != nil {
		return nil, fmt.Errorf("look webhook %s up: %w", audit.Cut(slug, 64), err)
	}
	return h, nil
}

// changeable is [find] for who is about to change a webhook. [managed.ErrManaged] if a file
// sets it, or one of its fields, where some are named.
func changeable(
	ctx context.Context, r storage.Reader, by audit.Actor, slug string, fields ...string,
) (*Webhook, error) {
	h, err := find(ctx, r, by, slug)
	if err != nil {
		return nil, err
	}
	return h, managed.Refuse(ctx, r, by, managed.Webhook, h.ID, fields...)
}

// event is an event about a webhook.
func event(action string, h *Webhook, details map[string]string) audit.Event {
	facts := map[string]string{"slug": h.Slug}
	for name, value := range details {
		facts[name] = value
	}
	return audit.Event{
		Action: action, TargetKind: targetKind, TargetID: h.ID, OrgID: string(h.OrganizationID), Details: facts,
	}
}

// targetKind is what events about webhooks are about.
const targetKind = "webhook"

// Counts returns how many attempts of this process to tell webhooks of an event have worked,
// and how many have not, and how many events it has given up telling one of.
func (s *Service) Counts() (delivered, failed, givenUp int64) {
	return s.counts.delivered.Value(), s.counts.failed.Value(), s.counts.lost.Value()
}
