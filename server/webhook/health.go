package webhook

import (
	"context"
	"errors"
	"strconv"
	"time"

	"authy/server/audit"
	"authy/storage"
)

const (
	// sayAfter is how long nothing gets through to a webhook before it is said to fail, if
	// nothing was given up before.
	sayAfter = time.Hour
	// offAfter is how long until it is turned off.
	offAfter = 5 * 24 * time.Hour
)

// Why the server turned a webhook off.
const (
	OffFailing = "failing" // nothing got through for five days
	OffGone    = "gone"    // the receiver answered 410
)

// How webhooks fare.
const (
	On        = "on"
	Failing   = "failing"    // it is said to fail
	Off       = "off"        // somebody has switched it off
	TurnedOff = "turned_off" // the server has
)

// StateOf says how a webhook fares.
func StateOf(h *Webhook) string {
	switch {
	case h.IsActive && h.FailedAt.IsZero():
		return On
	case h.IsActive:
		return Failing
	case h.OffReason != "":
		return TurnedOff
	}
	return Off
}

// well notes that a delivery has got through: if the one before had not, what may have
// waited for the receiver is tried now, while it is there.
func well(ctx context.Context, tx *storage.Tx, now time.Time, h *Webhook, d *storage.Delivery) error {
	if h.FailingSince.IsZero() {
		return nil
	}
	if err := tx.SaveWebhookHealth(ctx, h.ID, time.Time{}, time.Time{}); err != nil {
		return err
	}
	// What is to be tried within a lease may be under way.
	if err := tx.SaveDeliveriesAhead(ctx, h.ID, now, now.Add(lease)); err != nil {
		return err
	}
	if h.FailedAt.IsZero() || d.IsQuiet {
		return nil
	}
	return audit.Record(ctx, tx, audit.Server(), now, event("webhook.recovered", h, map[string]string{
		"failing_since": stamp(h.FailingSince.Time),
	}))
}

// ill notes that a delivery has not got through, says so when that has lasted, and turns
// the webhook off in the end. An event for each attempt would be one more to tell of: there
// is one each time that a webhook begins to fail, and none for events about that.
func ill(ctx context.Context, tx *storage.Tx, now time.Time, h *Webhook, d *storage.Delivery, cause error) error {
	since := h.FailingSince.Time
	if since.IsZero() {
		since = now
	}
	lasted := now.Sub(since)
	details := map[string]string{"failing_since": stamp(since), "error": d.LastError}
	switch {
	case !h.IsActive:
		return nil
	case errors.Is(cause, errGone):
		return turnOff(ctx, tx, now, h, OffGone, details)
	case lasted > offAfter:
		return turnOff(ctx, tx, now, h, OffFailing, details)
	case h.FailedAt.IsZero() && (d.State == storage.DeliveryFailed || lasted > sayAfter):
		h.FailedAt = storage.At(now)
		if err := tx.SaveWebhookHealth(ctx, h.ID, since, now); err != nil || d.IsQuiet {
			return err
		}
		failing := event("webhook.failed", h, details)
		failing.Failed, failing.Reason = true, "not_delivered"
		return audit.Record(ctx, tx, audit.Server(), now, failing)
	case h.FailingSince.IsZero():
		if err := tx.SaveWebhookHealth(ctx, h.ID, since, time.Time{}); err != nil {
			return err
		}
		return tx.SaveDeliveriesAside(ctx, h.ID) // else it would hold others up
	}
	return nil
}

// turnOff turns a webhook off. What waits is held, and the log is read on from where it was,
// if whoever switches it on wants that.
func turnOff(
	ctx context.Context, tx *storage.Tx, now time.Time, h *Webhook, reason string, details map[string]string,
) error {
	h.IsActive, h.OffReason, h.UpdatedAt = false, reason, storage.At(now)
	if err := tx.SaveWebhook(ctx, h); err != nil {
		return err
	}
	if err := tx.SaveDeliveriesHeld(ctx, h.ID); err != nil {
		return err
	}
	details["read_seq"] = strconv.FormatInt(h.ReadSeq, 10)
	off := event("webhook.disabled", h, details)
	off.Reason = reason
	return audit.Record(ctx, tx, audit.Server(), now, off)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
