package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// The states of a delivery.
const (
	DeliveryPending   = "pending"  // on its way for the first time
	DeliveryRetrying  = "retrying" // tried, and to be tried again
	DeliveryDelivered = "delivered"
	DeliveryFailed    = "failed" // given up
	DeliveryHeld      = "held"   // until its webhook is on again
)

// undelivered is SQL for those that are to be tried, now or later.
const undelivered = "state IN ('pending', 'retrying')"

// Delivery is what a webhook is told, or was told, of an event.
type Delivery struct {
	bun.BaseModel `bun:"table:deliveries"`
	ID            string `bun:",pk"`
	WebhookID     string
	EventID       string // unique for the webhook
	Action        string // of the event
	IsTest        bool   // it is tried once
	IsQuiet       bool   // nothing is recorded of how it fares
	State         string
	Attempts      int64  // the present one included
	Status        int64  // of the last answer; 0 if there was none
	Took          int64  // milliseconds that the last attempt took
	LastError     string // of the last attempt
	CreatedAt     Time
	NextAt        Time // of the next attempt; zero if there is none
	NotBefore     Time // no attempt is made ahead of its time before then
	DeliveredAt   Time
	ExpiresAt     Time // when it is forgotten
}

// Delivery returns the delivery with an id.
func (r Reader) Delivery(ctx context.Context, id string) (*Delivery, error) {
	return find[Delivery](ctx, r, "id = ?", id)
}

// Deliveries returns at most limit deliveries to a webhook, in a state or in any for "",
// with ids before the given one (which may be ""), the newest first.
func (r Reader) Deliveries(ctx context.Context, webhookID, state, before string, limit int) ([]Delivery, error) {
	var out []Delivery
	q := r.bun.NewSelect().Conn(r.conn).Model(&out).Where("webhook_id = ?", webhookID)
	if state != "" {
		q.Where("state = ?", state)
	}
	if before != "" {
		q.Where("id < ?", before)
	}
	err := q.OrderExpr("id DESC").Limit(int64(limit)).Scan(ctx)
	return out, translate(err)
}

// CountWaiting returns how many deliveries to a webhook are to be tried, now or later.
func (r Reader) CountWaiting(ctx context.Context, webhookID string) (n int, err error) {
	err = r.conn.hotRow(ctx, "SELECT count(*) FROM deliveries WHERE webhook_id = ? AND "+undelivered, webhookID).Scan(&n)
	return n, translate(err)
}

// DueDeliveries returns at most limit deliveries in a state that are to be tried at now,
// the longest due first, without those to some webhooks.
func (r Reader) DueDeliveries(ctx context.Context, state string, without []string, limit int, now time.Time) ([]Delivery, error) {
	var due []Delivery
	q := r.bun.NewSelect().Conn(r.conn).Model(&due).Where("state = ? AND next_at <= ?", state, At(now))
	if len(without) > 0 {
		q.Where("webhook_id NOT IN (?)", bun.List(without))
	}
	err := q.OrderExpr("next_at, id").Limit(int64(limit)).Scan(ctx)
	return due, translate(err)
}

// InsertDelivery adds a delivery; [ErrTaken] says that the webhook has one of the event.
func (tx *Tx) InsertDelivery(ctx context.Context, d *Delivery) error { return insert(ctx, tx, d) }

// InsertDeliveries adds deliveries but for those of which the webhook has one of the event.
func (tx *Tx) InsertDeliveries(ctx context.Context, all []Delivery) error {
	_, err := tx.bun.NewInsert().Conn(tx.conn).Model(&all).On("CONFLICT (webhook_id, event_id) DO NOTHING").Exec(ctx)
	return translate(err)
}

// TakeDelivery gives the caller a delivery that is due until the given time, and counts
// the attempt; [ErrNotFound] says that someone else was first.
func (tx *Tx) TakeDelivery(ctx context.Context, due Delivery, until time.Time) (*Delivery, error) {
	res, err := tx.conn.hot(ctx, "UPDATE deliveries SET next_at = ?, attempts = attempts + 1 WHERE id = ? AND next_at = ?",
		At(until).UnixMilli(), due.ID, due.NextAt.UnixMilli())
	if err != nil {
		return nil, translate(err)
	}
	if err := one(res); err != nil {
		return nil, err
	}
	return find[Delivery](ctx, tx.Reader, "id = ?", due.ID)
}

