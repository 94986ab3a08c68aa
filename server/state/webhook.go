package state

import (
	"context"
	"errors"
	"fmt"

	"authy/server/managed"
	"authy/server/webhook"
	"authy/storage"
)

// Webhook is where another program is told of events.
type Webhook struct {
	object
	Slug         string   `toml:"slug"`
	Organization string   `toml:"organization"` // its slug
	Name         string   `toml:"name"`
	URL          string   `toml:"url"`
	IsActive     bool     `toml:"is_active"`
	Actions      []string `toml:"actions"`
	SecretFile   string   `toml:"secret_file"`
	SecretEnv    string   `toml:"secret_env"`

	secret string
}

func (h *Webhook) fill() { h.IsActive, h.Actions = true, []string{"*"} }

func (h *Webhook) label() (kind, name string) { return managed.Webhook, h.Slug }

func (h *Webhook) alias() map[string]string {
	if h.SecretEnv != "" {
		return map[string]string{"secret": "secret_env", "organization_id": "organization"}
	}
	return map[string]string{"secret": "secret_file", "organization_id": "organization"}
}

func (h *Webhook) find(ctx context.Context, r *run) (string, error) {
	known, err := r.tx.WebhookBySlug(ctx, h.Slug)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("look webhook %s up: %w", h.Slug, err)
	}
	return known.ID, nil
}

func (h *Webhook) write(ctx context.Context, r *run, id string) (string, error) {
	orgID, err := r.orgID(ctx, h.path, h.Organization)
	if err != nil {
		return "", err
	}
	d := webhook.Description{
		Slug: h.Slug, Name: h.Name, URL: h.URL, Actions: h.Actions, OrganizationID: orgID, Disabled: !h.IsActive, Secret: h.secret,
	}
	if id == "" {
		return h.create(ctx, r, d)
	}
	known, err := r.tx.Webhook(ctx, id)
	if err != nil {
		return "", fmt.Errorf("look webhook %s up: %w", h.Slug, err)
	}
	if h.secret != "" && h.secret != known.Secret {
		r.aside = append(r.aside, Field{Key: "secret"})
	}
	// What a file wants on is to miss nothing.
	resume := h.IsActive && !known.IsActive
	_, err = r.rules.Webhooks.Update(ctx, r.by, h.Slug, resume, func(now *webhook.Description) { *now = d })
	return id, err
}

// create adds a webhook. One without a secret gets one that nobody knows.
func (h *Webhook) create(ctx context.Context, r *run, d webhook.Description) (string, error) {
	if h.secret == "" {
		r.plan.Notes = append(r.plan.Notes, fmt.Sprintf(
			"Webhook %q signs by a secret that nobody knows: name one with secret_file or secret_env, or run 'authy webhook rotate %[1]s'.", h.Slug))
	}
	made, _, err := r.rules.Webhooks.Create(ctx, r.by, d)
	if err != nil {
		return "", err
	}
	return made.ID, nil
}

func (h *Webhook) describe(ctx context.Context, r *run, id string) (entry, error) {
	known, err := r.tx.Webhook(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("look webhook %s up: %w", id, err)
	}
	return r.describeWebhook(ctx, known)
}

func (r *run) describeWebhook(ctx context.Context, known *storage.Webhook) (*Webhook, error) {
	slug, err := r.slugOf(ctx, known.OrganizationID)
	if err != nil {
		return nil, err
	}
	return &Webhook{
		Slug: known.Slug, Organization: slug, Name: known.Name, URL: known.URL, IsActive: known.IsActive, Actions: known.Actions,
	}, nil
}

func (r *run) readWebhooks(ctx context.Context, d *Document) error {
	all, err := r.tx.Webhooks(ctx)
	if err != nil {
		return fmt.Errorf("list webhooks: %w", err)
	}
	for i := range all {
		h, err := r.describeWebhook(ctx, &all[i])
		if err != nil {
			return err
		}
		h.comments = []string{"Its secret is not in here: name it with secret_file or secret_env."}
		d.Webhooks = append(d.Webhooks, h)
	}
	return nil
}
