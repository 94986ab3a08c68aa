package storage_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"authy/storage"
	"authy/storage/storagetest"
)

func TestDeviceCodesAreKeptWhole(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		d := newDeviceCode(w.client)
		trip{
			"DeviceCode", d,
			func(ctx context.Context, tx *storage.Tx) error { return tx.InsertDeviceCode(ctx, d) },
			func(ctx context.Context, r storage.Reader) (any, error) { return r.DeviceCode(ctx, d.Hash) },
		}.check(t, db)
		trip{
			"DeviceByUserCode, allowed", d,
			func(ctx context.Context, tx *storage.Tx) error {
				d.GrantID = storage.Ref(w.grant.ID)
				_, err := tx.UseDeviceDecision(ctx, d.Hash, w.grant.ID, noon)
				return err
			},
			func(ctx context.Context, r storage.Reader) (any, error) { return r.DeviceByUserCode(ctx, d.UserCode) },
		}.check(t, db)
		err := db.Update(t.Context(), func(tx *storage.Tx) error {
			again := newDeviceCode(w.client)
			again.UserCode = d.UserCode
			return tx.InsertDeviceCode(t.Context(), again)
		})
		if !errors.Is(err, storage.ErrTaken) {
			t.Errorf("a second device with the same user code: %v, want ErrTaken", err)
		}
	})
}

func TestADeviceIsDecidedAboutInItsTimeAndUsedWhenItIsAllowed(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		w := newWorld(t, db)
		end := w.device.ExpiresAt.Time
		for _, c := range []struct {
			what string
			want bool
			do   func(tx *storage.Tx) (bool, error)
		}{
			{"used while it waits", false, func(tx *storage.Tx) (bool, error) {
				return tx.UseDeviceCode(t.Context(), w.device.Hash, noon)
			}},
			{"allowed at its end", false, func(tx *storage.Tx) (bool, error) {
				return tx.UseDeviceDecision(t.Context(), w.device.Hash, w.grant.ID, end)
			}},
			{"denied at its end", false, func(tx *storage.Tx) (bool, error) {
				return tx.UseDeviceDecision(t.Context(), w.device.Hash, "", end)
			}},
			{"denied before its end", true, func(tx *storage.Tx) (bool, error) {
				return tx.UseDeviceDecision(t.Context(), w.device.Hash, "", end.Add(-time.Millisecond))
			}},
			{"allowed after it was denied", false, func(tx *storage.Tx) (bool, error) {
				return tx.UseDeviceDecision(t.Context(), w.device.Hash, w.grant.ID, noon)
			}},
			{"denied after it was allowed", false, func(tx *storage.Tx) (bool, error) {
				return tx.UseDeviceDecision(t.Context(), w.allowed.Hash, "", noon)
			}},
			{"used at its end", false, func(tx *storage.Tx) (bool, error) {
				return tx.UseDeviceCode(t.Context(), w.allowed.Hash, end)
			}},
			{"used before its end", true, func(tx *storage.Tx) (bool, error) {
				return tx.UseDeviceCode(t.Context(), w.allowed.Hash, end.Add(-time.Millisecond))
			}},
		} {
			err := db.Update(t.Context(), func(tx *storage.Tx) error {
				got, err := c.do(tx)
				if got != c.want {
					t.Errorf("%s: %v, want %v", c.what, got, c.want)
				}
				return err
			})
			if err != nil {
				t.Errorf("%s: %v", c.what, err)
			}
		}
	})
}

func TestADeviceThatPollsTooOftenWaitsLongerFromThenOn(t *testing.T) {
	t.Parallel()
	storagetest.Each(t, func(t *testing.T, db *storage.DB) {
		hash := newWorld(t, db).polled.Hash
		for i, c := range []struct {
			after time.Duration // since noon
			want  bool
		}{
			{0, true},                        // 5 seconds between two
			{4999 * time.Millisecond, false}, // 10 from now on, counted from here
			{14 * time.Second, false},        // 15
			{29 * time.Second, true},
			{43 * time.Second, false}, // still 15, then 20
			{63 * time.Second, true},
		} {
			update(t, db, func(ctx context.Context, tx *storage.Tx) error {
				got, err := tx.UseDevicePoll(ctx, hash, noon.Add(c.after), 5*time.Second)
				if got != c.want {
					t.Errorf("poll %d, after %s: %v, want %v", i, c.after, got, c.want)
				}
				return err
			})
		}
	})
}