// SaveDelivery writes what became of a delivery that the caller has taken until the given
// time; [ErrNotFound] says that somebody else has it by now, or that it was taken back.
func (tx *Tx) SaveDelivery(ctx context.Context, d *Delivery, until time.Time) error {
	res, err := tx.bun.NewUpdate().Conn(tx.conn).Model(d).
		Column("state", "status", "took", "last_error", "next_at", "not_before", "delivered_at", "expires_at").
		WherePK().Where("next_at = ?", At(until)).Exec(ctx)
	if err != nil {
		return translate(err)
	}
	return one(res)
}

// SaveDeliveryAgain has a delivery that nobody is trying be tried at now; [ErrNotFound]
// says that somebody may be, until then.
func (tx *Tx) SaveDeliveryAgain(ctx context.Context, id string, now, until time.Time) error {
	res, err := tx.conn.hot(ctx, `UPDATE deliveries SET state = 'pending', next_at = ?, last_error = ''
		WHERE id = ? AND (next_at IS NULL OR next_at > ?)`, At(now).UnixMilli(), id, At(until).UnixMilli())
	if err != nil {
		return translate(err)
	}
	return one(res)
}

// SaveDeliveriesAside has what waits to be told to a webhook for the first time wait with
// what is tried again.
func (tx *Tx) SaveDeliveriesAside(ctx context.Context, webhookID string) error {
	_, err := tx.conn.hot(ctx, `UPDATE deliveries SET state = 'retrying'
		WHERE webhook_id = ? AND state = 'pending'`, webhookID)
	return translate(err)
}

// SaveDeliveriesSooner has those deliveries to a webhook be tried at now that are to be
// later than a time until which somebody may be trying them.
func (tx *Tx) SaveDeliveriesSooner(ctx context.Context, webhookID string, now, until time.Time) error {
	_, err := tx.conn.hot(ctx, `UPDATE deliveries SET next_at = ?, not_before = NULL
		WHERE webhook_id = ? AND next_at > ? AND `+undelivered,
		At(now).UnixMilli(), webhookID, At(until).UnixMilli())
	return translate(err)
}

// SaveDeliveriesAhead is [Tx.SaveDeliveriesSooner] for those that may be tried ahead of
// their time, and no sooner than they may. One that is tried so is not again before the
// time that it had.
func (tx *Tx) SaveDeliveriesAhead(ctx context.Context, webhookID string, now, until time.Time) error {
	at := At(now).UnixMilli()
	_, err := tx.conn.hot(ctx, `UPDATE deliveries
		SET next_at = CASE WHEN not_before > ? THEN not_before ELSE ? END, not_before = next_at
		WHERE webhook_id = ? AND next_at > ? AND (not_before IS NULL OR not_before < next_at) AND `+undelivered,
		at, at, webhookID, At(until).UnixMilli())
	return translate(err)
}

// SaveDeliveriesHeld holds what waits to be told to a webhook.
func (tx *Tx) SaveDeliveriesHeld(ctx context.Context, webhookID string) error {
	_, err := tx.conn.hot(ctx, "UPDATE deliveries SET state = 'held', next_at = NULL WHERE webhook_id = ? AND "+undelivered, webhookID)
	return translate(err)
}

// SaveDeliveriesFreed has what was held for a webhook be tried at now.
func (tx *Tx) SaveDeliveriesFreed(ctx context.Context, webhookID string, now time.Time) error {
	_, err := tx.conn.hot(ctx, `UPDATE deliveries SET state = 'retrying', next_at = ?, not_before = NULL
		WHERE webhook_id = ? AND state = 'held'`, At(now).UnixMilli(), webhookID)
	return translate(err)
}

// SaveDeliveriesDropped gives up what was held for a webhook, and says why.
func (tx *Tx) SaveDeliveriesDropped(ctx context.Context, webhookID, why string) error {
	_, err := tx.conn.hot(ctx, "UPDATE deliveries SET state = 'failed', last_error = ? WHERE webhook_id = ? AND state = 'held'",
		why, webhookID)
	return translate(err)
}
