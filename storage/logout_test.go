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

func newLogout(w *world, next time.Time) *storage.Logout {
	return &storage.Logout{
		ID: storage.NewID(), ClientID: storage.Ref(w.client.ID), UserID: w.user.ID, Subject: odd, SessionID: w.session.ID,
		URI: "https://rp.example.com/logout?a=b", State: storage.LogoutSent, CreatedAt: storage.At(noon),
		NextAt: storage.At(next), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
}

func TestALogoutIsTakenOnceAndKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx, w := t.Context(), newWorld(t, db)
		l, later := newLogout(w, noon), newLogout(w, noon.Add(time.Second))
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return errors.Join(tx.InsertLogout(ctx, l), tx.InsertLogout(ctx, later))
		})
		due, err := db.DueLogouts(ctx, storage.LogoutSent, nil, 10, noon)
		if diff := cmp.Diff([]storage.Logout{*l}, due, asKept); diff != "" || err != nil {
			t.Fatalf("DueLogouts(): %v (-want +got):\n%s", err, diff)
		}
		if none, err := db.DueLogouts(ctx, storage.LogoutSent, []string{w.client.ID}, 10, noon); len(none) != 0 || err != nil {
			t.Errorf("DueLogouts() without the client = %v, %v", none, err)
		}
		until := storage.At(noon.Add(time.Minute)).Time
		var taken *storage.Logout
		update(t, db, func(ctx context.Context, tx *storage.Tx) (err error) {
			taken, err = tx.TakeLogout(ctx, due[0], until)
			return err
		})
		if taken.Attempts != 1 || !taken.NextAt.Equal(until) {
			t.Errorf("taken: %+v", taken)
		}
		err = db.Update(ctx, func(tx *storage.Tx) error {
			_, err := tx.TakeLogout(ctx, due[0], until)
			return err
		})
		if !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("taken twice: %v", err)
		}
		taken.State, taken.LastError, taken.NextAt = storage.LogoutDelivered, odd, storage.Time{}
		taken.DeliveredAt = storage.At(until)
		save := func() error {
			return db.Update(ctx, func(tx *storage.Tx) error { return tx.SaveLogout(ctx, taken, until) })
		}
		if first, second := save(), save(); first != nil || !errors.Is(second, storage.ErrNotFound) {
			t.Errorf("saved: %v, and again: %v", first, second)
		}
		all, err := db.LogoutsOf(ctx, w.session.ID)
		if diff := cmp.Diff([]storage.Logout{*taken, *later}, all, asKept); diff != "" || err != nil {
			t.Errorf("LogoutsOf(): %v (-want +got):\n%s", err, diff)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			_, err := tx.DeleteExpired(ctx, noon.Add(2*time.Hour), 10)
			return err
		})
		if all, err := db.LogoutsOf(ctx, w.session.ID); len(all) != 0 || err != nil {
			t.Errorf("after their end: %v, %v", all, err)
		}
	})
}

func TestAVisitIsTakenOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		ctx, w := t.Context(), newWorld(t, db)
		visit := &storage.Visit{SessionID: w.session.ID, ClientID: w.client.ID, Subject: odd, CreatedAt: storage.At(noon)}
		insert := func() {
			t.Helper()
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				return errors.Join(tx.InsertVisit(ctx, visit), tx.InsertVisit(ctx, visit))
			})
		}
		take := func(do func(tx *storage.Tx) ([]storage.Visit, error), want ...storage.Visit) {
			t.Helper()
			var got []storage.Visit
			update(t, db, func(_ context.Context, tx *storage.Tx) (err error) {
				got, err = do(tx)
				return err
			})
			if diff := cmp.Diff(want, got, asKept); diff != "" {
				t.Errorf("taken (-want +got):\n%s", diff)
			}
		}
		one := func(tx *storage.Tx) ([]storage.Visit, error) { return tx.TakeVisits(ctx, w.session.ID) }
		all := func(except string) func(tx *storage.Tx) ([]storage.Visit, error) {
			return func(tx *storage.Tx) ([]storage.Visit, error) { return tx.TakeVisitsOf(ctx, w.user.ID, except) }
		}
		insert()
		if got, err := db.Visits(ctx, w.session.ID); err != nil || len(got) != 1 || got[0].Subject != odd {
			t.Errorf("Visits() = %v, %v", got, err)
		}
		take(one, *visit)
		take(one)
		insert()
		take(all(w.session.ID))
		take(all(""), *visit)
		take(all(""))
	})
}

func TestWhatEndsASessionIsNotSavedWithTheRest(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		s, u := *w.session, *w.user
		s.RevokedAt, u.SignedOutAt = storage.At(noon), storage.At(noon)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return errors.Join(tx.SaveSession(ctx, &s), tx.SaveUser(ctx, &u))
		})
		session, err := db.Session(t.Context(), s.ID)
		user, failed := db.User(t.Context(), u.ID)
		if err != nil || failed != nil || !session.RevokedAt.IsZero() || !user.SignedOutAt.IsZero() {
			t.Errorf("saved: %v, %v; %v, %v", session, err, user, failed)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			for _, want := range []bool{true, false} {
				if ended, err := tx.RevokeSession(ctx, s.ID, odd, noon); ended != want || err != nil {
					t.Errorf("RevokeSession() = %v, %v, want %v", ended, err, want)
				}
			}
			return tx.RevokeUser(ctx, u.ID, noon)
		})
		session, err = db.Session(t.Context(), s.ID)
		user, failed = db.User(t.Context(), u.ID)
		if err != nil || failed != nil || !session.RevokedAt.Equal(storage.At(noon).Time) || !user.SignedOutAt.Equal(storage.At(noon).Time) {
			t.Errorf("revoked: %v, %v; %v, %v", session, err, user, failed)
		}
	})
}
