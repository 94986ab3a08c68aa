package storage_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

// What was made by a clock that was ahead ends as much earlier; what was made before does not.
func TestWhatWasMadeInTheFutureEndsEarlier(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		const by = 2 * time.Hour
		right := noon.Add(time.Minute)
		session, code, device := newSession(w.user), newCode(w.grant), newDeviceCode(w.client)
		for _, at := range []*storage.Time{&session.CreatedAt, &code.CreatedAt, &device.CreatedAt} {
			*at = storage.At(right.Add(by - time.Minute))
		}
		session.LastActivityAt, session.AuthenticatedAt = session.CreatedAt, session.CreatedAt
		ends := storage.At(right.Add(by + time.Hour))
		session.ExpiresAt, code.ExpiresAt, device.ExpiresAt = ends, ends, ends
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(tx.InsertSession(ctx, session), tx.InsertCode(ctx, code), tx.InsertDeviceCode(ctx, device),
				tx.RevokeUser(ctx, w.user.ID, right.Add(by)))
		})
		if _, err := db.Session(t.Context(), session.ID); err != nil { // and caches it
			t.Fatal(err)
		}
		if _, err := db.User(t.Context(), w.user.ID); err != nil {
			t.Fatal(err)
		}
		var n int64
		update(t, db, func(ctx context.Context, tx *storage.Tx) (err error) {
			n, err = tx.EndEarlier(ctx, right, by)
			return err
		})
		if n != 3 {
			t.Errorf("EndEarlier() = %d, want 3", n)
		}
		moved, err := db.Session(t.Context(), session.ID)
		if err != nil {
			t.Fatal(err)
		}
		if want := storage.At(right.Add(time.Hour)); moved.ExpiresAt != want || moved.CreatedAt != storage.At(right.Add(-time.Minute)) ||
			moved.LastActivityAt != storage.At(right) {
			t.Errorf("a session of the future: %+v, want it to end at %s", moved, want)
		}
		user, err := db.User(t.Context(), w.user.ID)
		if err != nil {
			t.Fatal(err)
		}
		if user.SignedOutAt != storage.At(right) || moved.CreatedAt.After(user.SignedOutAt.Time) {
			t.Errorf("who was signed out in the future was so at %s, and has a session of %s", user.SignedOutAt, moved.CreatedAt)
		}
		before, err := db.Session(t.Context(), w.session.ID)
		if err != nil || before.ExpiresAt != w.session.ExpiresAt || before.CreatedAt != w.session.CreatedAt {
			t.Errorf("a session of before: %+v, %v", before, err)
		}
	})
}

// A table that is new and has things that end is to be in the list, or here with its reason.
func TestWhateverIsMadeAndEndsCanEndEarlier(t *testing.T) {
	t.Parallel()
	others := []string{
		"mails", "logouts", "deliveries", // wait to be sent: a little longer does no harm
		"clients", // end when nobody has used them for a month
	}
	db := again(t, storagetest.Migrated(t, "sqlite"))
	tables, err := db.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		has := columns(t, db, table)
		ends := slices.Contains(has, "created_at") && slices.Contains(has, "expires_at")
		if ends && !slices.Contains(others, table) && !slices.Contains(storage.Lived(), table) {
			t.Errorf("%s has what is made and ends: add it to lived in earlier.go", table)
		}
	}
}
