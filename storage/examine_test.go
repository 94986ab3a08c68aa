package storage_test

import (
	"context"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestPasskeysAreCountedByWhenTheyWereMade(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		user, used := newUser(), newPasskey(newUser())
		old, later := newPasskey(user), newPasskey(user)
		used.UserID = user.ID
		used.LastUsedAt, later.CreatedAt = storage.At(noon.Add(2*time.Hour)), storage.At(noon.Add(time.Hour))
		update(t, db, func(ctx context.Context, tx *storage.Tx) error {
			return first(
				tx.InsertUser(ctx, user), tx.InsertPasskey(ctx, old), tx.InsertPasskey(ctx, used), tx.InsertPasskey(ctx, later),
			)
		})
		for _, c := range []struct {
			from, to, since time.Time
			want            int64
		}{
			{time.Time{}, noon.Add(time.Hour), noon.Add(90 * time.Minute), 1}, // the other was used
			{time.Time{}, noon.Add(time.Hour), noon.Add(3 * time.Hour), 2},
			{time.Time{}, noon, noon, 0},
			{noon, noon.Add(2 * time.Hour), noon.Add(3 * time.Hour), 3},
		} {
			if n, err := db.CountPasskeysMade(t.Context(), c.from, c.to, c.since); err != nil || n != c.want {
				t.Errorf("made from %s to %s: %d, %v, want %d", c.from, c.to, n, err, c.want)
			}
		}
	})
}

func TestTheAgeOfADatabaseIsThatOfItsFirstStep(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		age, err := db.Age(t.Context(), time.Now().Add(time.Hour))
		if err != nil || age < time.Hour || age > 2*time.Hour {
			t.Errorf("%s, %v, want a little more than an hour", age, err)
		}
	})
}

// The tests' PostgreSQL keeps nothing that its machine would lose; SQLite has no such settings.
func TestADatabaseTellsHowItForgets(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		found, err := db.Forgets(t.Context())
		if err != nil || db.IsSQLite() && len(found) > 0 {
			t.Errorf("%v, %v", found, err)
		}
		for _, setting := range found {
			if setting != "fsync = off" && setting != "full_page_writes = off" && setting != "synchronous_commit = off" {
				t.Errorf("it forgets by %q", setting)
			}
		}
	})
}
