package api

import (
	"context"
	"time"

	"authy/server/audit"
	"authy/server/managed"
	"authy/server/session"
	"authy/server/webhook"
)

// webhookRoutes are for administrators of the server.
func (a *API) webhookRoutes() {
	const all = "/api/v1/admin/webhooks"
	const one = all + "/{webhook}"
	signed(a, "GET "+all, 200, "Webhooks retrieved successfully", "Where other programs are told what happens here", a.webhooks)
	signed(a, "POST "+all, 201, "Webhook created successfully", "Have a program told of events of the audit log", a.createWebhook)
	signed(a, "GET "+one, 200, "Webhook retrieved successfully", "One webhook, and how far it has been told", a.webhook)
	signed(a, "PATCH "+one, 200, "Webhook updated successfully", "Change a webhook, or switch it on or off", a.updateWebhook)
	signed(a, "DELETE "+one, 200, "Webhook deleted successfully", "Delete a webhook with its receipts", a.deleteWebhook)
	signed(a, "POST "+one+"/rotate", 200, "Webhook secret rotated successfully", "Give a webhook a new secret", a.rotateWebhook)
	signed(a, "POST "+one+"/test", 200, "Webhook tested", "Tell a webhook of an event of the type webhook.test, once", a.testWebhook)
	signed(a, "GET "+one+"/deliveries", 200, "Deliveries retrieved successfully", "What a webhook was told, the newest first", a.deliveries)
	signed(a, "POST "+one+"/deliveries/{delivery}/redeliver", 200, "Delivery queued", "Tell a webhook of an event again", a.redeliver)
}

// webhookView is a webhook without its secret.
type webhookView struct {
	Slug           string     `json:"slug" example:"siem"`
	Name           string     `json:"name" example:"Our SIEM"`
	URL            string     `json:"url" example:"https://siem.example.com/authy"`
	Actions        []string   `json:"actions" nullable:"false" example:"[\"user.*\"]" doc:"What it is told of: an action, user.* for all that begin so, * for all"`
	OrganizationID *string    `json:"organization_id" nullable:"true" doc:"Whose events it is told of; null for those of the whole server"`
	IsActive       bool       `json:"is_active"`
	State          string     `json:"state" enum:"on,failing,off,turned_off" doc:"turned_off: by the server, because nothing got through"`
	OffReason      *string    `json:"off_reason" nullable:"true" example:"gone" doc:"Why the server turned it off: failing, because nothing got through for five days, or gone, because the receiver answered 410"`
	FailingSince   *time.Time `json:"failing_since" nullable:"true" doc:"Since when nothing has got through; null if the last attempt has"`
	OldSecretUntil *time.Time `json:"old_secret_until" nullable:"true" doc:"How long the secret before signs, too"`
	CreatedAt      time.Time  `json:"created_at"`
	UpdatedAt      time.Time  `json:"updated_at"`
	Managed
}

func webhookViewOf(h *webhook.Webhook) webhookView {
	return webhookView{
		Slug: h.Slug, Name: h.Name, URL: h.URL, Actions: listOf(h.Actions), OrganizationID: orNull(string(h.OrganizationID)),
		IsActive: h.IsActive, State: webhook.StateOf(h), OffReason: orNull(h.OffReason),
		FailingSince: timeOrNull(h.FailingSince.Time), OldSecretUntil: timeOrNull(webhook.OldSecretUntil(h)),
		CreatedAt: h.CreatedAt.Time, UpdatedAt: h.UpdatedAt.Time, Managed: managedAs(managed.Webhook, h.ID),
	}
}

type webhooksOut struct {
	Webhooks []webhookView `json:"webhooks" nullable:"false"`
	Count    int           `json:"count"`
	PageOut
}

type webhooksIn struct{ PageIn }

func (a *API) webhooks(ctx context.Context, _ *session.Identity, by audit.Actor, in *webhooksIn) (*webhooksOut, error) {
	found, err := a.Webhooks.List(ctx, by)
	if err != nil {
		return nil, err
	}
	views, next, err := pageOf(found, in.PageIn, webhookViewOf, func(h *webhook.Webhook) string { return h.Slug })
	return &webhooksOut{Webhooks: views, Count: len(views), PageOut: next}, err
}

