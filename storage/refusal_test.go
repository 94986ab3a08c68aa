package storage_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

func newRefusal(client *storage.Client) *storage.Refusal {
	return &storage.Refusal{
		ID: storage.NewID(), ClientID: client.ID, At: storage.At(noon.Truncate(time.Second)), Count: 1,
		Code: "invalid_request", ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func TestRefusalsAreKeptOneASecond(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		full, bare, again := newRefusal(w.client), newRefusal(w.client), newRefusal(w.client)
		full.Parameter, full.Description, full.Sent = "redirect_uri", odd, odd
		full.Registered = storage.Texts{"https://a.example/cb?x='y' z", odd}
		bare.At = storage.At(full.At.Add(time.Second))
		again.Count, again.Code = 7, "another"
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertRefusal(ctx, full), tx.InsertRefusal(ctx, bare), tx.InsertRefusal(ctx, again))
		})
		full.Count = 8
		got, err := db.Refusals(t.Context(), w.client.ID, 10)
		if diff := cmp.Diff([]storage.Refusal{*bare, *full}, got, asKept); diff != "" || err != nil {
			t.Errorf("Refusals(): %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestOldRefusalsGoAndThoseOfADeletedClient(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, other := newWorld(t, db), newClient()
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			err := first(tx.InsertClient(ctx, other), tx.InsertRefusal(ctx, newRefusal(other)))
			for i := range 7 {
				r := newRefusal(w.client)
				r.At = storage.At(r.At.Add(time.Duration(i) * time.Second))
				err = first(err, tx.InsertRefusal(ctx, r))
			}
			return first(err, tx.DeleteOldRefusals(ctx, w.client.ID, 3), tx.DeleteOldRefusals(ctx, other.ID, 3))
		})
		got, err := db.Refusals(t.Context(), w.client.ID, 10)
		if err != nil || len(got) != 3 || !got[0].At.Equal(noon.Truncate(time.Second).Add(6*time.Second)) {
			t.Errorf("left: %+v, %v, want the newest three", got, err)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.DeleteClient(ctx, w.client) })
		if n := count(t, db, "refusals"); n != "1" {
			t.Errorf("%s refusals are left, want the other client's", n)
		}
	})
}
