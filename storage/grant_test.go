package storage_test

import (
	"context"
	"testing"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestEveryLiveGrantOfAUserIsRevokedAtOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, other := newWorld(t, db), newWorld(t, db)
		ended, second := newGrant(w.user, w.client), newGrant(w.user, w.client)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.RevokeGrant(ctx, other.grant.ID, "none of this", noon)
			return first(err, tx.InsertGrant(ctx, ended), tx.InsertGrant(ctx, second))
		})
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.RevokeGrant(ctx, ended.ID, "earlier", noon)
			return err
		})
		reason := func(id string) string {
			g, err := db.Grant(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			return g.RevokedReason
		}
		reason(w.grant.ID) // so that it is cached
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			n, err := tx.RevokeGrants(ctx, w.user.ID, "all", noon)
			if n != 2 {
				t.Errorf("RevokeGrants() = %d, want 2", n)
			}
			return err
		})
		for id, want := range map[string]string{
			w.grant.ID: "all", second.ID: "all", ended.ID: "earlier", other.grant.ID: "none of this",
		} {
			if got := reason(id); got != want {
				t.Errorf("a grant was revoked for %q, want %q", got, want)
			}
		}
	})
}

func TestAllThatIsKeptAboutAUserIsListed(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx, w, other := t.Context(), newWorld(t, db), newWorld(t, db)
		event := func(actor, target string) *storage.Event {
			e := newEvent()
			e.ActorID, e.TargetID = actor, target
			return e
		}
		mine, own, about := event(w.user.ID, "x"), event(w.user.ID, w.user.ID), event(other.user.ID, w.user.ID)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.RevokeSessions(ctx, w.user.ID, "", "ended", noon)
			return first(err, tx.InsertEvent(ctx, mine), tx.InsertEvent(ctx, own), tx.InsertEvent(ctx, about))
		})
		sessions, err := db.Sessions(ctx, w.user.ID)
		if err != nil || len(sessions) != 1 || sessions[0].RevokedReason != "ended" {
			t.Errorf("Sessions() = %v, %v, want the one that has ended", sessions, err)
		}
		grants, err := db.Grants(ctx, w.user.ID)
		if err != nil || len(grants) != 1 || grants[0].ID != w.grant.ID {
			t.Errorf("Grants() = %v, %v, want %s", grants, err, w.grant.ID)
		}
		by, err := db.EventsBy(ctx, w.user.ID, 10)
		if err != nil || len(by) != 2 {
			t.Errorf("EventsBy() = %v, %v, want two", by, err)
		}
		things, err := db.EventsAbout(ctx, w.user.ID, 10)
		if err != nil || len(things) != 1 || things[0].ID != about.ID {
			t.Errorf("EventsAbout() = %v, %v, want what the other one did", things, err)
		}
		if few, err := db.EventsBy(ctx, w.user.ID, 1); err != nil || len(few) != 1 || few[0].ID != own.ID {
			t.Errorf("EventsBy(1) = %v, %v, want the newest", few, err)
		}
	})
}