// WebhookSettings are what can be set and changed of a webhook; what is not sent stays as it
// is.
type WebhookSettings struct {
	Name           *string  `json:"name,omitempty" maxLength:"255" doc:"The slug unless it is sent"`
	Actions        []string `json:"actions,omitempty" nullable:"false" example:"[\"user.*\"]" doc:"All, unless they are sent"`
	OrganizationID *string  `json:"organization_id,omitempty" maxLength:"36" doc:"Empty for the whole server"`
	IsActive       *bool    `json:"is_active,omitempty"`
}

func (in WebhookSettings) writeTo(d *webhook.Description) {
	set(&d.Name, in.Name)
	setList(&d.Actions, in.Actions)
	set(&d.OrganizationID, in.OrganizationID)
	if in.IsActive != nil {
		d.Disabled = !*in.IsActive
	}
}

// NewWebhook describes a webhook to be added.
type NewWebhook struct {
	Slug string `json:"slug" example:"siem" doc:"Its name in URLs, for good"`
	URL  string `json:"url" maxLength:"2048" example:"https://siem.example.com/authy" doc:"Where events are posted"`
	WebhookSettings
}

type createWebhookIn struct{ Body NewWebhook }

// webhookSecretOut is a webhook with its secret.
type webhookSecretOut struct {
	Webhook webhookView `json:"webhook"`
	Secret  string      `json:"secret" doc:"Signs what is posted. Shown this once" example:"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"`
}

func (a *API) createWebhook(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *createWebhookIn,
) (*webhookSecretOut, error) {
	d := webhook.Description{Slug: in.Body.Slug, URL: in.Body.URL}
	in.Body.writeTo(&d)
	h, secret, err := a.Webhooks.Create(ctx, by, d)
	if err != nil {
		return nil, err
	}
	return &webhookSecretOut{webhookViewOf(h), secret}, nil
}

// WebhookIn names a webhook in the path.
type WebhookIn struct {
	Webhook string `path:"webhook" doc:"Its slug"`
}

// webhookOut is a webhook, and how far it has been told.
type webhookOut struct {
	Webhook webhookView `json:"webhook"`
	Waiting int         `json:"waiting" doc:"Deliveries that are to be tried, now or later"`
	Behind  int64       `json:"behind" doc:"Events of the log that were not looked at for it yet"`
}

func (a *API) webhook(ctx context.Context, _ *session.Identity, by audit.Actor, in *WebhookIn) (*webhookOut, error) {
	v, err := a.Webhooks.Show(ctx, by, in.Webhook)
	if err != nil {
		return nil, err
	}
	return &webhookOut{webhookViewOf(v.Webhook), v.Waiting, v.Behind}, nil
}

// WebhookChange is what to change of a webhook.
type WebhookChange struct {
	URL    *string `json:"url,omitempty" maxLength:"2048"`
	Resume bool    `json:"resume,omitempty" doc:"Where it is switched on: tell it what has happened since it was switched off"`
	WebhookSettings
}

type updateWebhookIn struct {
	WebhookIn
	Body WebhookChange
}

type changedWebhookOut struct {
	Webhook webhookView `json:"webhook"`
}

func (a *API) updateWebhook(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *updateWebhookIn,
) (*changedWebhookOut, error) {
	h, err := a.Webhooks.Update(ctx, by, in.Webhook, in.Body.Resume, func(d *webhook.Description) {
		set(&d.URL, in.Body.URL)
		in.Body.writeTo(d)
	})
	if err != nil {
		return nil, err
	}
	return &changedWebhookOut{webhookViewOf(h)}, nil
}

func (a *API) deleteWebhook(ctx context.Context, _ *session.Identity, by audit.Actor, in *WebhookIn) (*nothing, error) {
	return nil, a.Webhooks.Remove(ctx, by, in.Webhook)
}

