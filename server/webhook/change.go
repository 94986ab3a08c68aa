package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"authy/server/audit"
	"authy/server/fault"
	"authy/server/steady"
	"authy/storage"
)

const (
	// DefaultGrace is how long the old secret signs beside a new one, unless it is said.
	DefaultGrace = 24 * time.Hour
	// MaxGrace is how long it may.
	MaxGrace = 7 * 24 * time.Hour
)

// Create adds a webhook as it is described, and returns the secret that it signs with: this
// once. It is told of what happens from now on. [ErrTaken] if its slug is in use.
func (s *Service) Create(ctx context.Context, by audit.Actor, d Description) (h *Webhook, secret string, err error) {
	d, now, secret := d.normal(), steady.Now(), cmp.Or(d.Secret, newSecret())
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if err := mayManage(ctx, tx.Reader, by); err != nil {
			return err
		}
		if err := s.check(ctx, tx.Reader, d); err != nil {
			return err
		}
		all, err := tx.Webhooks(ctx)
		if err != nil {
			return fmt.Errorf("count webhooks: %w", err)
		}
		if len(all) >= maxWebhooks {
			return ErrTooMany
		}
		last, err := tx.LastLinkedEvent(ctx)
		if err != nil {
			return fmt.Errorf("look the end of the audit log up: %w", err)
		}
		h = &Webhook{ID: storage.NewID(), Slug: d.Slug, Secret: secret, ReadSeq: last, CreatedAt: storage.At(now)}
		d.writeTo(h, now)
		err = tx.InsertWebhook(ctx, h)
		if errors.Is(err, storage.ErrTaken) {
			return ErrTaken
		}
		if err != nil {
			return fmt.Errorf("add webhook %s: %w", h.Slug, err)
		}
		return audit.Record(ctx, tx, by, now, event("webhook.create", h, differences(Description{}, d)))
	})
	if err != nil {
		return nil, "", err
	}
	return h, secret, nil
}

// Update changes a webhook by change, which may be called more than once. One that is
// switched on is told of what happens from then on; or, with resume, of what has happened
// since it was switched off, too.
func (s *Service) Update(
	ctx context.Context, by audit.Actor, slug string, resume bool, change func(*Description),
) (h *Webhook, err error) {
	now := steady.Now()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if h, err = changeable(ctx, tx.Reader, by, slug); err != nil {
			return err
		}
		return s.change(ctx, tx, by, now, h, resume, change)
	})
	if err != nil {
		return nil, err
	}
	s.later.Nudge()
	return h, nil
}

// change is [Service.Update] within a transaction.
func (s *Service) change(
	ctx context.Context, tx *storage.Tx, by audit.Actor, now time.Time, h *Webhook, resume bool, change func(*Description),
) error {
	before := describe(h)
	d := describe(h)
	change(&d)
	d.Slug = before.Slug
	if d = d.normal(); resume && (!before.Disabled || d.Disabled) {
		return fault.Field("resume", "It goes with switching on a webhook that is off.")
	}
	if err := s.check(ctx, tx.Reader, d); err != nil {
		return err
	}
	facts := differences(before, d)
	if d.Secret != "" && d.Secret != h.Secret {
		h.Previous, h.PreviousUntil = h.Secret, storage.At(now.Add(DefaultGrace))
		h.Secret, facts["secret"] = d.Secret, "changed"
	}
	if len(facts) == 0 {
		return nil
	}
	if resume {
		facts["resume"] = "true"
	}
	d.writeTo(h, now)
	if !d.Disabled {
		h.OffReason = ""
	}
	if err := tx.SaveWebhook(ctx, h); err != nil {
		return fmt.Errorf("change webhook %s: %w", h.Slug, err)
	}
	if err := switched(ctx, tx, h, before, d, resume, now); err != nil {
		return fmt.Errorf("switch webhook %s: %w", h.Slug, err)
	}
	return audit.Record(ctx, tx, by, now, event("webhook.update", h, facts))
}

// switched sees to what a webhook is still to be told, if it was switched on or off, or is
// told elsewhere.
func switched(
	ctx context.Context, tx *storage.Tx, h *Webhook, before, d Description, resume bool, now time.Time,
) error {
	switch {
	case before.URL != d.URL && !before.Disabled && !d.Disabled: // what waits may be taken there
		return tx.SaveDeliveriesSooner(ctx, h.ID, now, now.Add(lease))
	case before.Disabled == d.Disabled:
		return nil
	case d.Disabled:
		return tx.SaveDeliveriesHeld(ctx, h.ID)
	}
	h.FailingSince, h.FailedAt = storage.Time{}, storage.Time{}
	if err := tx.SaveWebhookHealth(ctx, h.ID, time.Time{}, time.Time{}); err != nil {
		return err
	}
	if resume {
		return tx.SaveDeliveriesFreed(ctx, h.ID, now)
	}
	last, err := tx.LastLinkedEvent(ctx)
	if err != nil {
		return err
	}
	if err := tx.SaveWebhookRead(ctx, h.ID, h.ReadSeq, last); err != nil {
		return err
	}
	h.ReadSeq = last
	return tx.SaveDeliveriesDropped(ctx, h.ID, "the webhook was switched off, and on again without what it had missed")
}

// Rotate gives a webhook a new secret, and returns it: this once. The old one signs beside
// it for a while.
func (s *Service) Rotate(
	ctx context.Context, by audit.Actor, slug string, grace time.Duration,
) (h *Webhook, secret string, err error) {
	if grace < 0 || grace > MaxGrace {
		return nil, "", fault.Field("grace", "Give a time from 0 to seven days.")
	}
	now, secret := steady.Now(), newSecret()
	err = s.db.Update(ctx, func(tx *storage.Tx) error {
		if h, err = changeable(ctx, tx.Reader, by, slug, "secret_file", "secret_env"); err != nil {
			return err
		}
		h.Previous, h.PreviousUntil = "", storage.Time{}
		if grace > 0 {
			h.Previous, h.PreviousUntil = h.Secret, storage.At(now.Add(grace))
		}
		h.Secret, h.UpdatedAt = secret, storage.At(now)
		if err := tx.SaveWebhook(ctx, h); err != nil {
			return fmt.Errorf("change the secret of webhook %s: %w", slug, err)
		}
		return audit.Record(ctx, tx, by, now, event("webhook.rotate", h, map[string]string{"grace": grace.String()}))
	})
	if err != nil {
		return nil, "", err
	}
	return h, secret, nil
}

// Remove deletes a webhook with its receipts; nothing more is told to it.
func (s *Service) Remove(ctx context.Context, by audit.Actor, slug string) error {
	now := steady.Now()
	return s.db.Update(ctx, func(tx *storage.Tx) error {
		h, err := changeable(ctx, tx.Reader, by, slug)
		if err != nil {
			return err
		}
		if err := tx.DeleteWebhook(ctx, h.ID); err != nil {
			return fmt.Errorf("delete webhook %s: %w", slug, err)
		}
		return audit.Record(ctx, tx, by, now, event("webhook.delete", h, nil))
	})
}
