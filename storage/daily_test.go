package storage_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestDailyCountsAreAddedOnce(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		add := func(after, upTo, n int64) (added bool) {
			t.Helper()
			update(t, db, func(ctx context.Context, tx *storage.Tx) (err error) {
				added, err = tx.SaveDailyCounts(ctx, after, upTo, []storage.DailyCount{
					{Day: "2026-11-20", Name: "sign_in", Part: "password", Count: n},
					{Day: "2026-11-21", Name: "sign_in", Part: odd, Count: n},
				})
				return err
			})
			return added
		}
		for _, c := range []struct {
			after, upTo int64
			want        bool
		}{{0, 5, true}, {0, 9, false}, {5, 9, true}, {5, 9, false}, {4, 12, false}} {
			if got := add(c.after, c.upTo, 10); got != c.want {
				t.Errorf("from %d to %d: added %v, want %v", c.after, c.upTo, got, c.want)
			}
		}
		if at, err := db.CountedEvents(t.Context()); at != 9 || err != nil {
			t.Errorf("counted up to %d, %v, want 9", at, err)
		}
		got, err := db.DailyCounts(t.Context(), "2026-11-21")
		want := []storage.DailyCount{{Day: "2026-11-21", Name: "sign_in", Part: odd, Count: 20}}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("DailyCounts(): %v (-want +got):\n%s", err, diff)
		}
	})
}

func TestThePopulationIsCounted(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w, now := newWorld(t, db), noon.Add(time.Minute)
		plain, safe, gone, old := newUser(), newUser(), newUser(), newUser()
		plain.IsAdmin, safe.IsAdmin, gone.IsAdmin = true, true, true
		gone.Status = storage.Suspended
		old.LastLoginAt = storage.At(now.AddDate(0, 0, -10))
		passkey := newPasskey(safe)
		alive, over, shut, idle := newSession(plain), newSession(plain), newSession(gone), newSession(safe)
		over.ExpiresAt, idle.LastActivityAt = storage.At(noon), storage.At(now.AddDate(0, 0, -2))
		failing, lost := logoutIn(w, storage.LogoutRetrying), logoutIn(w, storage.LogoutFailed)
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(
				tx.InsertUser(ctx, plain), tx.InsertUser(ctx, safe), tx.InsertUser(ctx, gone), tx.InsertUser(ctx, old),
				tx.InsertPasskey(ctx, passkey), tx.InsertSession(ctx, alive), tx.InsertSession(ctx, over),
				tx.InsertSession(ctx, shut), tx.InsertSession(ctx, idle),
				tx.InsertMail(ctx, &storage.Mail{ID: "a", CreatedAt: storage.At(noon), NextAt: storage.At(noon), ExpiresAt: storage.At(noon)}),
				tx.InsertMail(ctx, &storage.Mail{ID: "b", LastError: "no", CreatedAt: storage.At(noon), NextAt: storage.At(noon), ExpiresAt: storage.At(noon)}),
				tx.InsertLogout(ctx, failing), tx.InsertLogout(ctx, lost),
			)
		})
		got, err := db.Population(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		users := got.Users
		got.Users = nil
		want := &storage.Population{
			Admins: 2, PlainAdmins: 1, Organizations: 1, Clients: 1, Services: 1, Sessions: 3,
			ActiveDay: 3, ActiveWeek: 4, ActiveMonth: 5,
			Mails: 2, MailsFailing: 1, Logouts: 1, LogoutsFailing: 1, LogoutsLost: 1,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("Population() (-want +got):\n%s", diff)
		}
		if users[storage.Suspended] != 1 || users[storage.Active] != 4 {
			t.Errorf("users are %v", users)
		}
		update(t, db, func(ctx context.Context, tx *storage.Tx) error { return tx.RevokeUser(ctx, plain.ID, now) })
		if got, err = db.Population(t.Context(), now); err != nil || got.Sessions != 2 {
			t.Errorf("%d sessions are alive once their user is signed out everywhere, %v, want 2", got.Sessions, err)
		}
	})
}

func logoutIn(w *world, state string) *storage.Logout {
	l := &storage.Logout{
		ID: storage.NewID(), ClientID: storage.Ref(w.client.ID), UserID: w.user.ID, State: state,
		CreatedAt: storage.At(noon), ExpiresAt: storage.At(noon.Add(time.Hour)),
	}
	if state == storage.LogoutRetrying {
		l.NextAt = storage.At(noon)
	}
	return l
}

func TestTheDatabaseKnowsItsSize(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		if size, err := db.Size(t.Context()); size < 100_000 || err != nil {
			t.Errorf("Size() = %d, %v", size, err)
		}
	})
}
