package storage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

func newWebhook() *storage.Webhook {
	id := storage.NewID()
	return &storage.Webhook{
		ID: id, Slug: id, Name: odd, URL: "https://siem.example.com/?a=b", Actions: storage.Words{"user.*", "*"}, Secret: "now",
		Previous: "before", PreviousUntil: storage.At(noon), IsActive: true, CreatedAt: storage.At(noon), UpdatedAt: storage.At(noon),
	}
}

func newDelivery(h *storage.Webhook) *storage.Delivery {
	return &storage.Delivery{
		ID: storage.NewID(), WebhookID: h.ID, EventID: storage.NewID(), Action: "user.login", State: storage.DeliveryPending,
		CreatedAt: storage.At(noon), NextAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func TestAWebhookIsKeptWholeAndItsPlaceMovesFromWhereItWas(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx, h := t.Context(), newWebhook()
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.InsertWebhook(ctx, h) })
		got, err := db.WebhookBySlug(ctx, h.Slug)
		if diff := cmp.Diff(h, got, asKept); diff != "" || err != nil {
			t.Fatalf("WebhookBySlug(): %v (-want +got):\n%s", err, diff)
		}
		move := func(from, to int64) error {
			return db.Update(ctx, func(tx *storage.Tx) error { return tx.SaveWebhookRead(ctx, h.ID, from, to) })
		}
		if first, again := move(0, 7), move(0, 9); first != nil || !errors.Is(again, storage.ErrNotFound) {
			t.Errorf("moved: %v, and from where it is not: %v", first, again)
		}
		h.IsActive, h.ReadSeq = false, 99
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.SaveWebhook(ctx, h) })
		if got, err = db.Webhook(ctx, h.ID); err != nil || got.ReadSeq != 7 || got.IsActive {
			t.Errorf("saved: %+v, %v; want its place kept", got, err)
		}
		if err := move(7, 8); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("one that is off was moved: %v", err)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.SaveWebhooksBack(ctx, 5) })
		if got, err = db.Webhook(ctx, h.ID); err != nil || got.ReadSeq != 5 {
			t.Errorf("taken back: %+v, %v", got, err)
		}
	})
}

func TestADeliveryIsQueuedOnceAndTakenOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx, h := t.Context(), newWebhook()
		d := newDelivery(h)
		twice := *newDelivery(h)
		twice.EventID = d.EventID
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return errors.Join(tx.InsertWebhook(ctx, h), tx.InsertDelivery(ctx, d), tx.InsertDeliveries(ctx, []storage.Delivery{twice}))
		})
		due, err := db.DueDeliveries(ctx, storage.DeliveryPending, nil, 10, noon)
		if diff := cmp.Diff([]storage.Delivery{*d}, due, asKept); diff != "" || err != nil {
			t.Fatalf("DueDeliveries(): %v (-want +got):\n%s", err, diff)
		}
		if none, err := db.DueDeliveries(ctx, storage.DeliveryPending, []string{h.ID}, 10, noon); len(none) != 0 || err != nil {
			t.Errorf("DueDeliveries() without the webhook = %v, %v", none, err)
		}
		until := noon.Add(time.Minute)
		take := func() error {
			return db.Update(ctx, func(tx *storage.Tx) error {
				_, err := tx.TakeDelivery(ctx, due[0], until)
				return err
			})
		}
		if first, second := take(), take(); first != nil || !errors.Is(second, storage.ErrNotFound) {
			t.Errorf("taken: %v, and again: %v", first, second)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.SaveDeliveriesHeld(ctx, h.ID) })
		d.State = storage.DeliveryDelivered
		err = db.Update(ctx, func(tx *storage.Tx) error { return tx.SaveDelivery(ctx, d, until) })
		if n, bad := db.CountWaiting(ctx, h.ID); !errors.Is(err, storage.ErrNotFound) || n != 0 || bad != nil {
			t.Errorf("saved what was taken back: %v; %d wait, %v", err, n, bad)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.DeleteExpired(ctx, noon.Add(2*time.Hour), 10)
			return err
		})
		if all, err := db.Deliveries(ctx, h.ID, "", "", 10); len(all) != 0 || err != nil {
			t.Errorf("after their end: %v, %v", all, err)
		}
	})
}