type rotateWebhookIn struct {
	WebhookIn
	Body struct {
		Grace int64 `json:"grace,omitempty" default:"86400" minimum:"0" maximum:"604800" doc:"Seconds for which the old secret signs, too"`
	}
}

func (a *API) rotateWebhook(
	ctx context.Context, _ *session.Identity, by audit.Actor, in *rotateWebhookIn,
) (*webhookSecretOut, error) {
	h, secret, err := a.Webhooks.Rotate(ctx, by, in.Webhook, time.Duration(in.Body.Grace)*time.Second)
	if err != nil {
		return nil, err
	}
	return &webhookSecretOut{webhookViewOf(h), secret}, nil
}

// deliveryView is what became of telling a webhook of an event.
type deliveryView struct {
	ID            string     `json:"id" format:"uuid"`
	EventID       string     `json:"event_id" format:"uuid" doc:"The header webhook-id"`
	Action        string     `json:"action" example:"user.login"`
	IsTest        bool       `json:"is_test"`
	State         string     `json:"state" enum:"pending,retrying,delivered,failed,held" doc:"held: until the webhook is switched on"`
	Attempts      int64      `json:"attempts"`
	Status        *int64     `json:"status" nullable:"true" example:"204" doc:"What the receiver last answered; null if it did not"`
	Took          int64      `json:"took_ms" doc:"How long the last attempt took, in milliseconds"`
	LastError     *string    `json:"last_error" nullable:"true" doc:"Why the last attempt did not work"`
	CreatedAt     time.Time  `json:"created_at"`
	NextAttemptAt *time.Time `json:"next_attempt_at" nullable:"true"`
	DeliveredAt   *time.Time `json:"delivered_at" nullable:"true"`
}

func deliveryViewOf(d *webhook.Delivery) deliveryView {
	v := deliveryView{
		ID: d.ID, EventID: d.EventID, Action: d.Action, IsTest: d.IsTest, State: d.State, Attempts: d.Attempts,
		Took: d.Took, LastError: orNull(d.LastError), CreatedAt: d.CreatedAt.Time,
		NextAttemptAt: timeOrNull(d.NextAt.Time), DeliveredAt: timeOrNull(d.DeliveredAt.Time),
	}
	if d.Status != 0 {
		v.Status = &d.Status
	}
	return v
}

type deliveryOut struct {
	Delivery deliveryView `json:"delivery"`
}

func (a *API) testWebhook(ctx context.Context, _ *session.Identity, by audit.Actor, in *WebhookIn) (*deliveryOut, error) {
	d, err := a.Webhooks.Test(ctx, by, in.Webhook)
	if err != nil {
		return nil, err
	}
	return &deliveryOut{deliveryViewOf(d)}, nil
}

type deliveriesIn struct {
	WebhookIn
	PageIn
	State string `query:"state" enum:"pending,retrying,delivered,failed,held" doc:"Only those in this state"`
}

type deliveriesOut struct {
	Deliveries []deliveryView `json:"deliveries" nullable:"false"`
	Count      int            `json:"count"`
	PageOut
}

func (a *API) deliveries(ctx context.Context, _ *session.Identity, by audit.Actor, in *deliveriesIn) (*deliveriesOut, error) {
	after, err := in.after()
	if err != nil {
		return nil, err
	}
	found, next, err := a.Webhooks.Deliveries(ctx, by, in.Webhook, in.State, after, in.Limit)
	if err != nil {
		return nil, err
	}
	return &deliveriesOut{viewsOf(found, deliveryViewOf), len(found), PageOut{next}}, nil
}

type redeliverIn struct {
	WebhookIn
	Delivery string `path:"delivery" doc:"The id of the delivery"`
}

func (a *API) redeliver(ctx context.Context, _ *session.Identity, by audit.Actor, in *redeliverIn) (*deliveryOut, error) {
	d, err := a.Webhooks.Redeliver(ctx, by, in.Webhook, in.Delivery)
	if err != nil {
		return nil, err
	}
	return &deliveryOut{deliveryViewOf(d)}, nil
}
