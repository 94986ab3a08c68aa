package storage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestIncidentsAreKeptWholeAndTheNewestStays(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		for _, i := range []*storage.Incident{
			{
				ID: "00ff", Reference: "ref-0001", At: storage.At(noon), Status: 500, Method: "GET", Path: "/x",
				Code: "internal", Message: odd, Cause: odd, ExpiresAt: storage.At(noon.Add(time.Hour)),
			},
			{ID: "00ff", Reference: "ref-0002", At: storage.At(noon), ExpiresAt: storage.At(noon)},
		} {
			trip{
				name: i.Reference, want: i,
				write: func(ctx context.Context, tx *storage.Tx) error { return tx.SaveIncident(ctx, i) },
				read:  func(ctx context.Context, r storage.Reader) (any, error) { return r.Incident(ctx, i.ID) },
			}.check(t, db)
		}
		if _, err := db.Incident(t.Context(), "0100"); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("one that there is not: %v", err)
		}
	})
}
