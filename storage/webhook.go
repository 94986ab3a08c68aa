package storage

import (
	"context"
	"time"

	"github.com/uptrace/bun"
)

// Webhook is where another program is told of events of the audit log.
type Webhook struct {
	bun.BaseModel  `bun:"table:webhooks"`
	ID             string `bun:",pk"`
	Slug           string // its name in URLs; unique
	Name           string
	URL            string `bun:"url"`
	Actions        Words  // patterns of the actions that it is told of
	OrganizationID Ref    // whose events it is told of; "" for all
	SealedSecret   string
	SealedPrevious string
	Secret         string `bun:"-"` // sealed in the database, as is the one before
	Previous       string `bun:"-"`
	PreviousUntil  Time   // how long the one before signs, too
	IsActive       bool
	OffReason      string // why the server turned it off; "" if a person did
	CreatedAt      Time
	UpdatedAt      Time

	ReadSeq      int64 // the number of the last event that was looked at for it
	FailingSince Time  // since when nothing has got through; zero if the last did
	FailedAt     Time  // when it was said to fail; zero unless it does
}

// webhookProgress are the columns of webhooks that [Tx.SaveWebhook] leaves to the statements
// below it.
var webhookProgress = []string{"read_seq", "failing_since", "failed_at"}

// Webhook returns the webhook with an id.
func (r Reader) Webhook(ctx context.Context, id string) (*Webhook, error) {
	return r.openWebhook(find[Webhook](ctx, r, "id = ?", id))
}

// WebhookBySlug returns the webhook with a name in URLs.
func (r Reader) WebhookBySlug(ctx context.Context, slug string) (*Webhook, error) {
	return r.openWebhook(find[Webhook](ctx, r, "slug = ?", slug))
}

func (r Reader) openWebhook(h *Webhook, err error) (*Webhook, error) {
	if err != nil {
		return nil, err
	}
	secret, err := r.seals.open("webhooks.secret."+h.ID, h.SealedSecret)
	if err != nil {
		return nil, err
	}
	h.Secret = string(secret)
	if h.SealedPrevious == "" {
		return h, nil
	}
	previous, err := r.seals.open("webhooks.previous."+h.ID, h.SealedPrevious)
	h.Previous = string(previous)
	return h, err
}

// Webhooks returns every webhook in the order of their slugs, without their secrets.
func (r Reader) Webhooks(ctx context.Context) ([]Webhook, error) {
	return list[Webhook](ctx, r, "slug", "TRUE")
}

// InsertWebhook adds a webhook; [ErrTaken] says that its slug is in use.
func (tx *Tx) InsertWebhook(ctx context.Context, h *Webhook) error {
	tx.sealWebhook(h)
	return insert(ctx, tx, h)
}

// SaveWebhook writes every column of h but where it has come to in the log, and how it
// fares.
func (tx *Tx) SaveWebhook(ctx context.Context, h *Webhook) error {
	tx.sealWebhook(h)
	return save(ctx, tx, h, webhookProgress...)
}

func (tx *Tx) sealWebhook(h *Webhook) {
	h.SealedSecret, h.SealedPrevious = tx.seals.seal("webhooks.secret."+h.ID, []byte(h.Secret)), ""
	if h.Previous != "" {
		h.SealedPrevious = tx.seals.seal("webhooks.previous."+h.ID, []byte(h.Previous))
	}
}

// DeleteWebhook deletes a webhook with its deliveries.
func (tx *Tx) DeleteWebhook(ctx context.Context, id string) error {
	n, err := remove[Webhook](ctx, tx, "id = ?", id)
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}

// SaveWebhookRead notes that the events up to a number were looked at for an active
// webhook; [ErrNotFound] says that it was not where the caller found it.
func (tx *Tx) SaveWebhookRead(ctx context.Context, id string, from, to int64) error {
	res, err := tx.conn.hot(ctx, "UPDATE webhooks SET read_seq = ? WHERE id = ? AND read_seq = ? AND is_active = TRUE",
		to, id, from)
	if err != nil {
		return translate(err)
	}
	return one(res)
}

// SaveWebhooksBack has every webhook that is beyond an event go on behind it: the numbers
// that come after it are given anew.
func (tx *Tx) SaveWebhooksBack(ctx context.Context, seq int64) error {
	_, err := tx.conn.hot(ctx, "UPDATE webhooks SET read_seq = ? WHERE read_seq > ?", seq, seq)
	return translate(err)
}

// SaveWebhookHealth writes since when nothing gets through to a webhook, and when that
// was said.
func (tx *Tx) SaveWebhookHealth(ctx context.Context, id string, since, said time.Time) error {
	_, err := tx.bun.NewUpdate().Conn(tx.conn).Model((*Webhook)(nil)).
		Set("failing_since = ?", At(since)).Set("failed_at = ?", At(said)).Where("id = ?", id).Exec(ctx)
	return translate(err)
}
