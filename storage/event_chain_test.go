package storage_test

import (
	"context"
	"errors"
	"testing"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestEventsAreLinkedOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx := t.Context()
		if _, err := db.EventHead(ctx); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("EventHead = %v, want none", err)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			for range 3 {
				if err := tx.InsertEvent(ctx, newEvent()); err != nil {
					return err
				}
			}
			return nil
		})
		waiting, err := db.UnlinkedEvents(ctx, 2)
		if err != nil || len(waiting) != 2 || waiting[0].ID >= waiting[1].ID {
			t.Fatalf("UnlinkedEvents = %v, %v, want the two oldest", waiting, err)
		}
		for i := range waiting {
			waiting[i].Seq, waiting[i].Hash = int64(i+1), "hash'"
		}
		link := func(events []storage.Event) error {
			return db.Chain(ctx, func(tx *storage.Tx) error {
				if err := tx.SaveEventLinks(ctx, events); err != nil {
					return err
				}
				return tx.SaveEventHead(ctx, &storage.EventHead{Seq: events[len(events)-1].Seq, Hash: "h", Mark: "m"})
			})
		}
		if err := link(waiting); err != nil {
			t.Fatal(err)
		}
		waiting[0].Seq, waiting[1].Seq = 7, 8
		if err := link(waiting); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("linking again: %v, want ErrNotFound", err)
		}
		head, err := db.EventHead(ctx)
		if err != nil || head.Seq != 2 || head.Hash != "h" || head.Mark != "m" {
			t.Errorf("EventHead = %+v, %v", head, err)
		}
		linked, err := db.LinkedEvents(ctx, 1, 10)
		if err != nil || len(linked) != 1 || linked[0].Seq != 2 || linked[0].Hash != "hash'" || linked[0].ID != waiting[1].ID {
			t.Errorf("LinkedEvents = %+v, %v", linked, err)
		}
		last, err := db.LastLinkedEvent(ctx)
		if n, err2 := db.CountUnlinkedEvents(ctx); last != 2 || n != 1 || err != nil || err2 != nil {
			t.Errorf("last %d (%v), %d unlinked (%v), want 2 and 1", last, err, n, err2)
		}
	})
}
